"""Copies of texts whose labels stay true."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest

from tasks.data.dataset import Examples
from tasks.task import MultiTask
from tasks.task.classification import Classification
from tasks.task.entities import Entities
from tasks.training.rewriting import mistype, rewritten, words_of

TEXT = "Ada Lovelace met Charles Babbage in London, and in  Paris she wrote."
SPANS = [(0, 12, "PER"), (17, 32, "PER"), (36, 42, "LOC"), (52, 57, "LOC")]
LABEL = json.dumps(SPANS)
PEOPLE = Entities(("LOC", "PER"))
MOOD = Classification(("bad", "good"))


@dataclass(frozen=True)
class How:
    copies: int = 1
    drop: float = 0.0
    swap: float = 0.0
    case: float = 0.0
    typos: float = 0.0
    mentions: float = 0.0


def opinions(*texts: str | tuple[str, str]) -> Examples:
    count = len(texts)
    ids = [f"id{at}" for at in range(count)]
    return Examples(ids, [*texts], ["good"] * count, ["classification"] * count)


def sentence(text: str = TEXT, label: str = LABEL, times: int = 1) -> Examples:
    return Examples(["a"] * times, [text] * times, [label] * times, ["entities"] * times)


def named(text: str, label: str) -> list[tuple[str, str]]:
    return [(text[start:end], name) for start, end, name in json.loads(label)]


def test_the_originals_come_first_and_copies_have_ids_of_their_own() -> None:
    found = rewritten(opinions("one two three", "four five six"), MOOD, How(2, swap=1.0), seed=1)
    assert found.ids == ["id0", "id1", "id0~1", "id1~1", "id0~2", "id1~2"]
    assert found.texts[:3] == ["one two three", "four five six", "two three one"]
    assert set(found.labels) == {"good"}


def test_a_copy_depends_on_the_seed_its_number_and_the_row_alone() -> None:
    how = How(1, drop=0.3, swap=0.3)
    texts = [" ".join(f"{word}{row}" for word in "abcdefghij") for row in range(3)]
    all_of_them = rewritten(opinions(*texts), MOOD, how, seed=1)
    fewer = rewritten(opinions(*texts[:2]), MOOD, how, seed=1)
    assert fewer.texts[2:] == all_of_them.texts[3:5]
    assert rewritten(opinions(*texts), MOOD, how, seed=2).texts != all_of_them.texts


def test_a_share_of_the_words_is_left_out() -> None:
    text = " ".join(str(number) for number in range(1000))
    (_, copy) = rewritten(opinions(text), MOOD, How(drop=0.1), seed=1).texts
    words = str(copy).split(" ")
    assert len(words) == pytest.approx(900, abs=30)
    assert [int(word) for word in words] == sorted(int(word) for word in words)


def test_nothing_that_comes_out_as_it_went_in_or_empty_is_kept() -> None:
    assert len(rewritten(opinions("one two"), MOOD, How(), seed=1)) == 1
    assert len(rewritten(opinions("one two"), MOOD, How(drop=1.0), seed=1)) == 1


def test_both_texts_of_a_pair_change() -> None:
    found = rewritten(opinions(("one two", "three four")), MOOD, How(swap=1.0), seed=1)
    assert found.texts[1] == ("two one", "four three")


def test_entities_stay_whole_and_their_spans_move_along() -> None:
    how = How(20, drop=0.5, swap=0.5)
    found = rewritten(sentence(), PEOPLE, how, seed=1)
    assert len({*found.texts}) > 15
    for text, label in zip(found.texts, found.labels, strict=True):
        assert named(str(text), label) == named(TEXT, LABEL)
        assert all(one[1] <= two[0] for one, two in pairwise(json.loads(label)))


def test_words_that_stood_apart_still_do() -> None:
    spans = [(0, 5, "LOC"), (6, 11, "LOC")]
    found = rewritten(sentence("Paris-Tokyo", json.dumps(spans)), PEOPLE, How(drop=1.0), seed=1)
    assert found.texts[1] == "ParisTokyo"  # it was one word before
    apart = sentence("x (Paris) y", json.dumps([(3, 8, "LOC")]))
    assert rewritten(apart, PEOPLE, How(drop=1.0), seed=1).texts[1] == "Paris"
    glued = sentence("in pre-Paris times", json.dumps([(7, 12, "LOC")]), times=9)
    for text in rewritten(glued, PEOPLE, How(drop=0.5), seed=1).texts:
        assert str(text).startswith(("in ", "pre", "-", "Paris"))


def test_an_entity_gives_way_to_another_of_its_type() -> None:
    found = rewritten(sentence(times=30), PEOPLE, How(mentions=0.5), seed=1)
    seen = Counter(
        each
        for text, label in zip(found.texts[30:], found.labels[30:], strict=True)
        for each in named(str(text), label)
    )
    assert set(seen) == {*named(TEXT, LABEL)}
    doubled = [text for text in found.texts if str(text).count("Paris") == 2]
    assert doubled
    for text, label in zip(found.texts, found.labels, strict=True):
        assert [name for _, name in named(str(text), label)] == ["PER", "PER", "LOC", "LOC"]


def test_case_and_typos_reach_into_entities_whose_spans_follow() -> None:
    spans = json.dumps([(0, 7, "LOC"), (13, 19, "LOC")])
    found = rewritten(sentence("Straßen nach Berlin", spans, 40), PEOPLE, How(case=1.0), seed=1)
    towns = [named(str(text), label) for text, label in zip(found.texts, found.labels, strict=True)]
    assert {town for (town, _), _ in towns} == {"Straßen", "straßen", "STRASSEN"}
    assert {town for _, (town, _) in towns} == {"Berlin", "berlin", "BERLIN"}


def test_a_slip_changes_one_place_of_a_word() -> None:
    random = np.random.default_rng(1)
    slips = {mistype("brilliant", random) for _ in range(300)}
    assert {len(slip) for slip in slips} == {8, 9, 10}
    assert {"briliant", "brillliant", "birlliant", "brilkiant"} <= slips
    assert all(slip[0] == "b" and slip[-1] in "tn" for slip in slips)


def test_of_several_tasks_each_keeps_its_own_labels() -> None:
    task = MultiTask.of_heads({"mood": MOOD, "people": PEOPLE})
    both = Examples(["a", "b"], ["so good", TEXT], ["good", LABEL], ["mood", "people"])
    found = rewritten(both, task, How(swap=1.0, mentions=1.0), seed=3)
    assert found.texts[2] == "good so"
    assert found.labels[2] == "good"
    assert found.tasks == ["mood", "people"] * 2
    assert [name for _, name in named(str(found.texts[3]), found.labels[3])] == [
        "PER", "PER", "LOC", "LOC"
    ]  # fmt: skip


def test_characters_are_words_where_nothing_stands_between_them() -> None:
    words = words_of("他在北京大学,", [(2, 6)])
    assert [(word.text, word.stretch) for word in words] == [
        ("他", -1), ("在", -1), ("北京大学", 0), (",", -1)
    ]  # fmt: skip
