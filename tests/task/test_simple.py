"""What each kind of task can do without a transformer."""

from __future__ import annotations

import json

import pytest

from tasks.task import MultiTask
from tasks.task.classification import Classification
from tasks.task.entities import Entities
from tasks.task.multi_label import MultiLabel
from tasks.task.regression import Regression

SIGNS = Classification(("+", "-"))
STARS = Regression(mean=3.0, deviation=2.0)


def test_the_usual_class_is_the_most_frequent_and_on_a_tie_the_first() -> None:
    assert SIGNS.usual(["b", "a", "b"]).label == "b"
    assert SIGNS.usual(["b", "a"]).label == "a"


def test_the_usual_answer_of_every_other_kind() -> None:
    topics = MultiLabel(("art", "war"))
    assert topics.usual(["[]", '["art", "war"]', '["art", "war"]']).labels == ("art", "war")
    assert STARS.usual(["1.0", "2.0", "6.0"]).value == 3
    assert Entities(("LOC",)).usual(['[[0, 4, "LOC"]]']).entities == []


def test_tfidf_learns_words() -> None:
    train = ["fine film", "good film", "dull film", "bad film"] * 5, ["+", "+", "-", "-"] * 5
    test = ["so dull", ("a", "fine one")], ["-", "+"]

    validation, told = SIGNS.learned(train, (["good", "bad"], ["+", "-"]), test)

    assert [answer.label for answer in validation] == ["+", "-"]
    assert [answer.label for answer in told] == ["-", "+"]


def test_tfidf_learns_a_script_without_spaces() -> None:
    train = ["电影很好看", "真的好看", "电影很难看", "真的难看"] * 5, ["+", "+", "-", "-"] * 5
    test = ["这部难看", "这部好看"], ["-", "+"]

    assert [each.label for each in SIGNS.learned(train, (["好看"], ["+"]), test)[1]] == ["-", "+"]


def test_a_class_at_a_time_where_several_may_hold() -> None:
    task = MultiLabel(("always", "art", "war"))
    texts = ["painters paint", "soldiers fight", "soldiers paint", "nothing at all"] * 5
    labels = [["always", "art"], ["always", "war"], ["always", "art", "war"], ["always"]] * 5
    train = texts, [json.dumps(each) for each in labels]
    new = ["they paint", "they fight"], ['["always", "art"]', '["always", "war"]']

    _, told = task.learned(train, new, new)

    assert [answer.labels for answer in told] == [("always", "art"), ("always", "war")]


def test_ridge_regression_gives_numbers_in_the_labels_unit() -> None:
    train = ["fine film", "dull film"] * 10, ["5.0", "1.0"] * 10
    validation, (fine, dull) = STARS.learned(
        train, (["fine"], ["5.0"]), (["fine", "dull"], ["", ""])
    )
    assert validation == [fine]
    assert fine.value == pytest.approx(5, abs=0.8)
    assert dull.value == pytest.approx(1, abs=0.8)


def test_a_lexicon_knows_the_words_it_has_seen() -> None:
    task = Entities(("LOC", "PER"))
    train = ["Ada lives in New York.", "New York, says Ada", "an old York"], [
        '[[0, 3, "PER"], [13, 21, "LOC"]]', '[[0, 8, "LOC"], [15, 18, "PER"]]', "[]"
    ]  # fmt: skip
    text = "In New York, Bob met Ada"

    _, (told,) = task.learned(train, ([], []), ([text], ["[]"]))

    found = told.entities or []
    assert [(each.text, each.label) for each in found] == [
        ("New York", "LOC"),
        ("Ada", "PER"),
    ]
    assert found[1].score == pytest.approx(1)


def test_each_of_several_tasks_has_a_simple_model_of_its_own() -> None:
    task = MultiTask.of_heads({"signs": SIGNS, "stars": STARS})
    texts = ["fine film", "dull film", "fine film", "dull film"] * 5
    train = (
        texts,
        task.truths(["+", "-", "1.0", "5.0"] * 5, ["signs", "signs", "stars", "stars"] * 5),
    )
    test = ["fine", "fine"], task.truths(["+", "1.0"], ["signs", "stars"])

    _, told = task.learned(train, test, test)

    assert told[0] == {"signs": SIGNS.said("+")}
    assert told[1]["stars"].value == pytest.approx(1, abs=0.8)
    assert task.figure(task.evidence(test[1], told)) == 0.5  # one rating has no order
    assert set(task.usual(train[1])) == {"signs", "stars"}
