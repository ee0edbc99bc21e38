"""A study on disk: every trial and what it gave, so that a search goes on where it was left.

Optuna keeps it in one SQLite file and proposes what to try: a tree-structured Parzen estimator
(Bergstra et al. 2011) for the values, the median rule (Golovin et al. 2017) for giving up.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.pruners import MedianPruner
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial, Trial, TrialState

from tasks.stage.errors import BadInput
from tasks.tuning.space import Space, Value, text

AT_RANDOM = 6
"""Trials drawn at random before the estimator has enough to go by."""
BEFORE_GIVING_UP = 4
"""Trials that come to their end before any is held against their median."""
SHARES = 1000
"""Optuna counts steps: a look's is the share of the run that is over, in so many parts."""


@dataclass(frozen=True)
class Tried:
    """A trial that is over."""

    number: int
    values: dict[str, Value]
    state: str
    """done, given up, failed."""
    figure: float | None
    """On validation; of one given up, when it was."""
    reason: str | None = None


class Study:
    """The file, and what is to be tried next."""

    def __init__(self, path: Path, space: Space, seed: int) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._space, self._seed = space, seed
        self._study = optuna.create_study(
            study_name=path.stem,
            storage=f"sqlite:///{path.absolute()}",
            direction="maximize",
            pruner=MedianPruner(n_startup_trials=BEFORE_GIVING_UP, n_min_trials=BEFORE_GIVING_UP),
            load_if_exists=True,
        )

    def agree(self, about: Mapping[str, Any]) -> None:
        """Raises BadInput when the study is about something else: its figures don't compare."""
        known = self._study.user_attrs.get("about")
        if known is None:
            self._study.set_user_attr("about", dict(about))
            return
        other = [name for name, value in about.items() if text(known.get(name)) != text(value)]
        if other:
            raise BadInput(
                f"the study {self._study.study_name} was made with another {', '.join(other)}: "
                "take another --name, or --fresh to begin it again"
            )

    def take_up(self) -> int:
        """Put trials that were killed in the line again, first; their number."""
        left = self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        for trial in left:
            self._study.tell(trial.number, state=TrialState.FAIL)
            self._again(trial.user_attrs)
        return len(left)

    def start(self, values: Mapping[str, Value] | None = None) -> tuple[Trial, dict[str, Value]]:
        """A trial of given values, of those that wait, or of new ones.

        What is drawn depends on the seed and on how many trials are over, not on interruptions.
        """
        if values is not None and self._space.holds(values):
            self._study.enqueue_trial(self._space.stored(values))
            values = None
        seed = np.random.SeedSequence([self._seed, self._over()]).generate_state(1)[0]
        self._study.sampler = TPESampler(seed=int(seed), n_startup_trials=AT_RANDOM)
        trial = self._study.ask()
        chosen = dict(values) if values is not None else self._space.suggest(trial)
        trial.set_user_attr("values", json.dumps(chosen))
        return trial, chosen

    def hopeless(self, trial: Trial, share: float, figure: float) -> bool:
        """Take in a look; whether half of the others were better at that point."""
        trial.report(figure, round(SHARES * share))
        return trial.should_prune()

    def done(self, trial: Trial, figure: float) -> None:
        """A trial came to its end."""
        self._study.tell(trial, figure)

    def named(self, metric: str) -> None:
        """Keep what the task calls its figure, which the stage's report says."""
        self._study.set_user_attr("metric", metric)

    @property
    def metric(self) -> str:
        """What the task calls its figure."""
        return str(self._study.user_attrs.get("metric", "figure"))

    def given_up(self, trial: Trial) -> None:
        self._study.tell(trial, state=TrialState.PRUNED)

    def failed(self, trial: Trial, reason: str) -> None:
        trial.set_user_attr("reason", reason)
        self._study.tell(trial, state=TrialState.FAIL)

    def repeated(self, trial: Trial, before: Tried) -> None:
        """The same values were tried: the same figure, without the work."""
        trial.set_user_attr("repeats", before.number)
        if before.figure is None or before.state != "done":
            self._study.tell(trial, state=TrialState.FAIL)
        else:
            self._study.tell(trial, before.figure)

    def interrupted(self, trial: Trial) -> None:
        """It goes on another time, before anything else."""
        self._study.tell(trial, state=TrialState.FAIL)
        self._again(trial.user_attrs)

    def _again(self, noted: Mapping[str, Any]) -> None:
        values = json.loads(noted.get("values", "null"))
        if values is not None and self._space.holds(values):
            self._study.enqueue_trial(self._space.stored(values))

    def tried(self) -> list[Tried]:
        """Every trial that came to an end of its own, in order; repeats are left out."""
        found = (_tried(trial) for trial in self._study.get_trials(deepcopy=False))
        return [each for each in found if each is not None]

    def found(self, values: Mapping[str, Value]) -> Tried | None:
        """The trial that had some values."""
        return next((each for each in self.tried() if text(each.values) == text(values)), None)

    def exhausted(self) -> bool:
        """Whether every trial of the space has been made."""
        inside = sum(self._space.holds(each.values) for each in self.tried())
        return inside >= self._space.size

    def _over(self) -> int:
        """Trials that will not be run again, repeats included."""
        found = self._study.get_trials(deepcopy=False)
        repeats = sum("repeats" in each.user_attrs for each in found)
        return repeats + len(self.tried())

    @property
    def waiting(self) -> int:
        """Trials in the line."""
        return len(self._study.get_trials(deepcopy=False, states=(TrialState.WAITING,)))

    def best(self) -> Tried | None:
        """The trial with the highest figure, the earliest of equal ones."""
        done = [each for each in self.tried() if each.state == "done"]
        return max(done, key=lambda each: (each.figure or 0.0, -each.number), default=None)


def _tried(trial: FrozenTrial) -> Tried | None:
    noted = trial.user_attrs
    if "values" not in noted or "repeats" in noted:
        return None
    values, number = json.loads(noted["values"]), trial.number
    if trial.state == TrialState.COMPLETE:
        return Tried(number, values, "done", trial.value)
    if trial.state == TrialState.PRUNED:
        looks = trial.intermediate_values
        return Tried(number, values, "given up", looks[max(looks)] if looks else None)
    if trial.state == TrialState.FAIL and "reason" in noted:
        return Tried(number, values, "failed", None, noted["reason"])
    return None
