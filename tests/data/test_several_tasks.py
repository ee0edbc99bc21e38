"""One file for several tasks, through `ingest`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tasks.data.dataset import SPLITS, read_examples
from tasks.ingest import ingest
from tasks.params.ingest import Ingest, Kind
from tasks.stage.errors import BadInput
from tasks.stage.outputs import read_json
from tests.ingesting import example, ingested, pin, sides, write

TEXTS = [example(number)[0] for number in range(60)]
BOTH: dict[str, Kind] = {"movies": "classification", "stars": "regression"}


@pytest.fixture(autouse=True)
def own_cache(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSHIFT_CACHE", str(workspace / "cache"))


def movies_and_stars() -> list[tuple[str, Any, str]]:
    """Every text has a class, and every other one a number as well."""
    movies = [(text, "ab"[at % 2], "movies") for at, text in enumerate(TEXTS)]
    return [*movies, *((text, at % 5, " stars") for at, text in enumerate(TEXTS) if at % 2)]


def test_several_tasks_may_ask_of_the_same_text() -> None:
    rows = movies_and_stars()
    torn, twice = (TEXTS[1], "a", "movies"), (TEXTS[3], 3, "stars")
    write("rows.csv", [*rows, torn, twice], header="text,label,task")
    found = ingested(task=BOTH)

    assert found["metrics"]["contradictions"] == 2  # and the number of that text stays
    assert found["metrics"]["duplicates"] == 1
    assert found["contradictions"][0]["labels"] == ["movies/a", "movies/b"]
    assert found["duplicates"][0]["label"] == "stars/3.0"
    assert {row["label"] for row in found["labels"]} == {"movies/a", "movies/b"}
    splits = [read_examples(split) for split in SPLITS]
    assert sum(split.tasks.count("stars") for split in splits) == 30
    ids = [one for split in splits for one in split.ids]
    assert len(set(ids)) == len(ids) == 89
    assert read_json("data/intake.json")["task"] == BOTH


def test_a_text_is_on_one_side_for_all_tasks() -> None:
    write("rows.csv", movies_and_stars(), header="text,label,task")
    ingested(task=BOTH)

    seen = [set(read_examples(split).texts) for split in SPLITS]
    assert sum(map(len, seen)) == len(set.union(*seen)) == 60
    alone = sides()
    write("rows.csv", [(text, "ab"[at % 2]) for at, text in enumerate(TEXTS)])
    ingested()
    assert sides() == alone


def test_a_text_that_one_task_is_tested_on_leaves_the_training_of_the_other() -> None:
    folds = ("train", "train", "dev", "test")
    rows = [(text, "ab"[at % 2], "movies", folds[at // 2 % 4]) for at, text in enumerate(TEXTS)]
    rows += [(text, str(at % 5), "stars", folds[at // 2 % 4]) for at, text in enumerate(TEXTS)]
    tested = rows[6][0]
    assert rows[66][::3] == (tested, "test")
    rows[66] = (*rows[66][:3], "train")
    write("rows.csv", rows, header="text,label,task,fold")
    found = ingested(task=BOTH, split="fold")

    assert found["metrics"]["leaks"] == 1
    assert sides()[tested] == "test"
    assert tested not in read_examples("train").texts


def test_texts_alike_but_for_what_is_masked_are_on_one_side_for_all_tasks() -> None:
    rows = [(f"ann{at}@example.com {text}", label, task) for at, (text, label, task) in
            enumerate(movies_and_stars())]  # fmt: skip
    write("rows.csv", rows, header="text,label,task")
    ingested(task=BOTH, mask=["email"])

    seen = [set(read_examples(split).texts) for split in SPLITS]
    assert sum(map(len, seen)) == len(set.union(*seen)) == 60


def test_a_task_that_nobody_declared() -> None:
    write("rows.csv", [*movies_and_stars(), ("x", "1", "Stars")], header="text,label,task")
    with pytest.raises(BadInput) as caught:
        ingested(task=BOTH)
    assert str(caught.value) == (
        "rows.csv, row 92, column 'task': 'Stars' is none of ingest.task: movies, stars"
    )


def test_a_task_without_rows() -> None:
    write("rows.csv", movies_and_stars(), header="text,label,kind")
    with pytest.raises(BadInput, match="no rows of task 'more': none of 90 rows says so in 'kind'"):
        ingested(task={**BOTH, "more": "entities"}, task_column="kind")


def test_one_class_only_of_one_of_several_tasks() -> None:
    rows = [(text, label if task == "movies" else "3", task)
            for text, label, task in movies_and_stars()]  # fmt: skip
    write("rows.csv", rows, header="text,label,task")
    with pytest.raises(BadInput, match="one value only in all 30 rows of task 'stars' of column"):
        ingested(task=BOTH)


def test_unlabelled_texts_belong_to_no_one_task() -> None:
    write("rows.csv", movies_and_stars(), header="text,label,task")
    write("more.csv", [(TEXTS[0],), ("new",)], header="text")
    pin(all="rows.csv", unlabelled="more.csv")
    ingest(Ingest(source="rows.csv", unlabelled="more.csv", task=BOTH, validation=0.2, test=0.2))

    rows = pq.read_table("data/unlabelled.parquet").to_pylist()
    assert [(row["text"], row["task"]) for row in rows] == [("new", None)]
