from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tasks.data.dataset import SCHEMA, read_examples, read_mask
from tasks.ingest import ingest
from tasks.params.base import check
from tasks.params.ingest import Ingest
from tasks.stage.errors import BadInput, Unavailable
from tests.ingesting import OUTPUTS, example, ingested, pin, quarantine, sides, write


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NIGHTSHIFT_CACHE", str(tmp_path / "cache"))
    return tmp_path


def test_every_row_is_somewhere() -> None:
    write("rows.csv", [example(n) for n in range(100)])
    found = ingested()

    assert set(sides()) == {example(n)[0] for n in range(100)}
    sizes = {name: found["metrics"][name] for name in ("train", "validation", "test")}
    assert sum(sizes.values()) == found["metrics"]["rows_read"] == 100
    assert all(sizes.values())
    table = pq.read_table("data/dataset/train.parquet")
    assert table.schema.equals(SCHEMA)
    first = table.to_pylist()[0]
    assert first["task"] == "classification"
    assert first["source"] == "rows.csv"
    assert len(first["id"]) == 16
    assert first["text_pair"] is first["date"] is first["slice"] is None


def test_the_same_input_gives_the_same_bytes() -> None:
    write("rows.csv", [example(n) for n in range(100)])
    first = ingested()
    before = [Path(f"data/{name}.parquet").read_bytes() for name in OUTPUTS]

    assert ingested() == first
    assert [Path(f"data/{name}.parquet").read_bytes() for name in OUTPUTS] == before


def test_old_examples_stay_on_their_side_as_nights_are_added() -> None:
    write("nights/date=2026-01-02/rows.csv", [example(n) for n in range(50, 100)])
    ingested("nights")
    before = sides()
    write("nights/date=2026-01-01/rows.csv", [example(n) for n in range(50)])
    write("nights/date=2026-01-03/rows.csv", [example(n) for n in range(100, 150)])
    found = ingested("nights")

    after = sides()
    assert len(after) == 150
    assert {text: after[text] for text in before} == before
    assert [night["date"] for night in found["partitions"]] == [
        "2026-01-01",
        "2026-01-02",
        "2026-01-03",
    ]


def test_duplicates_and_contradictions_are_dropped_counted_and_shown() -> None:
    rows = [example(n) for n in range(60)]
    repeated, torn = ("NIGHT  night 0", "a"), (example(2)[0], "b")
    write("rows.csv", [*rows, repeated, torn])
    found = ingested()

    assert found["metrics"]["duplicates"] == 1
    assert found["metrics"]["contradictions"] == 2
    assert set(sides()) == {text for text, _ in rows} - {example(2)[0]}
    assert found["duplicates"][0]["text"] == "NIGHT  night 0"
    assert found["contradictions"] == [{"text": example(2)[0], "labels": ["a", "b"], "rows": 2}]


def test_white_space_around_labels_is_stripped_and_counted() -> None:
    rows = [example(n) for n in range(60)]
    write("rows.csv", [(text, f" {label}\t") for text, label in rows[:10]] + rows[10:])
    found = ingested()

    assert found["metrics"]["stripped_labels"] == 10
    assert [entry["label"] for entry in found["labels"]] == ["a", "b"]


def test_bad_rows_go_to_quarantine_with_file_row_and_rule() -> None:
    rows: list[Sequence[Any]] = [example(n) for n in range(100)]
    rows[3] = ("x" * 10_000_000, "a")
    rows[5] = ("no label here", "NaN")
    rows[7] = ("", "a")
    rows[9] = ("one", "too", "many")
    write("rows.csv", rows)
    found = ingested()

    assert [(bad["file"], bad["row"], bad["rule"]) for bad in quarantine()] == [
        ("rows.csv", 5, "text too long"),
        ("rows.csv", 7, "no label"),
        ("rows.csv", 9, "no text"),
        ("rows.csv", 11, "broken row"),
    ]
    assert len(quarantine()[0]["text"]) == 200
    assert found["metrics"]["quarantined"] == 4
    assert found["rules_broken"]["text too long"] == 1


def test_too_many_bad_rows_stop_the_run_and_say_which() -> None:
    rows: list[Sequence[Any]] = [example(n) for n in range(40)]
    rows[4] = rows[8] = ("some text", "nan")
    rows[6] = ("", "a")
    write("rows.csv", rows)

    with pytest.raises(BadInput) as caught:
        ingested()
    assert str(caught.value) == (
        "3 of 40 rows are bad (7.5%; ingest.max_quarantine allows 5.0%). Most often: no label, "
        "2 times, first in rows.csv, row 6: the label is 'nan'"
    )
    assert len(caught.value.findings["quarantine"]) == 3


def test_nan_labels_of_parquet_and_numbers_as_labels(workspace: Path) -> None:
    import pandas as pd

    labels = [0.0, 1.0] * 30 + [float("nan")]
    texts = [example(n)[0] for n in range(61)]
    pd.DataFrame({"text": texts, "label": labels}).to_parquet("rows.parquet")
    found = ingested("rows.parquet")

    assert [entry["label"] for entry in found["labels"]] == ["0", "1"]
    assert quarantine()[0]["rule"] == "no label"
    assert quarantine()[0]["row"] == 61


