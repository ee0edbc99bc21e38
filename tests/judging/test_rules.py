"""Each rule at its boundary: what just passes, what just doesn't, and what it says then."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tasks.inference.release import Release
from tasks.judging import rules
from tasks.judging.check import Check, reasons_of, verdict_of
from tasks.judging.contest import Scored
from tasks.judging.golden import Outcome
from tasks.judging.slices import Slice, Standing, standings
from tasks.measuring.paired import Comparison, Slowdown, compare
from tasks.measuring.scores import score
from tasks.measuring.statistics import Interval, latency
from tasks.params.gate import Gate
from tasks.task import MultiTask, Prediction, Task
from tasks.task.classification import Classification
from tasks.task.regression import Regression

CLASSES = Classification(("bad", "good"))
CARD = Release(("bad", "good"), 32, ("input_ids",), "int8", "level1")


def compared(lost: int, won: int, texts: int = 1000, right: int = 850) -> Comparison:
    """Production gets `right` of `texts`; the candidate loses some of them and wins others."""
    production = (np.arange(texts)[:, None] < right).astype(float)
    candidate = production.copy()
    candidate[:lost] = 0
    candidate[right : right + won] = 1
    return compare(CLASSES, candidate, production, seed=1)


def scored(right: int, texts: int, milliseconds: float = 1.0, megabytes: float = 20.0) -> Scored:
    truth = ["good"] * texts
    given = [CLASSES.said("good")] * right + [CLASSES.said("bad")] * (texts - right)
    return scored_as(CLASSES, truth, given, milliseconds, megabytes)


def scored_as(
    task: Task, truth: list[str], given: list[Prediction], milliseconds: float, megabytes: float
) -> Scored:
    rounds = [[milliseconds] * 3] * 2
    return Scored("candidate", task.evidence(truth, given), score(task, truth, given, given, 1),
                  rounds, latency(rounds, 1), megabytes)  # fmt: skip


def test_a_drop_of_exactly_the_limit_passes_and_one_text_more_does_not() -> None:
    just = rules.drop(CLASSES, compared(lost=5, won=0), "v1.3.0", Gate(max_drop=0.5))
    more = rules.drop(CLASSES, compared(lost=6, won=0), "v1.3.0", Gate(max_drop=0.5))

    assert just.ok
    assert not more.ok
    assert more.detail == (
        "it loses 0.6 points against v1.3.0 on 1,000 test texts (85.00 → 84.40 %), "
        "gate.max_drop allows 0.5"
    )


def test_a_gain_never_fails() -> None:
    found = compared(lost=0, won=30)
    strict = Gate(max_drop=0, max_total_drop=0, significance=0.99)

    checks = [rules.drop(CLASSES, found, "v1", strict), rules.significance(found, "v1", strict),
              rules.total_drop(CLASSES, found, "v1", strict)]  # fmt: skip

    assert verdict_of(checks) == "blessed"
    assert "it gains 3 points against v1 on 1,000 test texts (85.00 → 88.00 %)" in checks[0].detail


def test_an_equal_model_passes_without_any_leeway() -> None:
    check = rules.drop(CLASSES, compared(lost=7, won=7), "v1", Gate(max_drop=0))
    assert check.ok
    assert check.detail.startswith("it is as good as v1 on 1,000 test texts (85.00 %)")


@pytest.mark.parametrize(("lost", "ok"), [(4, True), (5, False)])
def test_worse_beyond_chance_is_refused_however_small_the_drop(lost: int, ok: bool) -> None:
    check = rules.significance(compared(lost=lost, won=0), "v1.3.0", Gate())  # 1/16, 1/32

    assert check.ok == ok
    assert f"{lost} of 1,000 test texts only v1.3.0 gets right, 0 only the candidate" in (
        check.detail
    )


def test_what_is_significant_at_exactly_the_level_passes() -> None:
    assert rules.significance(compared(5, 0), "v1", Gate(significance=1 / 32)).ok
    assert not rules.significance(compared(5, 0), "v1", Gate(significance=1 / 31)).ok


def test_many_small_drops_are_refused_in_the_end() -> None:
    just = rules.total_drop(CLASSES, compared(lost=10, won=0), "v1.0.0", Gate(max_total_drop=1))
    more = rules.total_drop(CLASSES, compared(lost=11, won=0), "v1.0.0", Gate(max_total_drop=1))

    assert just.ok
    assert not more.ok
    assert "the best ever promoted, gate.max_total_drop allows 1" in more.detail


def slice_standings(lost: int, others: int = 0) -> list[Standing]:
    """100 texts of class good of which `lost` are lost, and `others` slices without a change."""
    right = np.ones((1000, 1))
    candidate = right.copy()
    candidate[:lost] = 0
    found = [Slice("class", "good", list(range(100)))]
    found += [Slice("source", f"{at}.csv", list(range(100, 200))) for at in range(others)]
    return standings(CLASSES, found, candidate, right, fewest=50, seed=1)


def test_a_slice_that_loses_much_is_refused_though_the_whole_hardly_changes() -> None:
    (check,) = rules.by_slice(CLASSES, slice_standings(lost=6), "v1", Gate(max_slice_drop=5))

    assert not check.ok
    told = "class good: it loses 6 points against v1 on 100 test texts (100.00 → 94.00 %), more"
    assert check.detail.startswith(told)


def test_a_slice_may_lose_just_what_is_allowed() -> None:
    (check,) = rules.by_slice(CLASSES, slice_standings(lost=5), "v1", Gate(max_slice_drop=5))
    assert check.ok
    assert check.name == "slices by class, points"


def test_a_loss_in_one_of_many_slices_may_be_chance() -> None:
    alone, *_ = rules.by_slice(CLASSES, slice_standings(lost=6), "v1", Gate())
    one_of_many, *_ = rules.by_slice(CLASSES, slice_standings(lost=6, others=3), "v1", Gate())

    assert not alone.ok  # p = 1/64, below 0.05
    assert one_of_many.ok  # Holm: times 4
    assert "which may be chance (p = 0.062, corrected)" in one_of_many.detail


def test_a_small_slice_is_not_judged() -> None:
    right = np.ones((100, 1))
    rare = Slice("class", "rare", list(range(49)))
    found = standings(CLASSES, [rare], 1 - right, right, 50, seed=1)
    assert rules.by_slice(CLASSES, found, "v1", Gate()) == []


@pytest.mark.parametrize(("low", "ok"), [(1.25, True), (1.26, False)])
def test_a_slowdown_counts_when_it_is_sure(low: float, ok: bool) -> None:
    found = Slowdown(1.4, Interval(low, 1.6))

    (check,) = rules.slowness(found, (1.4, 1.0), "v1", Gate(max_slowdown=1.25))

    assert check.ok == ok
    assert "one text takes 1.40 times as long as with v1 (1 → 1.4 ms;" in check.detail


def test_faster_is_never_a_slowdown_and_null_is_no_limit() -> None:
    found = Slowdown(0.5, Interval(0.4, 0.6))
    assert rules.slowness(found, (0.5, 1.0), "v1", Gate(max_slowdown=0.7))[0].ok
    assert rules.slowness(found, (0.5, 1.0), "v1", Gate(max_slowdown=None)) == []


@pytest.mark.parametrize(("right", "ok"), [(80, False), (81, True)])
def test_it_must_beat_always_saying_the_same(right: int, ok: bool) -> None:
    truth = ["good"] * 80 + ["bad"] * 20
    (check,) = rules.absolute(CLASSES, scored(right, 100), truth, Gate())
    assert check.ok == ok
    assert "always saying good gives 80.00 %" in check.detail


@pytest.mark.parametrize(
    ("limits", "name"),
    [
        ({"min_figure": 0.9}, "figure"),
        ({"max_latency_ms": 2.0}, "latency, ms"),
        ({"max_megabytes": 30.0}, "weights, MB"),
    ],
)
def test_absolute_limits_at_the_boundary(limits: dict[str, Any], name: str) -> None:
    truth = ["bad"] * 51 + ["good"] * 49
    within = rules.absolute(CLASSES, scored(90, 100, 2.0, 30.0), truth, Gate(**limits))
    beyond = rules.absolute(CLASSES, scored(89, 100, 2.1, 30.1), truth, Gate(**limits))

    assert [check.name for check in within] == ["majority class", name]
    assert verdict_of(within) == "blessed"
    (reason,) = reasons_of(beyond)
    assert f"gate.{next(iter(limits))}" in reason


@pytest.mark.parametrize(("seconds", "ok"), [(60, True), (60.1, False)])
def test_it_must_start_in_time(seconds: float, ok: bool) -> None:
    (check,) = rules.starts(seconds, Gate(max_start_seconds=60))
    assert check.ok == ok
    assert rules.starts(seconds, Gate(max_start_seconds=None)) == []


def test_a_golden_request_that_fails_is_named() -> None:
    assert rules.golden(Outcome(9, [], 0.5)).ok
    check = rules.golden(Outcome(9, ["emoji: a", "one space: b", "Chinese: c", "10: d"], 0.5))
    assert not check.ok
    assert check.detail == "of 9 golden requests, emoji: a; one space: b; Chinese: c; and 1 more"


def test_other_labels_need_a_new_major_version() -> None:
    mine = replace(CARD, labels=("bad", "mixed"))

    check = rules.same_contract(mine, CARD, "v1.3.0", major=1)

    assert not check.ok
    assert check.detail == (
        "it answers with mixed and never answers with good, unlike v1.3.0: "
        "raise publish.major, so that whoever asks it knows"
    )
    waived = rules.same_contract(mine, CARD, "v1.3.0", major=2)
    assert (waived.ok, waived.waived) == (True, True)
    assert "publish.major 2 is a new one" in waived.detail


def test_the_order_of_the_labels_is_nobodys_business_but_pairs_are() -> None:
    assert rules.same_contract(replace(CARD, labels=("good", "bad")), CARD, "v1", None).ok
    pairs = rules.same_contract(replace(CARD, pairs=True), CARD, "v1", None)
    assert not pairs.ok
    assert "it takes a pair of texts, v1 takes a text" in pairs.detail


def test_another_task_is_another_contract() -> None:
    ratings = CARD.answering(Regression(mean=3.0))

    check = rules.same_contract(ratings, CARD, "v1.3.0", major=1)

    assert not check.ok
    assert check.detail == (
        "its task is regression, that of v1.3.0 is classification: "
        "raise publish.major, so that whoever asks it knows"
    )
    assert (check.observed, check.limit) == ("regression", "bad, good")
    assert rules.same_contract(ratings, ratings, "v1.3.0", major=1).ok


def test_several_tasks_are_the_same_when_each_is() -> None:
    both = {"movies": CLASSES, "stars": Regression()}
    mine = CARD.answering(MultiTask.of_heads(both))
    assert rules.comparable(mine, mine)
    assert not rules.comparable(
        mine, CARD.answering(MultiTask.of_heads({**both, "stars": CLASSES}))
    )
    assert not rules.comparable(mine, CARD)


def test_ratings_must_be_ordered_better_than_by_their_mean() -> None:
    task, truth = Regression(), ["1.0", "2.0", "3.0", "4.0"]
    given = [task.said(each) for each in ("1.0", "3.0", "2.0", "4.0")]

    constant, least = rules.absolute(
        task, scored_as(task, truth, given, 1.0, 20.0), truth, Gate(min_figure=0.9)
    )

    assert (constant.name, constant.ok, constant.limit) == ("usual answer", True, 0)
    assert constant.detail == (
        f"its {task.metric_name} on test is 0.800, the same answer to every text gives 0.000"
    )
    assert not least.ok
    assert least.detail.endswith("is 0.800, gate.min_figure asks for 0.900")


def test_what_drawing_anew_found_is_told_as_such() -> None:
    worse = Comparison(500, 0.8, 0.9, None, None, 10.0, Interval(8, 12), 0.001, "paired bootstrap")

    check = rules.significance(worse, "v1.3.0", Gate())

    assert not check.ok
    assert check.detail == (
        "of test splits drawn anew from the 500 texts, it is no worse than v1.3.0 on a share of "
        "0.001, gate.significance asks for 0.05"
    )
    told = rules.drop(Regression(), worse, "v1.3.0", Gate()).detail
    assert "it loses 10 points against v1.3.0 on 500 test texts (0.900 → 0.800)" in told


def test_a_revoked_model_is_refused_by_the_name_it_had() -> None:
    assert rules.not_revoked(None).ok
    assert reasons_of([rules.not_revoked("v1.4.0")]) == [
        "it is v1.4.0 again, which a rollback revoked"
    ]


def test_without_anything_to_compare_with_changes_are_waived_and_said_to_be() -> None:
    section = Gate()
    checks = [
        rules.same_contract(CARD, None, "", None),
        rules.drop(CLASSES, None, "", section),
        rules.significance(None, "", section),
        rules.total_drop(CLASSES, None, "", section),
        *rules.by_slice(CLASSES, None, "", section),
        *rules.slowness(None, (1.0, 0.0), "", section),
    ]

    assert verdict_of(checks) == "blessed"
    assert all(check.waived and check.kind == "change" for check in checks)
    assert {check.detail for check in checks} == {
        "no version is in production yet", "no version was ever promoted"
    }  # fmt: skip


def test_one_failing_check_is_enough() -> None:
    good = Check("a", "absolute", 1.0, 1.0, "at most", True, "fine")
    assert verdict_of([good, replace(good, ok=False, detail="not fine")]) == "refused"
    assert reasons_of([good, replace(good, ok=False, detail="not fine")]) == ["not fine"]
