"""What a training run needs to go on where it was killed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from tasks.stage import parent
from tasks.stage.outputs import STATE, remove, whole

FOLDER = STATE / "checkpoints"
_RUN = "run.pt"
_FORM = 2
"""Goes up when the state of a run takes another form, which older ones can't be read as."""


def checkpoint_key(**inputs: Any) -> str:
    """A name for a run that is the same exactly when its command, inputs and parameters are."""
    everything = {"torch": torch.__version__, "form": _FORM, **inputs}
    text = json.dumps(everything, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Checkpoint:
    """The whole state of a run, replaced whole at every save: one file, or a folder of shards.

    The file holds every tensor whole and is written by rank 0. In the folder each rank has written
    its share (torch.distributed.checkpoint), and another number of ranks can read it.
    """

    path: Path

    @classmethod
    def of(cls, stage: str, key: str) -> Checkpoint:
        return cls(FOLDER / f"{stage}-{key}" / "state.pt")

    def inside(self, name: str) -> Checkpoint:
        """That of a part of the run, which goes when the run's own does."""
        return Checkpoint(self.path.parent / name / self.path.name)

    @property
    def shards(self) -> Path:
        return self.path.with_name("shards")

    def load(self) -> dict[str, Any] | None:
        """The last state saved whole, or None; tensors and plain values only, never code."""
        if not self.path.exists():
            return None
        state: dict[str, Any] = torch.load(self.path, map_location="cpu", weights_only=True)
        return state

    def save(self, state: dict[str, Any]) -> None:
        """Called by rank 0 alone."""
        with whole(self.path) as draft:
            torch.save(state, draft)
        remove(self.shards)

    def load_run(self) -> dict[str, Any]:
        """The plain values beside the shards."""
        run: dict[str, Any] = torch.load(self.shards / _RUN, weights_only=True)
        return run

    def load_shards(self, tensors: dict[str, Any]) -> None:
        """Fill `tensors` in place, each rank with its share. Every rank calls it."""
        from torch.distributed.checkpoint.state_dict_loader import load

        load(tensors, checkpoint_id=self.shards)

    def save_shards(self, run: dict[str, Any], tensors: dict[str, Any]) -> None:
        """Every rank calls it, and writes its share; the folder appears whole."""
        from torch.distributed.checkpoint.state_dict_saver import save

        draft = STATE / "drafts" / f"{self.path.parent.name}-shards"
        first = dist.get_rank() == 0
        if first:
            remove(draft)
            draft.mkdir(parents=True)
            torch.save(run, draft / _RUN)
        dist.barrier()
        save(tensors, checkpoint_id=draft)
        dist.barrier()
        if first:
            parent.check()
            self.shards.parent.mkdir(parents=True, exist_ok=True)
            remove(self.shards)
            draft.replace(self.shards)
            remove(self.path)
        dist.barrier()


def forget(stage: str) -> None:
    """Remove a stage's checkpoints: it has succeeded, or they belong to runs given up."""
    for folder in FOLDER.glob(f"{stage}-*"):
        remove(folder)
