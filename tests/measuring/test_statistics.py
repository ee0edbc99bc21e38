from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from tasks.measuring.statistics import (
    class_figures,
    confusion,
    drop_interval,
    latency,
    macro_f1,
    macro_f1_interval,
    median_interval,
    wilson,
)


def test_wilson_gives_the_published_bounds() -> None:
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson(10, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)


def test_no_texts_have_no_accuracy() -> None:
    with pytest.raises(ValueError, match="total: got 0"):
        wilson(0, 0)


def test_macro_f1_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(3, size=(2, 200))

    found = macro_f1(confusion(truth, predicted, 5))  # classes 3 and 4 never appear

    assert found == pytest.approx(f1_score(truth, predicted, average="macro"))


def test_figures_of_a_class() -> None:
    found = class_figures(np.array([[3, 1, 0], [2, 4, 0], [0, 0, 0]]))

    assert found.precision.tolist() == pytest.approx([3 / 5, 4 / 5, 0])
    assert found.recall.tolist() == pytest.approx([3 / 4, 4 / 6, 0])
    assert found.support.tolist() == [4, 6, 0]


def test_the_interval_of_f1_narrows_with_the_texts_and_holds_the_figure() -> None:
    few = np.array([[40, 10], [10, 40]])
    many = 25 * few
    narrow, wide = (macro_f1_interval(counts, seed=1) for counts in (many, few))

    assert wide.low < macro_f1(few) < wide.high
    assert narrow.high - narrow.low == pytest.approx((wide.high - wide.low) / 5, rel=0.25)


def test_a_paired_drop_knows_what_two_accuracies_do_not() -> None:
    right = np.arange(1000) % 5 > 0
    worse = right.copy()
    worse[[1, 2, 3, 4]] = False

    low, high = drop_interval(right, worse, seed=0)

    assert 0 <= low < 0.4 < high < 1.0
    assert drop_interval(right, right, seed=0) == (0.0, 0.0)


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
