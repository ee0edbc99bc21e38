from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest  # type: ignore[import-untyped]

from tasks.judging.paired import compare, mcnemar, slowdown
from tasks.measuring.statistics import holm


@pytest.mark.parametrize(
    ("lost", "won", "by_hand"),
    [
        (0, 0, 1),
        (5, 0, 1 / 32),
        (0, 5, 1),
        (4, 1, (5 + 1) / 32),
        (2, 2, (6 + 4 + 1) / 16),
        (8, 2, (45 + 10 + 1) / 1024),
    ],
)
def test_mcnemar_is_what_counting_coins_gives(lost: int, won: int, by_hand: float) -> None:
    assert mcnemar(lost, won) == by_hand


@pytest.mark.parametrize(("lost", "won"), [(30, 12), (12, 30), (2000, 1900), (9000, 1)])
def test_mcnemar_is_scipys_binomial_test(lost: int, won: int) -> None:
    theirs = binomtest(lost, lost + won, 0.5, alternative="greater").pvalue
    assert mcnemar(lost, won) == pytest.approx(theirs, rel=1e-6)


def test_holm_by_hand() -> None:
    # sorted .01 .02 .03 .04, times 4 3 2 1: .04 .06 .06 .04, none below the one before
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.6, 0.7]) == [1, 1]
    assert holm([0.02]) == [0.02]
    assert holm([]) == []


def test_a_comparison_counts_what_only_one_gets_right() -> None:
    champion = np.array([1, 1, 1, 1, 0, 0, 0, 0, 1, 1], bool)
    candidate = np.array([1, 1, 0, 0, 1, 0, 0, 0, 1, 0], bool)

    found = compare(candidate, champion, seed=1)

    assert (found.lost, found.won, found.texts) == (3, 1, 10)
    assert (found.accuracy, found.reference) == (0.4, 0.6)
    assert found.drop == pytest.approx(20)
    assert found.drop_interval.low < 20 < found.drop_interval.high
    assert found.p_value == 5 / 16


def test_a_gain_is_a_negative_drop_and_never_significant() -> None:
    worse, better = np.arange(100) < 80, np.arange(100) < 90

    found = compare(better, worse, seed=1)

    assert found.drop == pytest.approx(-10)
    assert found.p_value == 1


def test_a_slowdown_in_every_round_is_sure() -> None:
    rng = np.random.default_rng(0)
    production = rng.normal(1.0, 0.05, size=(3, 100))

    found = slowdown((2 * production).tolist(), production.tolist(), seed=1)

    assert found.ratio == pytest.approx(2)
    assert found.interval == pytest.approx((2, 2))


def test_a_slowdown_in_one_round_of_three_is_not() -> None:
    production = np.random.default_rng(0).normal(1.0, 0.05, size=(3, 100))
    moody = production * np.array([[1.0], [1.0], [5.0]])

    found = slowdown(moody.tolist(), production.tolist(), seed=1)

    assert found.interval.low < 1.1
    assert found.interval.high > 4
