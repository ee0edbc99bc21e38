"""What a training run needs to go on where it was killed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tasks.stage.outputs import STATE, remove, whole

FOLDER = STATE / "checkpoints"


def checkpoint_key(**inputs: Any) -> str:
    """A name for a run that is the same exactly when its command, inputs and parameters are."""
    text = json.dumps({"torch": torch.__version__, **inputs}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Checkpoint:
    """One file with the whole state of a run, replaced whole at every save."""

    path: Path

    @classmethod
    def of(cls, stage: str, key: str) -> Checkpoint:
        return cls(FOLDER / f"{stage}-{key}" / "state.pt")

    def load(self) -> dict[str, Any] | None:
        """The last state saved, or None; tensors and plain values only, never code."""
        if not self.path.exists():
            return None
        state: dict[str, Any] = torch.load(self.path, map_location="cpu", weights_only=True)
        return state

    def save(self, state: dict[str, Any]) -> None:
        with whole(self.path) as draft:
            torch.save(state, draft)


def forget(stage: str) -> None:
    """Remove a stage's checkpoints: it has succeeded, or they belong to runs given up."""
    for folder in FOLDER.glob(f"{stage}-*"):
        remove(folder)
