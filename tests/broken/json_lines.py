"""JSON that is not one object with text and label a line."""

from __future__ import annotations

import json

from tests.broken.case import GOOD, jsonl_of, kept, quarantine, stops

OBJECTS = [{"text": text, "label": label} for text, label in GOOD]
NESTED = "[" * 100_000 + "]" * 100_000


def line(text: str = '"fine"', label: str = '"a"') -> str:
    """One line whose values are the JSON given."""
    return f'{{"text": {text}, "label": {label}}}'


CASES = [
    stops("deep", jsonl_of(line(NESTED)), "rows.jsonl, line 1", "deep"),
    stops("deep-elsewhere", jsonl_of(f'{{"x": {NESTED}}}'), "rows.jsonl, line 1", "deep"),
    stops("an-array", {"rows.jsonl": json.dumps(OBJECTS).encode()}, "line 1", "one object a line"),
    stops(
        "an-array-over-lines",
        {"rows.jsonl": json.dumps(OBJECTS, indent=1).encode()},
        "rows.jsonl, line 1",
        "one object a line",
    ),
    stops(
        "an-object-over-lines",
        {"rows.jsonl": json.dumps(OBJECTS[0], indent=1).encode()},
        "rows.jsonl, line 1",
        "one object a line",
    ),
    stops("two-objects-in-a-line", jsonl_of(line() + line()), "rows.jsonl, line 1 is not JSON"),
    stops("cut-off", {"rows.jsonl": jsonl_of()["rows.jsonl"][:-9]}, "rows.jsonl, line 100"),
    stops("single-quotes", jsonl_of(str(OBJECTS[0])), "rows.jsonl, line 1 is not JSON"),
    stops("a-csv", {"rows.jsonl": b"text,label\nfine,a\n"}, "rows.jsonl, line 1 is not JSON"),
    stops("just-a-number", jsonl_of("5"), "rows.jsonl, line 1 is not a JSON object"),
    stops("a-number-without-end", jsonl_of(line("9" * 100_000)), "rows.jsonl, line 1"),
    stops("keys-of-another-case", {"rows.jsonl": b'{"Text": "x"}\n'}, "no column 'text'", "'Text'"),
    quarantine("an-empty-object", jsonl_of("{}"), {1: "no text"}),
    quarantine(
        "a-key-that-stands-twice",
        jsonl_of('{"text": "x", "text": "y", "label": "a"}'),
        {1: "broken row"},
    ),
    quarantine(
        "a-label-that-stands-twice",
        jsonl_of('{"label": "b", "text": "y", "label": "a"}'),
        {1: "broken row"},
    ),
    quarantine("nan", jsonl_of(line("NaN"), line(label="NaN")), {1: "no text", 2: "no label"}),
    quarantine("null", jsonl_of(line("null"), line(label="null")), {1: "no text", 2: "no label"}),
    quarantine(
        "infinity",
        jsonl_of(line(label="Infinity"), line(label="-1e999")),
        {1: "no label", 2: "no label"},
    ),
    quarantine(
        "texts-that-are-no-strings",
        jsonl_of(line("5"), line("[1, 2]"), line('{"a": 1}'), line("true"), line("0.5")),
        dict.fromkeys(range(1, 6), "text is no string"),
    ),
    quarantine(
        "labels-that-are-no-strings",
        jsonl_of(line(label='["a"]'), line(label="{}")),
        {1: "label is no string", 2: "label is no string"},
    ),
    kept("blank-lines", jsonl_of("", line(), "   "), "fine"),
    kept(
        "numbers-and-truth-as-labels",
        jsonl_of(
            line('"one"', "1"), line('"two"', "1.0"), line('"three"', '"1"'), line('"four"', "true")
        ),
        "one",
        "two",
        "three",
        "four",
        labels=("1", "a", "b", "true"),
    ),
    kept(
        "line-ends-of-dos",
        {"rows.jsonl": jsonl_of(line())["rows.jsonl"].replace(b"\n", b"\r\n")},
        "fine",
    ),
    kept(
        "line-ends-of-unicode", jsonl_of(line('"one\u2028two\x85three"')), "one\u2028two\x85three"
    ),
    kept(
        "escaped-quotes-and-keys",
        jsonl_of(r'{"text": "say \"text\": now", "label": "a"}'),
        'say "text": now',
    ),
]
