"""Every test statistic is held against its promise: few false alarms, and it sees what is there."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import chi2_contingency, ks_2samp  # type: ignore[import-untyped]

from tasks.drift.distances import (
    lengths_differ,
    psi,
    shares_differ,
    told_apart,
    words_differ,
)
from tasks.measuring.statistics import holm

Counts = npt.NDArray[np.int64]
ROUNDS = 200


def drawn(random: np.random.Generator, rows: int, shares: list[float]) -> Counts:
    return random.multinomial(rows, shares)


def test_psi_is_0_for_equal_shares_and_known_for_others() -> None:
    assert psi(np.array([500, 500]), np.array([5000, 5000])) == pytest.approx(0, abs=1e-9)
    wanted = 0.2 * np.log(0.6 / 0.4) * 2
    assert psi(np.array([6000, 4000]), np.array([4000, 6000])) == pytest.approx(wanted, rel=1e-3)


def test_the_p_value_of_shares_is_that_of_the_chi_square_test() -> None:
    now, then = np.array([30, 50, 20]), np.array([250, 500, 250])
    wanted = chi2_contingency([now, then], correction=False).pvalue
    assert shares_differ(now, then).p == pytest.approx(wanted)


def test_shares_by_chance_have_no_effect() -> None:
    random = np.random.default_rng(1)
    found = [
        shares_differ(drawn(random, 120, [0.05] * 20), drawn(random, 9000, [0.05] * 20))
        for _ in range(ROUNDS)
    ]
    assert np.mean([each.p < 0.05 for each in found]) < 0.1
    assert np.mean([each.effect for each in found]) < 0.05  # 0.16 by chance alone


def test_a_class_that_nobody_had_is_a_large_effect() -> None:
    found = shares_differ(np.array([60, 60, 60]), np.array([500, 500, 0]))
    assert found.effect > 0.5
    assert found.p < 1e-9


def test_one_class_cannot_differ() -> None:
    assert shares_differ(np.array([5, 0]), np.array([9, 0])) == (0.0, 1.0)


def test_lengths_are_tested_as_kolmogorov_and_smirnov_do() -> None:
    random = np.random.default_rng(2)
    then, now = random.integers(0, 40, 800), random.integers(3, 43, 200)
    found = lengths_differ(np.bincount(now, minlength=50), np.bincount(then, minlength=50))
    assert found.p == pytest.approx(ks_2samp(now, then, method="asymp").pvalue, rel=0.3)


def test_longer_texts_are_seen_and_equal_ones_are_not() -> None:
    random = np.random.default_rng(3)
    then = np.bincount(random.poisson(20, 5000), minlength=80)
    same = [
        lengths_differ(np.bincount(random.poisson(20, 100), minlength=80), then)
        for _ in range(ROUNDS)
    ]
    assert np.mean([each.p < 0.05 for each in same]) < 0.1
    longer = lengths_differ(np.bincount(random.poisson(30, 100), minlength=80), then)
    assert longer.effect > 0.5
    assert longer.p < 1e-9


def texts(
    random: np.random.Generator, rows: int, shares: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Word counts of texts that repeat themselves: each word of five comes three times."""
    return np.asarray(3 * random.multinomial(5, shares, size=rows), np.float64)


def test_words_that_come_in_texts_give_no_false_alarms() -> None:
    random = np.random.default_rng(4)
    shares = random.dirichlet([0.5] * 100)
    then = texts(random, 3000, shares)
    found = [words_differ(texts(random, 100, shares), then.sum(axis=0), 3000)
             for _ in range(ROUNDS)]  # fmt: skip
    assert np.mean([each.p < 0.05 for each in found]) < 0.1
    assert np.mean([each.effect for each in found]) < 0.1
    naive = [
        chi2_contingency(
            [counts.sum(axis=0)[used], then.sum(axis=0)[used]], correction=False
        ).pvalue
        for counts in (texts(random, 100, shares) for _ in range(20))
        for used in [(counts.sum(axis=0) + then.sum(axis=0)) > 0]
    ]
    assert np.mean([p < 0.05 for p in naive]) > 0.5  # words taken one by one: always an alarm


def test_other_words_are_seen() -> None:
    random = np.random.default_rng(5)
    shares = random.dirichlet([0.5] * 100)
    then = texts(random, 3000, shares)
    found = words_differ(texts(random, 60, shares[::-1]), then.sum(axis=0), 3000)
    assert found.effect > 0.5
    assert found.p < 1e-6


@pytest.mark.parametrize("now", [np.zeros((50, 4)), np.ones((1, 4))])
def test_texts_that_say_nothing_are_no_error(now: npt.NDArray[np.float64]) -> None:
    assert words_differ(now, np.array([5, 5, 5, 5]), 10).p == 1.0


def test_texts_of_a_single_word_are_seen() -> None:
    now = np.tile([1.0, 0, 0, 0], (50, 1))
    assert words_differ(now, np.array([50, 50, 50, 50]), 100).p == 0
    assert words_differ(now, np.array([500, 0, 0, 0]), 100).p == 1


@pytest.mark.parametrize("rows", [60, 300])
def test_vectors_of_one_kind_are_not_told_apart(rows: int) -> None:
    random = np.random.default_rng(rows)
    found = [
        told_apart(random.normal(size=(rows, 16)), random.normal(size=(300, 16)), seed)
        for seed in range(100)
    ]
    assert np.mean([each.p < 0.05 for each in found]) <= 0.1
    assert np.mean([each.effect for each in found]) < 0.03


def test_vectors_of_another_kind_are_told_apart() -> None:
    random = np.random.default_rng(6)
    then = random.normal(size=(600, 8))
    found = told_apart(random.normal(0.7, size=(100, 8)), then, 0)
    assert found.effect > 0.25
    assert found.p < 1e-9


def test_texts_in_both_samples_raise_no_alarm() -> None:
    then = np.random.default_rng(7).normal(size=(300, 8))
    found = told_apart(then, then, 0)
    assert found.effect == 0
    assert found.p > 0.5


def test_holm_corrects_for_the_number_of_tests() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []
