from __future__ import annotations

import numpy as np
import pytest

from tasks.measuring.statistics import (
    FEWEST_RESAMPLES,
    RESAMPLES,
    bounds,
    drop_interval,
    latency,
    median_interval,
    redrawn,
    wilson,
)
from tasks.task.classification import Classification
from tasks.task.multi_label import MultiLabel
from tasks.task.regression import Regression


def test_wilson_gives_the_published_bounds() -> None:
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson(10, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)


def test_no_texts_have_no_accuracy() -> None:
    with pytest.raises(ValueError, match="total: got 0"):
        wilson(0, 0)


def test_a_paired_drop_knows_what_two_accuracies_do_not() -> None:
    right = np.arange(1000) % 5 > 0
    worse = right.copy()
    worse[[1, 2, 3, 4]] = False

    low, high = drop_interval(right, worse, seed=0)

    assert 0 <= low < 0.4 < high < 1.0
    assert drop_interval(right, right, seed=0) == (0.0, 0.0)


def test_drawing_anew_gives_the_interval_that_a_formula_has() -> None:
    right = (np.arange(400) < 300).astype(float)[:, None]

    drawn = redrawn(Classification(("a", "b")).figure, [right], seed=1)

    assert drawn.shape == (RESAMPLES, 1)
    assert bounds(drawn[:, 0]) == pytest.approx(wilson(300, 400), abs=0.01)


def test_the_same_texts_are_drawn_for_both_models() -> None:
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 3, size=(100, 3)).astype(float)
    both = redrawn(MultiLabel(("a",)).figure, [counts, counts], seed=1)
    assert (both[:, 0] == both[:, 1]).all()
    assert both[:, 0].std() > 0


def test_the_interval_of_a_rank_correlation_narrows_with_the_texts() -> None:
    rng = np.random.default_rng(0)
    pairs = rng.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], size=900)
    few, many = (bounds(redrawn(Regression().figure, [rows], seed=1)[:, 0])
                 for rows in (pairs[:100], pairs))  # fmt: skip

    assert few.low < many.low < Regression().figure(pairs) < many.high < few.high
    assert few.high - few.low == pytest.approx(3 * (many.high - many.low), rel=0.35)


def test_the_more_texts_the_fewer_draws() -> None:
    def mean(rows: np.ndarray) -> float:
        return float(rows.mean())

    sizes = [len(redrawn(mean, [np.zeros((count, 1))], seed=0)) for count in (10, 2000, 20_000)]
    assert sizes == [RESAMPLES, 500, FEWEST_RESAMPLES]


def test_latency_percentiles_are_those_of_all_samples() -> None:
    found = latency([[float(i) for i in range(101)]], seed=0)

    assert (found.p50, found.p90, found.p99) == (50.0, 90.0, 99.0)
    assert found.interval.low < 50 < found.interval.high


def test_rounds_that_differ_make_the_median_less_sure() -> None:
    rng = np.random.default_rng(0)
    steady = rng.normal(10, 0.1, size=(5, 200))
    moody = steady + np.array([[0], [1], [2], [3], [4]])
    sure, unsure = (latency(rounds.tolist(), seed=0).interval for rounds in (steady, moody))

    assert unsure.high - unsure.low > 10 * (sure.high - sure.low)


def test_the_median_of_rounds_lies_in_its_interval_and_is_seeded() -> None:
    samples = [100.0, 110.0, 90.0, 105.0, 95.0]

    assert median_interval(samples, seed=3) == median_interval(samples, seed=3)
    low, high = median_interval(samples, seed=3)
    assert 90 <= low < 100 < high <= 110
