from __future__ import annotations

import pytest

from tasks.measuring.contender import Text
from tasks.measuring.scores import classes, confusion_counts, each_class, score, worst
from tasks.task import MultiTask, Prediction, Task
from tasks.task.classification import Classification
from tasks.task.entities import Entities
from tasks.task.multi_label import MultiLabel
from tasks.task.regression import Regression

TRUTH = ["good", "good", "bad", "bad", "bad"]
GIVEN = ["good", "bad", "bad", "bad", "good"]
CLASSES = Classification(("bad", "good"))
TOPICS = MultiLabel(("art", "war"))
STARS = Regression(mean=2.5, deviation=1.0)
PEOPLE = Entities(("LOC", "PER"))


def said(task: Task, *labels: str) -> list[Prediction]:
    """Answers that say what labels of the dataset say."""
    return [task.said(label) for label in labels]


def test_a_score_beside_its_reference() -> None:
    given, right = said(CLASSES, *GIVEN), said(CLASSES, *TRUTH)
    found = score(CLASSES, TRUTH, given, right, seed=0)

    assert found.metric == "accuracy"
    assert found.figure == pytest.approx(0.6)
    assert found.heads == {}
    # bad: 2 right, 1 wrong, 1 missed; good: 1, 1, 1
    assert found.others == pytest.approx({"accuracy": 0.6, "macro_f1": (4 / 6 + 2 / 4) / 2})
    assert found.interval == pytest.approx((0.2307, 0.8824), abs=1e-4)  # Wilson's of 3 in 5
    assert found.drop == pytest.approx(40)
    assert found.drop_interval.low >= 0
    assert score(CLASSES, TRUTH, right, given, seed=0).drop == pytest.approx(-40)


def test_a_label_nobody_has_seen_is_a_mistake_not_an_error() -> None:
    given = said(CLASSES, "good", "good")
    found = score(CLASSES, ["good", "odd"], given, given, seed=0)

    assert found.figure == 0.5
    assert [each["label"] for each in each_class(CLASSES, ["good", "odd"], given)] == [
        "good",
        "odd",
    ]


def test_ratings_are_scored_by_their_order() -> None:
    truth = ["1.0", "2.0", "3.0", "4.0"]
    given, right = said(STARS, "1.5", "3.5", "2.5", "4.5"), said(STARS, *truth)

    found = score(STARS, truth, given, right, seed=0)

    assert found.metric == "spearman"
    assert found.figure == pytest.approx(1 - 6 * 2 / (4 * 15))  # two ranks are off by one
    assert found.drop == pytest.approx(20)
    assert found.others["mean_absolute_error"] == pytest.approx((0.5 + 1.5 + 0.5 + 0.5) / 4)
    assert found.interval.low <= found.figure <= found.interval.high == 1
    assert found.drop_interval.low == 0 < found.drop_interval.high


def test_sets_of_labels_are_scored_label_by_label() -> None:
    truth = ['["art"]', '["art", "war"]', "[]"]
    given = said(TOPICS, '["art"]', '["art"]', '["war"]')

    found = score(TOPICS, truth, given, given, seed=0)

    assert found.figure == pytest.approx(2 * 2 / (2 * 2 + 1 + 1))  # 2 right, 1 wrong, 1 missed
    assert (found.drop, found.drop_interval) == (0, (0, 0))
    assert found.others["exact"] == pytest.approx(1 / 3)
    assert each_class(TOPICS, truth, given) == [
        {"label": "art", "precision": 1.0, "recall": 1.0, "f1": 1.0, "texts": 2},
        {"label": "war", "precision": 0.0, "recall": 0.0, "f1": 0.0, "texts": 1},
    ]


def test_an_entity_is_right_when_it_is_whole() -> None:
    truth = ['[[0, 4, "PER"], [8, 12, "LOC"]]', '[[0, 4, "LOC"]]']
    given = said(PEOPLE, '[[0, 4, "PER"], [8, 11, "LOC"]]', '[[0, 4, "PER"]]')

    found = score(PEOPLE, truth, given, said(PEOPLE, *truth), seed=0)

    assert found.figure == pytest.approx(2 * 1 / (2 * 1 + 2 + 2))
    assert found.drop == pytest.approx(100 * (1 - 1 / 3))
    assert found.others["precision"] == pytest.approx(1 / 3)
    people = each_class(PEOPLE, truth, given)[1]
    assert (people["label"], people["precision"], people["recall"]) == ("PER", 0.5, 1.0)


def test_several_tasks_are_scored_each_and_together() -> None:
    task = MultiTask.of_heads({"movies": CLASSES, "stars": STARS})
    truth = task.truths(["good", "1.0", "bad", "2.0"], ["movies", "stars", "movies", "stars"])
    answers = [{"movies": CLASSES.said("good"), "stars": STARS.said(value)}
               for value in ("9.0", "1.0", "9.0", "2.0")]  # fmt: skip

    found = score(task, truth, answers, answers, seed=0)

    assert found.figure == pytest.approx((0.5 + 1) / 2)
    assert {name: each.figure for name, each in found.heads.items()} == pytest.approx(
        {"movies": 0.5, "stars": 1}
    )
    assert (found.others["movies_accuracy"], found.others["stars_spearman"]) == (0.5, 1)


def test_confusion_has_truths_in_rows() -> None:
    assert classes(TRUTH, GIVEN) == ["bad", "good"]
    assert confusion_counts(TRUTH, GIVEN) == [[2, 1], [1, 1]]


def test_precision_recall_and_f1_of_each_class() -> None:
    found = each_class(CLASSES, TRUTH, said(CLASSES, *GIVEN))[1]
    assert found == {"label": "good", "precision": 0.5, "recall": 0.5, "f1": 0.5, "texts": 2}


def test_the_surest_mistakes_come_first() -> None:
    texts: list[Text] = ["a", "b", "c", "d", ("e", "f")]
    sure = zip(GIVEN, [0.9, 0.6, 0.9, 0.9, 0.8], strict=True)
    answers = [Prediction(label, score) for label, score in sure]

    found = worst(CLASSES, texts, TRUTH, answers, count=5)

    assert [each["text"] for each in found] == ["e | f", "b"]
    assert found[0] == {"text": "e | f", "truth": "bad", "predicted": "good", "score": 0.8}
    assert len(worst(CLASSES, texts, TRUTH, answers, count=1)) == 1


def test_the_largest_errors_come_first() -> None:
    found = worst(STARS, ["a", "b", "c"], ["1.0", "2.0", "3.0"], said(STARS, "1.5", "2", "1"), 9)
    assert found == [
        {"text": "c", "truth": 3.0, "predicted": 1.0, "wrong": 2.0},
        {"text": "a", "truth": 1.0, "predicted": 1.5, "wrong": 0.5},
    ]


def test_texts_with_most_wrong_come_first() -> None:
    truth = ["[]", '["art", "war"]']
    found = worst(TOPICS, ["a", "b"], truth, said(TOPICS, '["art"]', "[]"), 9)
    assert found[0] == {"text": "b", "truth": ["art", "war"], "predicted": [], "wrong": 2}
    assert [each["text"] for each in found] == ["b", "a"]
    (spans,) = worst(PEOPLE, ["Rome"], ['[[0, 4, "LOC"]]'], said(PEOPLE, '[[0, 4, "PER"]]'), 9)
    assert (spans["predicted"], spans["wrong"]) == ([[0, 4, "PER"]], 2)
