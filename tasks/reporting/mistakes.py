"""Where the release goes wrong, ready to be told: pairs of classes, and its worst answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.reporting.evidence import mapping, records
from tasks.reporting.wording import UNKNOWN, known, percent, plain, significant, whole_number

RIGHT, WRONG, MISSED = "right", "wrong", "missed"
NONE = "none"
"""How an answer is written that speaks of nothing."""


@dataclass(frozen=True)
class Piece:
    """A part of an answer, or of the text it is about."""

    text: str
    state: str = ""
    """right, wrong (told, but not so) or missed (so, but not told); empty for plain text."""
    label: str = ""
    """What a stretch of text is said to be."""


@dataclass(frozen=True)
class Mistake:
    """One wrong answer: the text, what is true, what was told, and how wrong it is."""

    text: str
    truth: list[Piece]
    told: list[Piece]
    off: str


@dataclass(frozen=True)
class Mistakes:
    """What one task's answers were like on the test split."""

    name: str
    """Of the task, where there are several; else empty."""
    classes: list[dict[str, Any]]
    confusion: dict[str, Any]
    confused: list[dict[str, Any]]
    worst: list[Mistake]
    off: str
    """What `off` of a mistake says: sure, wrong or off by."""
    marked: bool
    """Whether truth and answer are the text itself, with stretches of it marked."""


def mistakes(report: Mapping[str, Any]) -> list[Mistakes]:
    """The mistakes that `reports/benchmark.json` tells of, of one task or of each of several."""
    heads = {name: mapping(found) for name, found in mapping(report.get("heads")).items()}
    reports: dict[str, Mapping[str, Any]] = {**heads} or {"": report}
    found = [_of(str(name), each) for name, each in reports.items()]
    return [each for each in found if each.classes or each.confusion or each.worst]


def confusions(confusion: Mapping[str, Any], most: int = 8) -> list[dict[str, Any]]:
    """The pairs of classes taken for one another most often: actual, predicted, count, of."""
    names, counts = confusion.get("labels") or [], confusion.get("counts") or []
    pairs = [
        {"actual": names[i], "predicted": names[j], "count": value, "of": sum(row)}
        for i, row in enumerate(counts)
        for j, value in enumerate(row)
        if i != j and value
    ]
    return sorted(pairs, key=lambda pair: -int(pair["count"]))[:most]


def _of(name: str, report: Mapping[str, Any]) -> Mistakes:
    rows = records(report.get("worst"))
    confusion = mapping(report.get("confusion"))
    # an empty list may be of labels or of stretches: the other rows tell
    sides = [side for row in rows for side in (row.get("truth"), row.get("predicted"))]
    marked = any(_spans(side) for side in sides)
    listed = any(isinstance(side, list) for side in sides)
    return Mistakes(
        name=name,
        classes=records(report.get("classes")),
        confusion=confusion,
        confused=confusions(confusion),
        worst=[_mistake(row, marked) for row in rows],
        off="sure" if any("score" in row for row in rows) else "wrong" if listed else "off by",
        marked=marked,
    )


def _mistake(row: Mapping[str, Any], marked: bool) -> Mistake:
    text = str(row.get("text") or "")
    truth, told = row.get("truth"), row.get("predicted")
    if marked:
        pieces = _marked(text, truth, told, MISSED), _marked(text, told, truth, WRONG)
    else:
        pieces = _listed(truth, told, MISSED), _listed(told, truth, WRONG)
    return Mistake(text, *pieces, off=_off(row))


def _off(row: Mapping[str, Any]) -> str:
    if "score" in row:
        return percent(row["score"], 1)
    wrong = row.get("wrong")
    return plain(wrong) if whole_number(wrong) is not None else significant(wrong)


def _listed(own: Any, other: Any, alone: str) -> list[Piece]:
    """Labels, those that the other side lacks as `alone`; a label by itself or a number plain."""
    if not isinstance(own, list):
        return [Piece(UNKNOWN if own is None else _number(own))]
    others = other if isinstance(other, list) else []
    found = [Piece(str(name), RIGHT if name in others else alone) for name in own]
    return found or [Piece(NONE)]


def _number(value: Any) -> str:
    return str(value) if known(value) is None else plain(float(f"{float(value):.4g}"))


def _marked(text: str, own: Any, other: Any, alone: str) -> list[Piece]:
    """The text in pieces, its stretches marked; those that the other side lacks as `alone`."""
    return list(_pieces(text, _spans(own), {*_spans(other)}, alone))


def _pieces(
    text: str, spans: Sequence[tuple[int, int, str]], others: set[Any], alone: str
) -> Iterator[Piece]:
    at = 0
    for start, end, label in sorted(spans):
        if start < at or start >= len(text):  # the text may be shown in part
            continue
        if text[at:start]:
            yield Piece(text[at:start])
        state = RIGHT if (start, end, label) in others else alone
        yield Piece(text[start:end], state, label)
        at = min(end, len(text))
    if text[at:]:
        yield Piece(text[at:])


def _spans(side: Any) -> list[tuple[int, int, str]]:
    """The stretches in a list of [start, end, type]; what is none is left out."""
    found = []
    for each in side if isinstance(side, list) else []:
        if isinstance(each, list) and len(each) == 3:
            start, end = whole_number(each[0]), whole_number(each[1])
            if start is not None and end is not None and start < end:
                found.append((start, end, str(each[2])))
    return found
