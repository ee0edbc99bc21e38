"""Labels of every kind of task that are not what they should be."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tasks.task import KINDS
from tests.broken.case import GOOD, Case, Goes, csv_of, kept, stops

NESTED = "[" * 100_000 + "]" * 100_000
HALF = "\udce9"
NO_NUMBER, TAGS, ENTITY = "label is no number", "broken tags", "broken entity"
SPANS = [[[0, 1, "X"]]]


def lines(*odd: tuple[Any, Any], labels: Sequence[Any] = SPANS) -> dict[str, bytes]:
    """A `rows.jsonl` of the odd rows from line 1 on, and the good texts with these in turn."""
    good = [(text, labels[at % len(labels)]) for at, (text, _) in enumerate(GOOD)]
    rows = [json.dumps({"text": text, "label": label}) for text, label in [*odd, *good]]
    return {"rows.jsonl": "\n".join(rows).encode()}


def aside(name: str, task: str, *odd: tuple[Any, Any, str], labels: Sequence[Any] = SPANS) -> Case:
    """Rows that must be set aside, each by its rule, beside good texts with these labels."""
    rules = dict(enumerate((rule for *_, rule in odd), 1))
    files = lines(*((text, label) for text, label, _ in odd), labels=labels)
    read = KINDS[task].read
    written = {found[1] for label in labels if isinstance(found := read(("text",), label), tuple)}
    return Case(name, files, Goes(aside=rules, labels=tuple(written)), {"task": task})


CASES = [
    aside(
        "ratings-that-are-no-numbers",
        "regression",
        ("fine", "five", NO_NUMBER),
        ("good", "", "no label"),
        ("well", "nan", NO_NUMBER),
        ("so", "-1e999", NO_NUMBER),
        ("hm", "4,5", NO_NUMBER),
        labels=[1, "2.5"],
    ),
    aside(
        "ratings-of-other-types",
        "regression",
        ("fine", True, NO_NUMBER),
        ("good", [1], NO_NUMBER),
        ("well", {"stars": 1}, NO_NUMBER),
        ("so", 10**400, NO_NUMBER),
        ("hm", None, "no label"),
        labels=[1, "2.5"],
    ),
    aside(
        "classes-that-are-no-strings",
        "multi-label",
        ("fine", [["a"]], "label is no string"),
        ("good", [None], "no label"),
        ("well", None, "no label"),
        ("so", {"a": 1}, "label is no string"),
        ("hm", f"a|b{HALF}", "broken characters"),
        labels=["a|b", [], ["c"]],
    ),
    aside(
        "tags-that-do-not-fit",
        "entities",
        (["a", "b"], ["O"], TAGS),
        (["a", "b"], ["O", "I-X"], TAGS),
        (["a", "b"], ["B-X", "I-Y"], TAGS),
        (["a", "b"], [0, 3], TAGS),
        (["a", ""], ["O", "B-X"], TAGS),
    ),
    aside(
        "tokens-that-are-none",
        "entities",
        ([1, 2], ["O", "O"], "text is no string"),
        ([], [], "no text"),
        (["a", "b\0"], ["O", "O"], "broken characters"),
        (["a" * 60_000, "b" * 60_000], ["O", "O"], "text too long"),
        ({"a": 1}, ["O"], "text is no string"),
    ),
    aside(
        "spans-outside-the-text",
        "entities",
        ("Ann", [[0, 4, "X"]], ENTITY),
        ("Ann", [[-1, 2, "X"]], ENTITY),
        ("Ann", [[2, 2, "X"]], ENTITY),
        ("Ann", [[0, 10**400, "X"]], ENTITY),
        ("Ann", [[0, 2, "X"], [1, 3, "X"]], ENTITY),
    ),
    aside(
        "spans-of-another-form",
        "entities",
        ("Ann", [[0, 2]], ENTITY),
        ("Ann", [[0.0, 2.0, "X"]], ENTITY),
        ("Ann", [[0, 2, "X Y"]], ENTITY),
        ("Ann", [[0, 2, HALF]], ENTITY),
        ("Ann", [{"start": 0, "end": 2}], ENTITY),
    ),
    aside(
        "labels-nested-in-texts",
        "entities",
        ("fine", NESTED, TAGS),
        ("good", "[[0, 2", TAGS),
        ("well", "{}", TAGS),
    ),
    kept(
        "no-class-and-several",
        csv_of("fine,", "good,b | a", 'well,"[""b"", ""a""]"'),
        "fine",
        "good",
        "well",
        labels=("[]", '["a"]', '["b"]', '["a", "b"]'),
        task="multi-label",
    ),
    stops(
        "a-task-that-nobody-declared",
        csv_of("fine,a,movies", header="text,label,task", good=[(*row, "stars") for row in GOOD]),
        "rows.csv, row 3, column 'task': 'stars' is none of ingest.task: movies, ratings",
        task={"movies": "classification", "ratings": "regression"},
    ),
    stops(
        "no-column-of-tasks",
        csv_of("fine,a"),
        "rows.csv has no column 'task'",
        task={"movies": "classification", "ratings": "regression"},
    ),
    stops("classes-for-ratings", csv_of(), "100 of 100 rows are bad", NO_NUMBER, task="regression"),
    stops("classes-for-tags", csv_of(), "100 of 100 rows are bad", TAGS, task="entities"),
]
