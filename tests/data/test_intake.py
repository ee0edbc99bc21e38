from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from tasks.ingest import ingest
from tasks.params.base import check
from tasks.params.ingest import Ingest
from tasks.stage.outputs import read_json
from tests.ingesting import OUTPUTS, example, ingested, pin, quarantine, train_rows, write


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NIGHTSHIFT_CACHE", str(tmp_path / "cache"))
    return tmp_path


COUNTED = ("train", "validation", "test", "unlabelled", "quarantined")
DROPPED = ("duplicates", "repeated", "leaks", "contradictions")


def account() -> dict[str, Any]:
    """data/intake.json, after a check that it adds up and is what was written."""
    found: dict[str, Any] = read_json("data/intake.json")
    for one in [*found["files"], found["totals"]]:
        assert one["rows"] == sum(one[name] for name in (*COUNTED, *DROPPED))
    for name, path in zip(COUNTED, OUTPUTS, strict=True):
        rows = pq.read_table(f"data/{path}.parquet")
        assert found["totals"][name] == rows.num_rows
        sources = rows.column("file" if name == "quarantined" else "source").to_pylist()
        for file in found["files"]:
            assert file[name] == sources.count(file["name"])
    assert sum(found["rules"].values()) == found["totals"]["quarantined"]
    return found


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("split", [None, "fold"])
def test_every_row_is_in_a_split_in_quarantine_or_counted(seed: int, split: str | None) -> None:
    chance = random.Random(seed)
    folds = ("train", "train", "dev", "test")
    read = 0
    for night in range(1, 5):
        rows: list[Sequence[Any]] = []
        for _ in range(100):
            text, label = example(chance.randrange(200))
            text = chance.choice(
                [text, text.upper(), f" {text}", "" if chance.random() < 0.1 else text]
            )
            label = chance.choice("ab") if chance.random() < 0.05 else label
            rows.append((text, label, chance.choice(folds))[: chance.choice([3] * 40 + [2])])
        write(f"nights/date=2026-01-0{night}/rows.csv", rows, header="text,label,fold")
        read += len(rows)
    write("more.csv", [(example(chance.randrange(150, 260))[0],) for _ in range(80)], header="text")
    pin(all="nights", unlabelled="more.csv")
    params = {"source": "nights", "unlabelled": "more.csv", "split": split, "max_quarantine": 0.2}
    ingest(check(Ingest, params))

    totals = account()["totals"]
    assert totals["rows"] == read + 80
    used = {*COUNTED, *DROPPED} if split else {*COUNTED, *DROPPED} - {"leaks"}
    assert {name for name in used if not totals[name]} == set()


def test_a_night_delivered_twice_is_repeated_and_not_double() -> None:
    night = [example(n) for n in range(60)]
    write("nights/date=2026-01-01/rows.csv", [*night, night[7]])
    write("nights/date=2026-01-02/rows.csv", [*night, (example(99)[0], "b")])
    found = ingested("nights")

    one, two = account()["files"]
    assert (one["date"], one["rows"], one["duplicates"], one["repeated"]) == (
        "2026-01-01",
        61,
        1,
        0,
    )
    assert (two["date"], two["rows"], two["duplicates"], two["repeated"]) == (
        "2026-01-02",
        61,
        0,
        60,
    )
    assert (found["metrics"]["duplicates"], found["metrics"]["repeated"]) == (1, 60)
    assert found["duplicates"][1]["kept_in"] == "date=2026-01-01/rows.csv"


def test_partitions_from_the_cache_give_the_very_same_bytes() -> None:
    for night in range(1, 4):
        rows = [example(n) for n in range(30 * night, 30 * night + 40)]
        write(f"nights/date=2026-01-0{night}/rows.csv", [*rows, ("", "a")])
    first = ingested("nights", max_quarantine=0.1)
    before = [Path(f"data/{name}.parquet").read_bytes() for name in OUTPUTS]
    for way in ("from the cache", "from a damaged one"):
        if way == "from a damaged one":
            for entry in Path("cache").rglob("*.*"):
                content = entry.read_bytes()
                entry.unlink()
                entry.write_bytes(content[: len(content) // 2])

        assert ingested("nights", max_quarantine=0.1) == first
        assert [Path(f"data/{name}.parquet").read_bytes() for name in OUTPUTS] == before
        assert account()["rules"] == {"no text": 3}


def test_nothing_is_left_of_what_was_parsed_on_the_way() -> None:
    write("rows.csv", [example(n) for n in range(60)])
    ingested()
    assert list(Path(".nightshift/drafts").iterdir()) == []


def test_rows_that_break_a_rule_of_the_project_go_to_quarantine() -> None:
    rule = {"table": "rows", "column": "text", "severity": "quarantine"}
    regex = rule | {"expect": "column_values_to_not_match_regex"}
    rules = [
        regex | {"name": "no adverts", "matches": "(?i)buy now"},
        regex | {"name": "no links", "matches": "https?://"},
    ]
    Path("expectations.yaml").write_text(yaml.safe_dump(rules))
    rows = [example(n) for n in range(60)]
    rows[4], rows[8], rows[9] = ("Buy NOW!", "a"), ("", "b"), ("see http://x.y", "b")
    write("nights/date=2026-01-01/rows.csv", rows)
    write("nights/date=2026-01-02/rows.csv", [("now: buy now http://x.y", "a")])
    found = ingested("nights", max_quarantine=0.1)

    assert [(bad["file"][5:15], bad["row"], bad["rule"]) for bad in quarantine()] == [
        ("2026-01-01", 6, "no adverts"),
        ("2026-01-01", 10, "no text"),
        ("2026-01-01", 11, "no links"),
        ("2026-01-02", 2, "no adverts"),
    ]
    assert quarantine()[0]["text"] == "Buy NOW!"
    counts = {"no adverts": 2, "no links": 1, "no text": 1}
    assert found["rules_broken"] == account()["rules"] == counts


def everything_written() -> str:
    """All rows, the account and the findings, as text."""
    tables = [str(pq.read_table(path).to_pylist()) for path in Path("data").rglob("*.parquet")]
    return "".join([*tables, Path("data/intake.json").read_text()])


def test_personal_data_is_masked_and_counted_and_moves_no_row() -> None:
    rows = [
        (f"{text}, write to ann{text[-2:]}@example.com", label)
        for text, label in map(example, range(10, 70))
    ]
    write("rows.csv", [*rows, ("", "ann@example.com"), ("ann@example.com", "")])
    ingested(max_quarantine=0.1)
    plain = {row["id"]: row for row in train_rows()}
    assert "@example.com" in everything_written()
    found = ingested(max_quarantine=0.1, mask=["email", "phone"])

    assert account()["mask"] == ["email", "phone"]
    assert found["masked"] == account()["masked"] == {"email": 60, "phone": 0}
    assert "@example.com" not in everything_written() + json.dumps(found)
    assert {row["id"] for row in train_rows()} == plain.keys()
    assert all(row["text"].endswith(", write to [EMAIL]") for row in train_rows())


def test_texts_that_differ_only_in_what_is_masked_are_one_to_a_model() -> None:
    twins = [("write to ann@example.com", "a"), ("write to bob@example.com", "a")]
    torn = [("mail ann@example.com", "a"), ("mail bob@example.com", "b")]
    write("rows.csv", [*(example(n) for n in range(60)), *twins, *torn])

    assert ingested()["metrics"]["duplicates"] == 0
    found = ingested(mask=["email"])
    assert (found["metrics"]["duplicates"], found["metrics"]["contradictions"]) == (1, 2)
    assert account()["totals"]["rows"] == 64
