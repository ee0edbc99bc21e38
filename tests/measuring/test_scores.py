from __future__ import annotations

import pytest

from tasks.measuring.contender import Text
from tasks.measuring.scores import classes, confusion_counts, each_class, score, worst

TRUTH = ["good", "good", "bad", "bad", "bad"]
GIVEN = ["good", "bad", "bad", "bad", "good"]


def test_a_score_beside_its_reference() -> None:
    found = score(TRUTH, GIVEN, TRUTH, seed=0)

    assert found.accuracy == pytest.approx(0.6)
    assert found.drop == pytest.approx(40)
    assert found.drop_interval.low >= 0
    assert score(TRUTH, TRUTH, GIVEN, seed=0).drop == pytest.approx(-40)


def test_a_label_nobody_has_seen_is_a_mistake_not_an_error() -> None:
    found = score(["good", "odd"], ["good", "good"], ["good", "good"], seed=0)

    assert found.accuracy == 0.5
    assert [each["label"] for each in each_class(["good", "odd"], ["good", "good"])] == [
        "good",
        "odd",
    ]


def test_confusion_has_truths_in_rows() -> None:
    assert classes(TRUTH, GIVEN) == ["bad", "good"]
    assert confusion_counts(TRUTH, GIVEN) == [[2, 1], [1, 1]]


def test_the_surest_mistakes_come_first() -> None:
    texts: list[Text] = ["a", "b", "c", "d", ("e", "f")]
    answers = list(zip(GIVEN, [0.9, 0.6, 0.9, 0.9, 0.8], strict=True))

    found = worst(texts, TRUTH, answers, count=5)

    assert [each["text"] for each in found] == ["e | f", "b"]
    assert found[0] == {"text": "e | f", "truth": "bad", "predicted": "good", "score": 0.8}
    assert len(worst(texts, TRUTH, answers, count=1)) == 1
