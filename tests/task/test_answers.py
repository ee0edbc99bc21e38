"""What every kind of task says of answers: whether they are any, how far apart, whether right."""

from __future__ import annotations

import math

import pytest

from tasks.task import MultiTask, Prediction
from tasks.task.answers import Entity
from tasks.task.bio import chunks
from tasks.task.classification import Classification
from tasks.task.entities import Entities
from tasks.task.multi_label import MultiLabel
from tasks.task.regression import Regression

SIGNS = Classification(("bad", "good"))
TOPICS = MultiLabel(("art", "war"))
STARS = Regression(mean=3.0, deviation=2.0)
PLACES = Entities(("LOC",))


def classified(bad: float, good: float) -> Prediction:
    return Prediction("bad" if bad > good else "good", max(bad, good), {"bad": bad, "good": good})


def placed(*spans: tuple[int, int, float]) -> Prediction:
    return Prediction(entities=[Entity(a, b, "LOC", score, "") for a, b, score in spans])


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("O B-PER I-PER O", [(1, 3, "PER")]),
        ("O I-PER I-PER", [(1, 3, "PER")]),  # begins although nothing before it did
        ("B-PER I-LOC", [(0, 1, "PER"), (1, 2, "LOC")]),
        ("B-PER B-PER", [(0, 1, "PER"), (1, 2, "PER")]),
        ("I-LOC O I-LOC", [(0, 1, "LOC"), (2, 3, "LOC")]),
        ("O O", []),
    ],
)
def test_entities_are_those_that_seqeval_counts(
    tags: str, expected: list[tuple[int, int, str]]
) -> None:
    assert chunks(tags.split()) == expected


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (classified(0.5, 0.6), "its scores are no probabilities: [0.5, 0.6]"),
        (classified(math.nan, math.nan), "its scores are no probabilities: [nan, nan]"),
        (classified(0.5, 0.5), None),
    ],
)
def test_exclusive_classes_have_probabilities_that_sum_to_one(
    answer: Prediction, told: str | None
) -> None:
    assert SIGNS.fault(answer) == told


def test_faults_of_the_other_kinds() -> None:
    assert TOPICS.fault(Prediction(scores={"art": 0.9, "war": 0.8}, labels=("art", "war"))) is None
    assert "no probabilities" in (TOPICS.fault(Prediction(scores={"art": math.nan})) or "")
    assert STARS.fault(Prediction(value=-9.5)) is None
    assert STARS.fault(Prediction(value=math.nan)) == "its value is no number: nan"
    assert PLACES.fault(placed((0, 4, 0.9), (5, 9, 0.9))) is None
    assert "its entities are none" in (PLACES.fault(placed((0, 4, 0.9), (3, 9, 0.9))) or "")
    both = MultiTask.of_heads({"signs": SIGNS, "stars": STARS})
    answer = {"signs": classified(0.5, 0.5), "stars": Prediction(value=math.inf)}
    assert both.fault(answer) == "stars: its value is no number: inf"


def test_a_class_may_only_be_anothers_when_both_are_as_probable() -> None:
    assert SIGNS.agree(classified(0.51, 0.49), classified(0.49, 0.51), near=0.1)
    assert not SIGNS.agree(classified(0.6, 0.4), classified(0.4, 0.6), near=0.1)
    assert SIGNS.agree(classified(0.6, 0.4), classified(0.9, 0.1), near=0.1)  # bad, both times


def test_how_far_answers_are_apart() -> None:
    assert SIGNS.apart(classified(0.6, 0.4), classified(0.9, 0.1)) == pytest.approx(0.3)
    one, other = ({"art": 0.9, "war": sure} for sure in (0.2, 0.7))
    assert TOPICS.apart(Prediction(scores=one), Prediction(scores=other)) == pytest.approx(0.5)
    assert STARS.apart(Prediction(value=3.0), Prediction(value=4.0)) == 0.5  # of a deviation of 2
    assert PLACES.apart(placed((0, 4, 0.9)), placed((0, 4, 0.7))) == pytest.approx(0.2)
    assert PLACES.apart(placed((0, 4, 0.9)), placed()) == pytest.approx(0.4)
    assert PLACES.apart(placed(), placed()) == 0


def test_a_number_meets_a_label_within_half_a_deviation_or_what_is_said() -> None:
    assert STARS.meets(Prediction(value=4.0), "3.0")
    assert not STARS.meets(Prediction(value=4.1), "3.0")
    assert not STARS.meets(Prediction(value=4.0), "3.0", within=0.5)
    assert PLACES.meets(placed((0, 4, 0.6)), '[[0, 4, "LOC"]]')
    assert TOPICS.meets(Prediction(labels=("war", "art")), '["art", "war"]')


def test_what_the_pipeline_says_becomes_an_answer() -> None:
    assert SIGNS.heard({"label": "good", "score": 0.8}) == Prediction("good", 0.8)
    raw = [{"label": "war", "score": 3.0}, {"label": "art", "score": -3.0}]
    assert TOPICS.heard(raw).labels == ("war",)
    assert STARS.heard([{"label": "value", "score": 0.5}]).value == 4  # 3 + 0.5 of 2
    found = {"entity_group": "LOC", "score": 0.9, "word": "rome", "start": 3, "end": 7}
    assert PLACES.heard([found]).entities == [Entity(3, 7, "LOC", 0.9, "rome")]
    both = MultiTask.of_heads({"signs": SIGNS, "stars": STARS})
    scores = {"signs/bad": 1.0, "signs/good": 2.0, "stars/value": -0.5}
    told = both.heard([{"label": name, "score": score} for name, score in scores.items()])
    assert (told["signs"].label, told["stars"].value) == ("good", 2)
