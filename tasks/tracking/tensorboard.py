"""TensorBoard: event files, read by `tensorboard --logdir FOLDER`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tasks.tracking.backend import Opening


class TensorBoard:
    """A folder a run below that of `tracking.tensorboard`; needs the package, not torch."""

    def __init__(self, opening: Opening, known: str | None) -> None:
        from tensorboard.summary import Writer

        self.run = known or str(Path(opening.target) / opening.name)
        self._writer = Writer(self.run)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def close(self, _: bool, /) -> None:
        self._writer.close()
