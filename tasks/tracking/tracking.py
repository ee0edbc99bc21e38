"""A training run's curves, sent while it runs to whoever `tracking:` in params.yaml names.

Nothing here changes what a training gives, or stops it: what goes wrong is one line of warning.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.params.base import PARAMS, load_section
from tasks.params.publish import Publish
from tasks.params.tracking import Tracking
from tasks.stage.errors import StageError
from tasks.tracking import dvclive
from tasks.tracking.backend import Opening
from tasks.tracking.courier import Courier
from tasks.tracking.lines import Lines

SECONDS_AT_THE_END = 8.0
"""For all trackers together, to take what still waits."""
PLACES = {"step", "epoch"}
"""What says where a number belongs, and is none itself."""


class Tracker:
    """What `tasks.training.loop.fit` tells its numbers; rank 0 has one."""

    def __init__(self, couriers: list[Courier], lines: Lines | None, metric: str) -> None:
        self._couriers, self._lines, self._metric = couriers, lines, metric

    def losses(self, step: int, values: Mapping[str, float]) -> None:
        """The mean loss of the last steps and the learning rate, at `step`."""
        self._tell("losses", "train", step, values)

    def evaluation(self, step: int, values: Mapping[str, float]) -> None:
        """What a look at the validation split gave, at `step`; the figure by its own name."""
        self._tell("evaluation", "validation", step, values)

    def finish(self) -> None:
        """The run is over: wait a few seconds for what is on its way.

        While an error unwinds, the run stays open at the trackers, for it may go on another time.
        """
        ended = sys.exception() is None
        for courier in self._couriers:
            courier.put({"end": ended})
        deadline = time.monotonic() + SECONDS_AT_THE_END
        for courier in self._couriers:
            courier.finish(deadline)

    def _tell(self, kind: str, split: str, step: int, values: Mapping[str, float]) -> None:
        known = {name: value for name, value in values.items() if math.isfinite(value)}
        if self._lines is not None:
            try:
                self._lines.write(kind, step, known)
            except OSError as error:
                warn(f"file: {error}")
                self._lines = None
        named = {
            f"{split}/{self._metric if name == 'figure' else name}": value
            for name, value in known.items()
            if name not in PLACES
        }
        for courier in self._couriers:
            courier.put({"step": step, "values": named})


def open_tracking(
    stage: str, parameters: Mapping[str, Any], key: str, metric: str = "figure",
    params: Path = PARAMS,
) -> Tracker:  # fmt: skip
    """The tracker that the section `tracking:` of `params` asks for; silent without that file.

    `parameters` are shown beside the curves; a run with the same `key` as one that was killed goes
    on with its curves; `metric` is what the task's figure is called.
    """
    try:
        settings, project = _settings(params)
    except StageError as error:
        warn(" ".join(str(error).split()))
        settings, project = Tracking(dvclive=False), ""
    wanted = {
        "dvclive": str(dvclive.FOLDER) if settings.dvclive else None,
        "tensorboard": settings.tensorboard,
        "mlflow": settings.mlflow,
        "wandb": settings.wandb,
    }
    name = f"{stage}-{time.strftime('%Y%m%d-%H%M%S')}"
    said = _flat(parameters)
    couriers = [
        Courier(tracker, Opening(target, project, stage, key, name, said), warn)
        for tracker, target in wanted.items()
        if target is not None
    ]
    return Tracker(couriers, _lines(settings), metric)


def _settings(params: Path) -> tuple[Tracking, str]:
    if not params.exists():
        return Tracking(dvclive=False), ""
    return load_section(Tracking, params), load_section(Publish, params).name


def _lines(settings: Tracking) -> Lines | None:
    try:
        return Lines(Path(settings.file)) if settings.file else None
    except OSError as error:
        warn(f"file: {error}")
        return None


def _flat(parameters: Mapping[str, Any], above: str = "") -> dict[str, str]:
    """Sections inside the section by their dotted names, values as text."""
    found: dict[str, str] = {}
    for name, value in parameters.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{above}{name}.")
        else:
            found[f"{above}{name}"] = str(value)
    return found


def warn(line: str) -> None:
    """One line on stderr."""
    print(f"tracking: {line}; training goes on without it", file=sys.stderr, flush=True)
