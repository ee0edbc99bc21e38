from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from tasks.data.dataset import SCHEMA, Text, write_table
from tasks.judging.slices import Slice, read_domains, slices, standings
from tasks.task import MultiTask
from tasks.task.classification import Classification
from tasks.task.entities import Entities
from tasks.task.multi_label import MultiLabel
from tasks.task.regression import Regression

CLASSES = Classification(("bad", "good", "x"))


def named(found: list[Slice]) -> dict[str, list[int]]:
    return {each.name: each.rows for each in found}


def test_slices_by_class_length_and_domain() -> None:
    texts: list[Text] = ["a" * length for length in (1, 2, 3, 4, 5, 6, 7, 8)]
    domains: dict[str, list[str | None]] = {"slice": ["tweets"] * 3 + ["news"] * 4 + [None]}

    assert named(slices(CLASSES, texts, ["good", "bad"] * 4, domains)) == {
        "class bad": [1, 3, 5, 7],
        "class good": [0, 2, 4, 6],
        "length 1 to 2 characters": [0, 1],
        "length 3 to 4 characters": [2, 3],
        "length 5 to 6 characters": [4, 5],
        "length 7 to 8 characters": [6, 7],
        "slice news": [3, 4, 5, 6],
        "slice tweets": [0, 1, 2],
    }


def test_a_text_is_in_the_slice_of_each_thing_that_its_label_speaks_of() -> None:
    topics = named(
        slices(MultiLabel(("art", "war")), ["a"] * 3, ['["art", "war"]', "[]", '["war"]'], {})
    )
    assert topics == {"class art": [0], "class war": [0, 2]}
    spans = ['[[0, 2, "ORG"], [4, 6, "ORG"]]', "[]"]
    assert named(slices(Entities(("ORG",)), ["a"] * 2, spans, {})) == {"class ORG": [0]}
    assert slices(Regression(), ["a", "b"], ["1.0", "2.0"], {}) == []


def test_each_of_several_tasks_is_a_slice() -> None:
    task = MultiTask.of_heads({"movies": CLASSES, "stars": Regression()})
    truth = task.truths(["good", "4.0", "bad"], ["movies", "stars", "movies"])

    assert named(slices(task, ["a"] * 3, truth, {})) == {
        "class movies/bad": [2],
        "class movies/good": [0],
        "task movies": [0, 2],
        "task stars": [1],
    }


def test_texts_of_one_length_have_no_quartiles_and_equal_lengths_stay_together() -> None:
    equal = slices(CLASSES, ["ab", "cd"], ["x", "x"], {})
    assert [each.kind for each in equal] == ["class"]
    mostly_short: list[Text] = [*["a"] * 7, "a long text"]
    assert named(slices(CLASSES, mostly_short, ["x"] * 8, {})) == {
        "class x": list(range(8)),
        "length 1 to 1 characters": list(range(7)),
        "length 11 to 11 characters": [7],
    }


def test_both_texts_of_a_pair_count() -> None:
    found = named(slices(CLASSES, [("a", "bc"), ("a", "b")], ["x", "x"], {}))
    assert found["length 3 to 3 characters"] == [0]


def test_a_domain_has_two_to_twenty_values_and_dates_are_none() -> None:
    texts: list[Text] = [str(at) for at in range(10, 52)]
    kinds: dict[str, list[str | None]] = {
        "one": ["everything"] * 42,
        "many": [f"file-{at // 2}" for at in range(42)],
        "dated": [f"date=2026-11-{at % 28 + 1:02}/tweets.csv" for at in range(42)],
        "source": [f"date=2026-11-{at % 28 + 1:02}/{'ab'[at % 2]}.csv" for at in range(42)],
    }
    found = {(each.kind, each.value) for each in slices(CLASSES, texts, ["x"] * 42, kinds)}
    assert found == {("class", "x"), ("source", "a.csv"), ("source", "b.csv")}


def test_domains_are_read_from_the_dataset(workspace: Path) -> None:
    columns: dict[str, list[str | None]] = {name: [None, None] for name in SCHEMA.names}
    columns |= {"source": ["a.csv", "b.csv"], "slice": ["news", None]}
    write_table(pa.table(columns, schema=SCHEMA), Path("test.parquet"))

    found = read_domains(Path("test.parquet"))

    assert found == {"source": ["a.csv", "b.csv"], "slice": ["news", None]}


def test_only_slices_with_enough_texts_are_judged_and_corrected_for() -> None:
    champion = np.ones((120, 1))
    candidate = champion.copy()
    candidate[:5] = 0
    split = [Slice("class", "a", list(range(60))), Slice("class", "b", list(range(60, 110))),
             Slice("class", "c", list(range(110, 120)))]  # fmt: skip

    a, b, c = standings(CLASSES, split, candidate, champion, fewest=50, seed=1)

    assert (a.found.lost, a.found.p_value, a.p_corrected) == (5, 1 / 32, 2 / 32)
    assert b.p_corrected == 1
    assert c.found.texts == 10
    assert c.p_corrected is None
