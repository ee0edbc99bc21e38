"""Files of every kind of task, through `ingest`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.data.dataset import SPLITS, read_examples
from tasks.stage.errors import BadInput
from tasks.stage.outputs import read_json
from tests.ingesting import example, ingested, quarantine, write

TEXTS = [example(number)[0] for number in range(60)]


@pytest.fixture(autouse=True)
def own_cache(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSHIFT_CACHE", str(workspace / "cache"))


def write_lines(rows: Sequence[tuple[Any, Any]], path: str = "rows.jsonl") -> None:
    lines = [json.dumps({"text": text, "label": label}) for text, label in rows]
    Path(path).write_text("\n".join(lines))


def labels() -> dict[str, str]:
    """Every text's label, as the dataset has it."""
    splits = [read_examples(split) for split in SPLITS]
    return {str(text): label for split in splits for text, label in zip(split.texts, split.labels,
                                                                        strict=True)}  # fmt: skip


def aside() -> dict[int, tuple[str, str]]:
    """Rule and reason of each row in quarantine."""
    return {bad["row"]: (bad["rule"], bad["reason"]) for bad in quarantine()}


def test_any_number_of_classes() -> None:
    cells = ["red|green", "", "red", '["a, b", "red"]']
    write("rows.csv", [(text, cells[at % 4]) for at, text in enumerate(TEXTS)])
    found = ingested(task="multi-label")

    assert [labels()[text] for text in TEXTS[:4]] == [
        '["green", "red"]',
        "[]",
        '["red"]',
        '["a, b", "red"]',
    ]
    assert set(read_examples("train").tasks) == {"multi-label"}
    counts = {row["label"]: sum(row[name] for name in SPLITS) for row in found["labels"]}
    assert counts == {"a, b": 15, "green": 15, "red": 45}
    assert read_json("data/intake.json")["task"] == "multi-label"


def test_numbers_of_which_one_text_has_two() -> None:
    rows = [(text, at % 7 + 0.5) for at, text in enumerate(TEXTS)]
    write("rows.csv", [*rows, (TEXTS[0], "9"), (TEXTS[1], "1.50"), ("bad", "five"), ("worse", "")])
    found = ingested(task="regression")

    assert labels()[TEXTS[1]] == "1.5"
    assert found["contradictions"] == [{"text": TEXTS[0], "labels": ["0.5", "9.0"], "rows": 2}]
    assert found["metrics"]["duplicates"] == 1
    assert found["duplicates"][0]["label"] == "1.5"
    assert found["labels"] == []
    assert aside() == {
        64: ("label is no number", "the label is 'five'"),
        65: ("no label", "the label is empty"),
    }


def test_tokens_and_their_tags() -> None:
    good = [(text.split(), ["B-X", "I-X", "O"]) for text in TEXTS]
    bad: list[tuple[Any, Any]] = [
        (["a", "b"], ["O"]),
        (["a", "b"], ["O", "I-X"]),
        (["a", "b"], ["B-X", "I-Y"]),
        (["a", "b"], [0, 1]),
        ([], []),
        (None, ["O"]),
        (["a"], None),
    ]
    write_lines([*good, *bad])
    found = ingested("rows.jsonl", task="entities", max_quarantine=0.2)

    assert labels()[TEXTS[3]] == '[[0, 11, "X"]]'
    assert TEXTS[3].startswith("small night")
    assert sum(row["label"] == "X" for row in found["labels"]) == 1
    assert aside() == {
        61: ("broken tags", "2 tokens have 1 tags"),
        62: ("broken tags", "tag 2 is 'I-X' after 'O': it goes on what has not begun"),
        63: ("broken tags", "tag 2 is 'I-Y' after 'B-X': it goes on what has not begun"),
        64: ("broken tags", "the label is [0, 1]: no list of tags, no spans"),
        65: ("no text", "column 'text' is empty"),
        66: ("no text", "column 'text' is empty"),
        67: ("no label", "the label is empty"),
    }
    assert quarantine()[1]["text"] == "a b"


def test_texts_and_their_spans() -> None:
    rows = [(text, f'[[0, {text.index(" ")}, "X"]]') for text in TEXTS]
    write("rows.csv", [*rows, ("Ann", '[[0, 9, "X"]]'), ("Ann", '[[0, 2, "X"], [1, 3, "Y"]]')])
    ingested(task="entities")

    assert labels()[TEXTS[3]] == '[[0, 5, "X"]]'
    assert [reason for _, reason in aside().values()] == [
        "[0, 9, 'X'] does not lie in a text of 3 characters",
        "[0, 2, 'X'] and [1, 3, 'Y'] overlap",
    ]


