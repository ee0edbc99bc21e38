"""What all trackers have in common: how a run is announced, and what is sent of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

from tasks.stage.outputs import STATE

FOLDER = STATE / "tracking"


@dataclass(frozen=True)
class Opening:
    """A run as it is announced to a tracker."""

    target: str
    """Folder, address or project, from the section `tracking:`."""
    project: str
    """The model's name, which groups its runs."""
    stage: str
    key: str
    """The same for a run that goes on where it was killed, another for every other run."""
    name: str
    """What people see."""
    parameters: dict[str, str] = field(default_factory=dict)


class Backend(Protocol):
    """An open run at a tracker. Every method may raise; whoever calls it goes on without."""

    @property
    def run(self) -> str:
        """What `open` takes to go on with this run."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Numbers of one step; names are `train/loss`, `validation/accuracy` and so on."""

    def close(self, ended: bool, /) -> None:
        """`ended`: the training came to its end; otherwise it may go on another time."""


@dataclass
class Memory:
    """What is known of the run that was tracked last, so that one that was killed goes on."""

    key: str
    run: str | None = None
    step: int = 0
    """The last one sent."""

    @classmethod
    def of(cls, tracker: str, opening: Opening) -> Memory:
        """That of the same run, or a fresh one."""
        try:
            found = cls(**json.loads(_place(tracker, opening).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return cls(opening.key)
        return found if found.key == opening.key else cls(opening.key)

    def write(self, tracker: str, opening: Opening) -> None:
        place = _place(tracker, opening)
        place.parent.mkdir(parents=True, exist_ok=True)
        draft = place.with_suffix(".new")
        draft.write_text(json.dumps(asdict(self)), encoding="utf-8")
        draft.replace(place)

    def forget(self, tracker: str, opening: Opening) -> None:
        _place(tracker, opening).unlink(missing_ok=True)


def _place(tracker: str, opening: Opening) -> Path:
    return FOLDER / f"{opening.stage}-{tracker}.json"
