"""Who looks on while a model is trained: trackers of experiments, searches that give up early."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Watcher(Protocol):
    """Is told what happens in a run, by rank 0 alone, and changes nothing of it.

    What raises here ends the run: whoever must not be in its way catches its own errors.
    """

    def losses(self, step: int, values: Mapping[str, float]) -> None:
        """Every few steps: the mean `loss` since the last time, and the `learning_rate`."""

    def evaluation(self, step: int, values: Mapping[str, float]) -> None:
        """After each look at the validation split: `figure`, `loss`, `epoch`."""

    def finish(self) -> None:
        """The run is over, whether it ended well or not."""