@pytest.mark.parametrize("spans", [False, True])
def test_lists_of_parquet(spans: bool) -> None:
    tokens = [text.split() for text in TEXTS]
    label: list[Any] = [["B-X", "O", "O"]] * len(TEXTS)
    if spans:
        label = [[{"start": 0, "end": text.index(" "), "label": "X"}] for text in TEXTS]
    text = pa.array(TEXTS if spans else tokens)
    pq.write_table(pa.table({"text": text, "label": pa.array(label)}), "rows.parquet")
    ingested("rows.parquet", task="entities")

    assert labels()[TEXTS[3]] == '[[0, 5, "X"]]'


def test_tokens_that_are_not_utf8_are_set_aside() -> None:
    tokens = [[b"caf\xe9"], *([word.encode() for word in text.split()] for text in TEXTS)]
    column = pa.array(tokens, pa.list_(pa.binary()))
    told = pa.Array.from_buffers(pa.string(), len(column.values), column.values.buffers())
    tags = [["O"], *[["B-X", "O", "O"]] * len(TEXTS)]
    table = {"text": pa.ListArray.from_arrays(column.offsets, told), "label": tags}
    pq.write_table(pa.table(table), "rows.parquet")
    ingested("rows.parquet", task="entities")

    assert aside() == {1: ("broken characters", "column 'text' has NUL or half characters")}


def test_entities_stay_where_they_are_when_something_before_them_is_masked() -> None:
    text = "Ann at ann@example.com in Paris"
    odd: list[tuple[Any, Any]] = [
        (text, [[0, 3, "PER"], [7, 22, "MAIL"], [26, 31, "LOC"]]),
        ("bob@example.com", [[0, 3, "PER"], [4, 15, "ORG"]]),
        ("at joe@example.com", [[3, 6, "PER"], [7, 18, "PER"]]),
    ]
    write_lines([*((text, [[0, 5, "X"]]) for text in TEXTS), *odd])
    ingested("rows.jsonl", task="entities", mask=["email"])

    masked = "Ann at [EMAIL] in Paris"
    assert labels()[masked] == '[[0, 3, "PER"], [7, 14, "MAIL"], [18, 23, "LOC"]]'
    assert masked[7:14] == "[EMAIL]"
    assert masked[18:23] == "Paris"
    assert aside() == {62: ("broken entity", "masking makes one of PER and ORG")}
    assert labels()["at [EMAIL]"] == '[[3, 10, "PER"]]'


def test_a_pair_with_one_side_missing_is_set_aside() -> None:
    rows = [(text, "why?", "ab"[at % 2]) for at, text in enumerate(TEXTS)]
    write("rows.csv", [*rows, ("", "why?", "a"), ("so", " ", "a")], header="answer,question,label")
    ingested(text=["answer", "question"])

    assert aside() == {
        62: ("no text", "column 'answer' is empty"),
        63: ("no text", "column 'question' is empty"),
    }


@pytest.mark.parametrize(
    ("task", "label", "message"),
    [
        ("regression", "1", "one value only in all 60 rows of column 'label'; takes at least two"),
        ("multi-label", "", "no class in any of the 60 rows of column 'label'"),
        ("entities", "", "no entity in any of the 60 rows of column 'label'"),
    ],
)
def test_labels_that_teach_nothing(task: str, label: str, message: str) -> None:
    write("rows.csv", [(text, label) for text in TEXTS])
    with pytest.raises(BadInput) as caught:
        ingested(task=task)
    assert str(caught.value) == message


def test_a_number_that_all_of_train_has() -> None:
    rows = [(text, 1, "train") for text in TEXTS[:20]]
    rows += [(text, at % 3, "dev" if at % 2 else "test") for at, text in enumerate(TEXTS[20:])]
    write("rows.csv", rows, header="text,label,fold")
    with pytest.raises(BadInput, match=r"^one value only in train, after splitting$"):
        ingested(task="regression", split="fold")


def test_two_spellings_of_a_class_among_several() -> None:
    write("rows.csv", [(text, ["red|blue", "Red"][at % 2]) for at, text in enumerate(TEXTS)])
    with pytest.raises(BadInput, match=r"labels 'red' \(30 rows\) and 'Red' \(30 rows\)"):
        ingested(task="multi-label")


def test_two_columns_for_a_task_that_takes_one() -> None:
    write("rows.csv", [(text, "so", "") for text in TEXTS], header="a,b,label")
    with pytest.raises(BadInput, match=r"ingest\.text: got \['a', 'b'\]; entities takes one"):
        ingested(task="entities", text=["a", "b"])
