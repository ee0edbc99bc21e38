"""Whatever texts a night's data hold and however its reports are broken, there is a page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from tasks.reporting.page import write_page
from tests.reporting.data_made import put
from tests.reporting.test_page import HOSTILE, drawings, read

WRONG = (None, "x", -1.5, [3], {"a": None}, 10**400, True)
HIDDEN = "pay \u202egnp.exe\u202c zero\u200bwidth \ufeff" + "Z" + "\u0301" * 40


def test_what_hides_in_a_text_is_made_visible(night: Any) -> None:
    for name in night:
        night[name] = json.loads(json.dumps(night[name]).replace("a fine", "a fine " + HIDDEN))
    report = night["reports/ingest.json"]
    report["quarantine"][0] |= {"text": HIDDEN, "file": HIDDEN, "label": HIDDEN}
    put(night)
    page = write_page().read_text(encoding="utf-8")
    assert not {"\u202e", "\u200b", "\ufeff"} & {*page}
    assert "pay ‹U+202E›gnp.exe‹U+202C› zero‹U+200B›width" in page
    assert "\u0301" * 4 not in page


def test_hostile_texts_anywhere_are_only_ever_text(night: Any) -> None:
    for path, _ in list(leaves(night)):
        if isinstance(at(night, path), str) and path[-1] not in ("status", "date", "type"):
            change(night, path, HOSTILE)
    put(night)
    page = write_page().read_text(encoding="utf-8")
    reader = read(page)
    assert not reader.tags & {"script", "img"}
    assert reader.handlers == []
    drawings(page)


@pytest.mark.parametrize("number", range(len(WRONG)))
def test_whatever_is_broken_there_is_a_page(night: Any, number: int) -> None:
    wrong = WRONG[number]
    for path, _ in list(leaves(night))[number :: len(WRONG)]:
        broken = deepcopy(night)
        change(broken, path, wrong)
        put({path[0]: broken[path[0]]})
        read(write_page().read_text(encoding="utf-8"))
        put({path[0]: night[path[0]]})


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every place in nested dicts and lists, the first record of a list only."""
    if len(path) > 1:
        yield path, value
    inner: list[tuple[Any, Any]] = list(value.items()) if isinstance(value, dict) else []
    for key, item in enumerate(value[:1]) if isinstance(value, list) else inner:
        yield from leaves(item, (*path, key))


def at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def change(value: Any, path: tuple[Any, ...], new: Any) -> None:
    at(value, path[:-1])[path[-1]] = new
