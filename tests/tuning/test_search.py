"""A search ends with what is best, loses nothing when it is killed, and compares like with like."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tasks.stage.errors import BadInput, StageError
from tasks.tuning.bench import GivenUpError, Look, OutOfTimeError, TrialFailedError
from tasks.tuning.search import Search
from tasks.tuning.space import Choice, Range, Space, Value
from tasks.tuning.study import Study

RATE = "finetune.learning_rate"
DROPOUT = "finetune.dropout"
SPACE = Space((Range(RATE, 1e-5, 1e-2, log=True), Choice(DROPOUT, (None, 0.1))))
PRESENT: dict[str, Value] = {RATE: 1e-5, DROPOUT: None}
NOW = 0.0
LATER = math.inf


def figure(values: Mapping[str, Value]) -> float:
    """Best at a rate of 1e-3."""
    return 0.9 - 0.1 * abs(math.log10(values[RATE]) + 3) + (0.01 if values[DROPOUT] else 0)


@dataclass
class Training:
    """Stands for a stage: two looks, the second one the final figure; notes what it was given."""

    ends: Callable[[int], None] = lambda _: None
    """Called in the middle of each run with its number."""
    runs: list[dict[str, Value]] = field(default_factory=list)
    given_up: int = 0

    def run(self, values: Mapping[str, Value], look: Look, deadline: float, log: Path) -> float:
        assert log.suffix == ".log"
        self.runs.append(dict(values))
        if look(0.5, figure(values) - 0.1):
            self.given_up += 1
            raise GivenUpError
        self.ends(len(self.runs))
        assert time.monotonic() < deadline
        return figure(values)


def search(training: Training, space: Space = SPACE, present: dict[str, Value] = PRESENT) -> Search:
    study = Study(Path("tune/a.db"), space, seed=1)
    return Search(study, training, present, Path("logs"), say=lambda _: None)


def kill(*numbers: int) -> Callable[[int], None]:
    """As Ctrl-C does it, in the middle of the runs of these numbers."""

    def ends(number: int) -> None:
        if number in numbers:
            raise KeyboardInterrupt

    return ends


def vanish(number: int) -> None:
    """As `kill -9` does it: nothing of the search's own runs any more."""
    if number == 4:
        raise MemoryError


def test_the_present_values_come_first_bad_ones_are_given_up_better_ones_found(
    workspace: Path,
) -> None:
    training = Training()
    found = search(training)
    assert found.run(LATER, trials=16) == "that is as many as were wanted"
    assert training.runs[0] == PRESENT
    best = found.study.best()
    assert best is not None
    assert best.figure == figure(best.values) > figure(PRESENT) + 0.15
    assert all(SPACE.holds(values) for values in training.runs)
    states = [each.state for each in found.study.tried()]
    assert states.count("given up") == training.given_up > 3
    assert "given up" not in states[:4]


def test_present_values_outside_the_space_are_measured_all_the_same(workspace: Path) -> None:
    present = {RATE: 0.5, DROPOUT: 0.3}
    training = Training()
    found = search(training, present=present)
    found.run(LATER, trials=2)
    assert training.runs[0] == present
    before = found.study.found(present)
    assert before is not None
    assert before.figure == figure(present)


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, MemoryError])
def test_a_search_that_was_killed_goes_on_as_if_nothing_had_happened(
    workspace: Path, interruption: type[BaseException]
) -> None:
    undisturbed = search(Training())
    undisturbed.run(LATER, trials=6)
    whole = [(each.values, each.state, each.figure) for each in undisturbed.study.tried()]
    Path("tune/a.db").unlink()
    training = Training(ends=kill(4) if interruption is KeyboardInterrupt else vanish)
    with pytest.raises(interruption):
        search(training).run(LATER, trials=6)
    killed, training.ends = training.runs[3], lambda _: None
    again = search(training)
    assert len(again.study.tried()) == 3
    again.run(LATER, trials=6)
    assert training.runs[4] == killed
    assert [(each.values, each.state, each.figure) for each in again.study.tried()] == whole


def test_a_trial_that_the_budget_cuts_off_is_the_first_of_the_next_search(workspace: Path) -> None:
    training = Training()
    found = search(training)
    assert found.run(NOW) == "the time is up"
    assert training.runs == []
    found.run(LATER, trials=2)

    def out_of_time(_: int) -> None:
        raise OutOfTimeError

    training.ends = out_of_time
    assert found.run(LATER) == "the time is up"
    cut_off, training.ends = training.runs[-1], lambda _: None
    found.run(LATER, trials=3)
    assert training.runs[3:] == [cut_off]


def test_a_small_space_is_searched_once_and_no_more(workspace: Path) -> None:
    space = Space((Choice(RATE, (1e-5, 1e-3)), Choice(DROPOUT, (None, 0.1))))
    training = Training()
    assert search(training, space).run(LATER) == "nothing new is left to try in this space"
    assert len(training.runs) == 4
    assert search(training, space).run(LATER) == "nothing new is left to try in this space"
    assert len(training.runs) == 4


def fails(*, also_at_first: bool) -> Training:
    def ends(number: int) -> None:
        if also_at_first or number > 2:
            raise TrialFailedError("out of memory")

    return Training(ends)


def test_present_values_that_fail_stop_it_with_the_reason(workspace: Path) -> None:
    with pytest.raises(BadInput, match="the present parameters fail: out of memory"):
        search(fails(also_at_first=True)).run(LATER)
    mended = search(Training())
    mended.run(LATER, trials=3)
    assert mended.study.found(PRESENT) is not None


def test_one_failure_after_the_other_stops_it(workspace: Path) -> None:
    found = search(fails(also_at_first=False))
    with pytest.raises(StageError, match="3 trials in a row failed, the last one so: out of"):
        found.run(LATER)
    assert [each.state for each in found.study.tried()] == ["done", "done", *3 * ["failed"]]


def test_a_study_of_other_data_is_refused(workspace: Path) -> None:
    about: dict[str, Any] = {"stage": "finetune", "dataset or model": "abc"}
    Study(Path("a.db"), SPACE, 1).agree(about)
    Study(Path("a.db"), SPACE, 1).agree(about)
    with pytest.raises(BadInput, match="made with another dataset or model: take another --name"):
        Study(Path("a.db"), SPACE, 1).agree({**about, "dataset or model": "def"})
