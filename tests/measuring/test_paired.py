from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest  # type: ignore[import-untyped]

from tasks.measuring.paired import compare, mcnemar, slowdown
from tasks.measuring.statistics import holm
from tasks.task.classification import Classification
from tasks.task.multi_label import MultiLabel
from tasks.task.regression import Regression

CLASSES = Classification(("bad", "good"))


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
    champion = np.array([[1, 1, 1, 1, 0, 0, 0, 0, 1, 1]], float).T
    candidate = np.array([[1, 1, 0, 0, 1, 0, 0, 0, 1, 0]], float).T

    found = compare(CLASSES, candidate, champion, seed=1)

    assert (found.lost, found.won, found.texts) == (3, 1, 10)
    assert (found.figure, found.reference, found.test) == (0.4, 0.6, "McNemar")
    assert found.drop == pytest.approx(20)
    assert found.drop_interval.low < 20 < found.drop_interval.high
    assert found.p_value == 5 / 16


def test_a_gain_is_a_negative_drop_and_never_significant() -> None:
    worse, better = (np.arange(100)[:, None] < right for right in (80.0, 90.0))

    found = compare(CLASSES, better.astype(float), worse.astype(float), seed=1)

    assert found.drop == pytest.approx(-10)
    assert found.p_value == 1


def ratings(noise: float) -> np.ndarray:
    """Evidence of a regression: 200 ratings, and answers that are off by `noise`."""
    rng = np.random.default_rng(3)
    true = rng.normal(size=200)
    return np.stack([true, true + noise * rng.normal(size=200)], 1)


def test_ratings_are_compared_by_drawing_them_anew() -> None:
    found = compare(Regression(), ratings(0.8), ratings(0.4), seed=1)

    assert (found.lost, found.won, found.test) == (None, None, "paired bootstrap")
    assert found.drop == pytest.approx(100 * (found.reference - found.figure))
    low, high = found.drop_interval
    assert 0 < low < found.drop < high
    assert found.p_value == 1 / 1001  # worse in all of the 1,000 draws


def test_a_better_or_an_equal_model_is_never_significantly_worse() -> None:
    assert compare(Regression(), ratings(0.4), ratings(0.8), seed=1).p_value == 1
    equal = compare(Regression(), ratings(0.4), ratings(0.4), seed=1)
    assert (equal.drop, equal.drop_interval, equal.p_value) == (0, (0, 0), 1)


def test_two_noisy_models_alike_are_told_apart_by_chance_alone() -> None:
    rng = np.random.default_rng(5)
    true = rng.integers(0, 3, size=(300, 3)).astype(float)  # right, wrong, missed
    other = true[rng.permutation(300)]
    assert 0.05 < compare(MultiLabel(("a",)), true, other, seed=1).p_value <= 1


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
