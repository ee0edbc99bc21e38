"""Points that are expected, beside those that are counted, of models whose worth is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit  # type: ignore[import-untyped]

from tasks.measuring.expected import expected_drop
from tasks.measuring.scores import expected, score
from tasks.task import Prediction
from tasks.task.classification import Classification
from tasks.task.regression import Regression

TEXTS, DRAWS = 1000, 40


def both(logits: np.ndarray) -> np.ndarray:
    right = expit(logits)
    return np.stack([1 - right, right], axis=1)


def drawn(texts: int, noise: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True classes, and what a model and a reference say that each see them through noise.

    Both are twice as sure as they should be, as fine-tuned models are.
    """
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2.5, texts)
    truth = (rng.random(texts) < expit(logits)).astype(np.int64)
    seen = [2 * (logits + rng.normal(0, each, texts)) for each in (noise, 0.7)]
    return truth, both(seen[0]), both(seen[1])


def counted(truth: np.ndarray, answers: np.ndarray, reference: np.ndarray) -> float:
    right = [(each.argmax(1) == truth).mean() for each in (reference, answers)]
    return 100 * float(right[0] - right[1])


@pytest.mark.parametrize(
    ("noise", "spread"),
    [(0.3, 0.65), (0.7, 0.65), (0.9, 0.75), (4.0, 0.95)],
    ids=["1.4 points better", "equal", "1 point worse", "15 points worse"],
)
def test_it_is_what_counting_comes_to_in_the_mean_with_less_luck(
    noise: float, spread: float
) -> None:
    truly = counted(*drawn(400_000, noise, seed=99))
    samples = [drawn(TEXTS, noise, seed) for seed in range(DRAWS)]
    told = np.array([expected_drop(*each) for each in samples])
    by_counting = np.array([counted(*each) for each in samples])
    assert abs(told.mean() - truly) < 0.35
    assert told.std() < spread * by_counting.std()


def test_models_that_answer_alike_lose_nothing() -> None:
    truth, _, reference = drawn(50, 1.0, seed=1)
    surer = reference**3 / (reference**3).sum(1, keepdims=True)
    assert expected_drop(truth, surer, reference) == 0


def test_a_few_texts_that_are_all_right_are_no_certainty() -> None:
    truth = np.array([1, 1, 0, 0])
    reference = both(np.array([3.0, 0.1, -3.0, -3.0]))
    answers = both(np.array([3.0, -0.1, -3.0, -3.0]))
    assert 0 <= expected_drop(truth, answers, reference) < counted(truth, answers, reference) == 25


def test_what_is_none_of_the_classes_says_nothing() -> None:
    truth, answers, reference = drawn(400, 2.0, seed=2)
    known = expected_drop(truth, answers, reference)
    truth, answers, reference = (
        np.concatenate([each, more])
        for each, more in ((truth, np.full(400, -1)), (answers, answers), (reference, reference))
    )
    assert expected_drop(truth, answers, reference) == pytest.approx(known / 2)
    assert expected_drop(np.full(800, -1), answers, reference) == 0


def test_an_answer_with_one_class_alone_leaves_the_rest_to_the_others() -> None:
    task = Classification(("a", "b", "c"))
    scores = [{"a": 0.5, "b": 0.3, "c": 0.2}, {"a": 0.1, "b": 0.8, "c": 0.1}]
    full = [Prediction("a", 0.5, scores[0]), Prediction("b", 0.8, scores[1])]
    bare = [Prediction("c", 0.4), Prediction("b", 0.8)]
    truth = ["c", "b"]
    found = expected(task, truth, full, bare)
    numbers = np.array([2, 1])
    answers = np.array([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1]])
    reference = np.array([[0.3, 0.3, 0.4], [0.1, 0.8, 0.1]])
    assert found == pytest.approx(expected_drop(numbers, answers, reference))
    assert 0 < found < score(task, truth, full, bare, seed=0).drop == 50


def test_a_model_that_knows_other_classes_is_asked_for_those_there_are() -> None:
    task = Classification(("a", "b", "c"))
    answers = [Prediction("a", 0.9, {"a": 0.9, "z": 0.1}), Prediction("z", 0.6)]
    reference = [Prediction("a", 0.9), Prediction("c", 0.5)]
    truth = ["a", "c"]
    counted = score(task, truth, answers, reference, seed=0).drop
    assert 0 < expected(task, truth, answers, reference) < counted == 50


def test_of_numbers_what_is_counted_is_expected() -> None:
    task = Regression(mean=2.5, deviation=1.0)
    truth = ["1.0", "2.0", "3.0", "4.0"]
    given, right = ([task.said(each) for each in said] for said in (truth[::-1], truth))
    counted = score(task, truth, given, right, seed=0).drop
    assert expected(task, truth, given, right) == counted == pytest.approx(200)