def test_one_class_only() -> None:
    write("rows.csv", [(example(n)[0], "a") for n in range(60)])
    with pytest.raises(BadInput, match=r"one class only: 'a' in all 60 rows of column 'label'"):
        ingested()


def test_only_a_header() -> None:
    write("rows.csv", [])
    with pytest.raises(BadInput, match=r"no rows: rows\.csv has 0 rows"):
        ingested()


def test_too_few_rows_for_three_splits() -> None:
    write("rows.csv", [example(n) for n in range(2)])
    with pytest.raises(BadInput, match=r"no rows in .* of 2 rows"):
        ingested()


def test_wrong_column_name() -> None:
    write("rows.csv", [example(0)], header="review,label")
    with pytest.raises(BadInput, match=r"rows\.csv has no column 'text'; .* 'review', 'label'"):
        ingested()


def test_bytes_that_are_not_utf8() -> None:
    Path("rows.csv").write_bytes(b"text,label\nfine,a\ncaf\xe9,b\n")
    with pytest.raises(BadInput, match=r"rows\.csv, line 3: byte 4 \(0xe9\) is not UTF-8"):
        ingested()


def test_a_file_that_changed_after_the_snapshot() -> None:
    write("rows.csv", [example(n) for n in range(60)])
    pin(all="rows.csv")
    write("rows.csv", [example(n) for n in range(61)])
    with pytest.raises(Unavailable, match=r"rows\.csv has changed since the snapshot"):
        ingest(Ingest(source="rows.csv"))


def test_own_ids_are_kept_when_they_are_unique() -> None:
    write("rows.csv", [(*example(n), f"id-{n}") for n in range(60)], header="text,label,id")
    ingested()
    ids = [one for split in ("train", "validation", "test") for one in read_examples(split).ids]
    assert sorted(ids) == sorted(f"id-{n}" for n in range(60))

    write("rows.csv", [(*example(n), "same") for n in range(60)], header="text,label,id")
    ingested()
    assert {len(one) for one in read_examples("train").ids} == {16}


def test_pairs_of_texts() -> None:
    rows = [(example(n)[0], "why?", "ab"[n % 2]) for n in range(60)]
    write("rows.csv", rows, header="answer,question,label")
    ingested(text=["answer", "question"])

    first = read_examples("train").texts[0]
    assert isinstance(first, tuple)
    assert first[1] == "why?"


def test_a_column_of_splits_is_obeyed_and_leaks_leave_train() -> None:
    rows = [(*example(n), "train" if n < 40 else "dev" if n < 50 else "test") for n in range(60)]
    write("rows.csv", [*rows, (*example(55), "train")], header="text,label,fold")
    found = ingested(split="fold")

    counts = {name: found["metrics"][name] for name in ("train", "validation", "test", "leaks")}
    assert counts == {"train": 40, "validation": 10, "test": 10, "leaks": 1}
    assert sides()[example(55)[0]] == "test"


def test_an_unknown_split_names_the_row() -> None:
    rows = [(*example(n), "train") for n in range(9)] + [(*example(9), "holdout")]
    write("rows.csv", rows, header="text,label,fold")
    with pytest.raises(BadInput, match=r"rows\.csv, row 11, column 'fold': 'holdout' is no split"):
        ingested(split="fold")


def test_a_path_for_each_split() -> None:
    write("one/train.csv", [example(n) for n in range(50)])
    write("two/test.csv", [example(n) for n in range(45, 60)])
    split = {"train": "one/train.csv", "test": "two"}
    pin(**split)
    found = ingest(check(Ingest, {"source": None, "split": split}))

    assert found["metrics"]["test"] == 15
    assert found["metrics"]["leaks"] == 5
    assert found["metrics"]["train"] + found["metrics"]["validation"] == 45
    assert found["metrics"]["validation"] > 0


def test_unlabelled_texts_that_the_dataset_has_are_left_out() -> None:
    write("rows.csv", [example(n) for n in range(60)])
    write("more.csv", [(example(n)[0],) for n in (1, 70, 71, 70)], header="text")
    pin(all="rows.csv", unlabelled="more.csv")
    ingest(Ingest(source="rows.csv", unlabelled="more.csv"))

    rows = pq.read_table("data/unlabelled.parquet").to_pylist()
    assert [row["text"] for row in rows] == [example(70)[0], example(71)[0]]
    assert rows[0]["label"] is None


def test_the_findings_are_plain_json() -> None:
    write("rows.csv", [example(n) for n in range(60)])
    found = ingested()

    assert json.loads(json.dumps(found)) == found
    assert {entry["unit"] for entry in found["lengths"]} == {"characters", "words"}
    assert pq.read_table("data/unlabelled.parquet").num_rows == 0


def test_the_dataset_says_what_is_masked_in_it() -> None:
    rows = [(f"{text}, write to ann{n}@example.com", label)
            for n, (text, label) in enumerate(map(example, range(100)))]  # fmt: skip
    write("rows.csv", rows)
    ingested()
    assert read_mask("validation") == ()
    ingested(mask=["email"])
    assert read_mask("validation") == ("email",)
    texts = read_examples("train").texts
    assert all(str(text).endswith("write to [EMAIL]") for text in texts)
