"""The search: one trial after the other, until the budget is used up."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tasks.stage.errors import BadInput, StageError
from tasks.tuning.bench import GivenUpError, Look, OutOfTimeError, TrialFailedError
from tasks.tuning.space import Value, text
from tasks.tuning.study import Study, Tried

if TYPE_CHECKING:
    from optuna.trial import Trial

REPEATS = 20
"""Draws in a row that had all been tried: there is nothing left."""
FAILURES = 3
"""Trials in a row that failed: it is not the values."""


class Runner(Protocol):
    """What runs a trial (`tasks.tuning.bench.Bench`)."""

    def run(self, values: Mapping[str, Value], look: Look, deadline: float, log: Path) -> float: ...


@dataclass
class Search:
    """`present` are the values in params.yaml, which are tried first."""

    study: Study
    runner: Runner
    present: dict[str, Value]
    logs: Path
    say: Callable[[str], None]
    after: Callable[[], None] = lambda: None
    """Called after each trial."""

    def run(self, deadline: float, trials: int | None = None) -> str:
        """Search until `deadline` (of time.monotonic) or until so many trials there are.

        Returns why it ended. Raises BadInput when the present values fail, StageError when one
        trial after the other does.
        """
        if again := self.study.take_up():
            self.say(f"{again} trial that was killed goes on")
        repeats = failures = 0
        while repeats < REPEATS and (self._first() or not self.study.exhausted()):
            if time.monotonic() >= deadline:
                return "the time is up"
            if trials is not None and len(self.study.tried()) >= trials:
                return "that is as many as were wanted"
            trial, values = self.study.start(self._first())
            before = self.study.found(values)
            if before is not None and not self._to_try_again(before):
                self.study.repeated(trial, before)
                repeats += 1
                continue
            repeats = 0
            try:
                failures = 0 if self._try(trial, values, deadline) else failures + 1
            except OutOfTimeError:
                self.say(f"trial {trial.number}: the time is up; it goes on another time")
                return "the time is up"
            self.after()
            if failures == FAILURES:
                raise StageError(
                    f"{FAILURES} trials in a row failed, the last one so: {self._why()}"
                )
        return "nothing new is left to try in this space"

    def _first(self) -> dict[str, Value] | None:
        """The present values, while nobody knows what they give and no other trial waits."""
        known = self.study.found(self.present)
        needed = known is None or known.state == "failed"
        return self.present if needed and not self.study.waiting else None

    def _to_try_again(self, before: Tried) -> bool:
        """What failed with the present values may have been mended since."""
        return before.state == "failed" and text(before.values) == text(self.present)

    def _try(self, trial: Trial, values: dict[str, Value], deadline: float) -> bool:
        """Whether it did not fail."""
        number = trial.number
        self.say(f"trial {number}: {shown(values)}")
        started = time.monotonic()
        try:
            figure = self.runner.run(
                values,
                lambda share, figure: self._look(trial, share, figure),
                deadline,
                self.logs / f"trial-{number}.log",
            )
        except GivenUpError:
            self.study.given_up(trial)
            self.say(f"trial {number}: given up: half of the others were better by then")
        except TrialFailedError as error:
            self.study.failed(trial, str(error))
            if text(values) == text(self.present):
                raise BadInput(f"the present parameters fail: {error}") from None
            self.say(f"trial {number}: failed: {error}")
            return False
        except (OutOfTimeError, KeyboardInterrupt):
            self.study.interrupted(trial)
            raise
        else:
            self.study.done(trial, figure)
            best = self.study.best()
            mark = ", the best so far" if best is not None and best.number == number else ""
            seconds = time.monotonic() - started
            self.say(f"trial {number}: {100 * figure:.2f} in {seconds:.0f} s{mark}")
        return True

    def _look(self, trial: Trial, share: float, figure: float) -> bool:
        self.say(f"trial {trial.number}: {100 * figure:.2f} at {100 * share:.0f} %")
        return self.study.hopeless(trial, share, figure)

    def _why(self) -> str:
        return self.study.tried()[-1].reason or ""


def shown(values: Mapping[str, Value]) -> str:
    """Values as one line."""
    return ", ".join(f"{key} {text(value)}" for key, value in values.items())
