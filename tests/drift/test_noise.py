"""The estimate of wrong labels keeps its promises, and what a night's size lets it see."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.drift.agreement import LEVEL, SUSPICION
from tasks.drift.noise import Answers, Noise, expected_agreement, merged, noise

RIGHT = np.array([0.55, 0.63, 0.71, 0.79, 0.87, 0.93, 0.965])
"""How often a model of 83 % accuracy is right, by bins of its confidence."""
SURE = np.array([0.07, 0.09, 0.11, 0.14, 0.18, 0.20, 0.21])
TEST_ROWS = 1_057


def answers(
    random: np.random.Generator, rows: int, wrong: float = 0.0, classes: int = 2
) -> Answers:
    """A night whose labels were replaced by another class with the probability `wrong`."""
    bins = random.choice(len(SURE), rows, p=SURE)
    right = random.random(rows) < RIGHT[bins]
    replaced = random.random(rows) < wrong
    hits = random.random(rows) < 1 / (classes - 1)
    agreed = np.where(replaced, ~right & hits, right)
    counts = [np.bincount(bins[side], minlength=len(SURE)) for side in (agreed, ~agreed)]
    return Answers(*(each.astype(np.float64) for each in counts))


def estimates(rows: int, wrong: float, rounds: int, classes: int = 2) -> list[Noise]:
    random = np.random.default_rng(rows)
    return [
        noise(answers(random, TEST_ROWS), answers(random, rows, wrong, classes), classes, LEVEL)
        for _ in range(rounds)
    ]


def test_the_model_that_the_tests_are_about_is_right_in_83_percent() -> None:
    assert (RIGHT * SURE).sum() == pytest.approx(0.83, abs=0.005)


@pytest.mark.parametrize("rows", [150, 600])
def test_clean_nights_raise_no_alarm(rows: int) -> None:
    found = estimates(rows, 0.0, 250)
    assert np.mean([each.at_least > 0 for each in found]) <= 0.012
    assert np.mean([each.p < SUSPICION for each in found]) < 0.06


@pytest.mark.parametrize(
    ("rows", "wrong", "certain", "suspected"),
    [(150, 0.1, 0.38, 0.62), (300, 0.1, 0.65, 0.85), (600, 0.1, 0.9, 0.95), (150, 0.5, 1.0, 1.0)],
)
def test_wrong_labels_are_found(rows: int, wrong: float, certain: float, suspected: float) -> None:
    found = estimates(rows, wrong, 100)
    assert np.mean([each.share for each in found]) == pytest.approx(wrong, abs=0.02)
    assert np.mean([each.at_least > 0 for each in found]) >= certain
    assert np.mean([each.p < SUSPICION for each in found]) >= suspected
    assert np.mean([each.at_least <= wrong for each in found]) >= 0.98


def test_with_many_classes_a_wrong_label_rarely_agrees() -> None:
    found = estimates(300, 0.1, 60, classes=20)
    assert np.mean([each.share for each in found]) == pytest.approx(0.1, abs=0.02)


def test_harder_texts_are_no_wrong_labels() -> None:
    """More texts that the model is unsure of: it disagrees more often, as it says itself."""
    random = np.random.default_rng(8)
    then = answers(random, 20_000)
    now = Answers(*(side * np.array([4, 3, 2, 1, 1, 0.5, 0.3]) for side in answers(random, 20_000)))
    assert now.agreed.sum() / (now.agreed + now.differed).sum() < 0.78
    assert noise(then, now, 2, LEVEL).at_least == 0
    agreement = now.agreed.sum() / (now.agreed + now.differed).sum()
    assert expected_agreement(then, now) == pytest.approx(agreement, abs=0.01)


def test_bins_are_joined_until_each_says_something() -> None:
    then = Answers(np.array([5.0, 5, 40, 0, 90, 3]), np.array([1.0, 0, 20, 0, 10, 2]))
    now = Answers(np.array([1.0, 2, 3, 4, 5, 6]), np.zeros(6))
    joined, with_it = merged(then, now)
    assert joined.agreed.tolist() == [50, 93]
    assert joined.differed.tolist() == [21, 12]
    assert with_it.agreed.tolist() == [6, 15]
