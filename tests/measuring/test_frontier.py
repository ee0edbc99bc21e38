from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from tasks.measuring.frontier import Row, Target, choices, choose, speed, table
from tasks.measuring.rounds import Samples
from tasks.measuring.scores import Score
from tasks.measuring.statistics import Interval
from tasks.stage.errors import BadInput
from tasks.task.classification import Classification
from tasks.task.regression import Regression

CLASSES = Classification(("bad", "good"))
ANY = Interval(0, 1)


def scored(drop: float) -> Score:
    """What was counted says otherwise than what is expected, and has no say."""
    return Score("accuracy", 0.85 + drop / 100, ANY, {}, -drop, ANY, {})


def row(name: str, milliseconds: float, validation_drop: float, test_drop: float = 0.0) -> Row:
    samples = Samples([[milliseconds / 1000] * 3] * 2, [1000 / milliseconds] * 2)
    baseline = Samples([[0.008] * 3] * 2, [125.0] * 2)
    return Row(
        name, "finetuned", "int8", scored(validation_drop), validation_drop, scored(test_drop),
        speed(samples, baseline, seed=0), 0.3, 100, 20, 21,
    )  # fmt: skip


ROWS = [
    row("finetuned-fp32", 3.0, 0.0, 0.0),
    row("finetuned-int8", 1.0, 0.3, 0.1),
    row("small-int8", 0.5, 0.9, 2.5),
    row("tiny-int8", 0.3, 2.4, 0.2),
]


@pytest.mark.parametrize(
    ("allowed", "expected"),
    [
        (0.0, "finetuned-fp32"),
        (0.3, "finetuned-int8"),
        (1.0, "small-int8"),
        (5.0, "tiny-int8"),
    ],
)
def test_the_fastest_within_the_allowed_drop_is_chosen(allowed: float, expected: str) -> None:
    assert choose(ROWS, allowed, CLASSES).name == expected


def test_what_each_of_several_budgets_would_ship_is_told() -> None:
    budgets = {"none": -1.0, "some": 0.3, "more": 5.0}
    assert choices(ROWS, budgets, CLASSES) == {
        "none": None, "some": "finetuned-int8", "more": "tiny-int8",
    }  # fmt: skip
    quick = Target(speedup=10)
    assert choices(ROWS, budgets, CLASSES, quick) == {
        "none": None, "some": None, "more": "tiny-int8",
    }  # fmt: skip


def test_speed_on_other_hardware_has_no_say() -> None:
    absent = [replace(each, stand_in="a CPU in place of a GPU") for each in ROWS]
    sizes = dict(zip((each.name for each in ROWS), (90, 23, 12, 30), strict=True))
    absent = [replace(each, weights_mb=sizes[each.name]) for each in absent]
    assert choose(absent, 5.0, CLASSES).name == "small-int8", "the smallest, not the fastest"
    assert choose(absent, 0.5, CLASSES).name == "finetuned-int8"
    assert choose([ROWS[0], *absent[1:]], 5.0, CLASSES).name == "finetuned-fp32"
    with pytest.raises(BadInput, match=r"min_speedup: got 2; .* a CPU in place of a GPU"):
        choose(absent, 5.0, CLASSES, Target(speedup=2.0))
    assert choose(absent, 5.0, CLASSES, Target(megabytes=40)).name == "small-int8"


def test_test_figures_have_no_say() -> None:
    scores = [each.test for each in ROWS]
    for order in itertools.permutations(scores):
        swapped = [replace(each, test=test) for each, test in zip(ROWS, order, strict=True)]
        assert choose(swapped, 1.0, CLASSES).name == "small-int8"


def test_what_is_expected_by_validation_decides() -> None:
    swapped = [replace(each, expected_drop=0.0) for each in ROWS]
    assert choose(swapped, 1.0, CLASSES).name == "tiny-int8"


def test_a_drop_of_exactly_the_limit_is_within_it() -> None:
    assert choose([row("edge", 1.0, 0.1 + 0.2)], 0.3, CLASSES).name == "edge"


def test_equal_speed_is_decided_by_name() -> None:
    assert choose([row("b", 1.0, 0), row("a", 1.0, 0)], 1.0, CLASSES).name == "a"


def test_when_none_may_ship_the_error_shows_them_all() -> None:
    with pytest.raises(BadInput) as error:
        choose(ROWS[2:], 0.5, CLASSES)
    assert "0.5 points of validation accuracy" in str(error.value)
    assert "small-int8" in str(error.value)
    assert "tiny-int8" in str(error.value)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (Target(speedup=8), "small-int8"),
        (Target(speedup=2, megabytes=20), "small-int8"),
        (Target(megabytes=19), "frugal"),
    ],
)
def test_what_misses_the_target_is_passed_over(target: Target, expected: str) -> None:
    frugal = replace(row("frugal", 5.0, 0.1), weights_mb=19.0)
    assert choose([*ROWS, frugal], 1.0, CLASSES, target).name == expected


def test_a_target_that_is_met_exactly_is_met() -> None:
    assert choose([row("edge", 1.0, 0)], 1.0, CLASSES, Target(speedup=8, megabytes=20))


def test_a_target_out_of_reach_names_what_comes_nearest_and_what_would_reach_it() -> None:
    rows = [row("slow", 4.0, 0.0), row("quick", 1.0, 0.9), row("tiny", 0.4, 2.5)]
    with pytest.raises(BadInput) as error:
        choose(rows, 1.0, CLASSES, Target(speedup=20))
    told = str(error.value)
    assert "none within 1 points of validation accuracy reaches benchmark.min_speedup of 20" in told
    assert "quick comes nearest, 8.0 times as fast as the baseline and 20.0 MB" in told
    assert "tiny reaches it and loses 2.50 points" in told
    with pytest.raises(BadInput, match="none reaches it at any loss"):
        choose(rows, 1.0, CLASSES, Target(speedup=20, megabytes=10))


def test_ratios_are_taken_round_by_round() -> None:
    slow_machine_in_round_two = Samples([[0.001], [0.002], [0.001]], [100.0, 50.0, 90.0])
    baseline = Samples([[0.008], [0.016], [0.010]], [10.0, 5.0, 10.0])
    found = speed(slow_machine_in_round_two, baseline, seed=0)

    assert found.speedup.median == pytest.approx(8)
    assert (found.speedup.lowest, found.speedup.highest) == pytest.approx((8, 10))
    assert found.throughput_speedup.median == pytest.approx(10)
    assert found.latency.mean == pytest.approx(1.0)


def test_a_correlation_is_no_percentage() -> None:
    assert "85.00 %" in table(ROWS, CLASSES)
    assert " 0.850" in table(ROWS, Regression())
    assert "%" not in table(ROWS, Regression())
