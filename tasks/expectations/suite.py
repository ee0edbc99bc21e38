"""From entries to expectations: what Great Expectations is asked about each table."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tasks.expectations.entries import EXPECTATIONS, Entry, read_entries
from tasks.expectations.great import gxe
from tasks.expectations.rows import RowRule, row_rule
from tasks.stage.errors import BadInput

_SQL = "needs a database; these tables are in memory"
NOT_HERE = {
    "column_values_to_match_like_pattern": _SQL,
    "column_values_to_match_like_pattern_list": _SQL,
    "column_values_to_not_match_like_pattern": _SQL,
    "column_values_to_not_match_like_pattern_list": _SQL,
    "query_results_to_match_comparison": _SQL,
    "table_row_count_to_equal_other_table": _SQL,
    "multicolumn_values_to_be_unique": "is select_column_values_to_be_unique_within_record now",
}
"""Core expectations that can't be had on our tables, and why; all others can."""
LEVELS = {"stop": "critical", "quarantine": "critical", "warn": "warning"}
TEXTS = ("text", "text_pair")
SHOWN_VALUES = 5


def read_suite(path: Path = EXPECTATIONS) -> list[Entry]:
    """The effective suite, every entry of it checked against what Great Expectations takes.

    Raises BadInput as `read_entries` does, and for an expectation that there is not, can't be had
    on a table in memory, or takes other limits.
    """
    entries = read_entries(path)
    problems: list[str] = []
    for entry in entries:
        try:
            expectation(entry, ["a", "b"])
        except BadInput as error:
            problems.append(f"{path}, entry {entry.name!r}: {error}")
    if problems:
        raise BadInput("\n".join(problems))
    return entries


def expectation(
    entry: Entry, labels: Sequence[str], flagged: bool | None = None
) -> gxe.Expectation:
    """What an entry expects, with `labels` where it says `known`.

    What is said of the texts of single rows is said of a flag, since the table holds no texts; so
    is what else the table has a flag for (`flagged`).
    """
    kind = _kind(entry.expect)
    arguments = _arguments(entry, labels)
    if by_flag(entry) if flagged is None else flagged:
        kind = _kinds()["column_values_to_be_in_set"]
        mostly = {key: value for key, value in entry.with_.items() if key == "mostly"}
        arguments = {"column": flag(entry), "value_set": [True], **mostly}
    try:
        return kind(
            **arguments,
            meta={"name": entry.name},
            description=f"{entry.name}: {said(entry)}",
            severity=LEVELS[entry.severity],
        )
    except (ValueError, TypeError) as error:
        raise BadInput(_one_line(entry, error)) from None


def known_expectations() -> set[str]:
    """The names of all core expectations that can be had."""
    return {*_kinds()} - {*NOT_HERE}


def by_flag(entry: Entry) -> bool:
    """Whether an entry is judged by the flag of a row rule, not by the column itself."""
    about_text = entry.column in TEXTS and "null" not in entry.expect
    return entry.judges_single_rows and (about_text or "regex" in entry.expect)


def by_class(entry: Entry) -> bool:
    """Whether an entry says which labels there may be."""
    sets = ("column_values_to_be_in_set", "column_values_to_not_be_in_set")
    return entry.table == "rows" and entry.column == "label" and entry.expect in sets


def flag(entry: Entry) -> str:
    """The column of rows that says of each whether an entry is met, where there is one."""
    return f"{entry.column}: {entry.name}"


def flags(entries: Sequence[Entry]) -> list[RowRule]:
    """The row rules whose flags the rows must have."""
    return [row_rule(entry) for entry in entries if by_flag(entry)]


def whole_texts(entries: Sequence[Entry]) -> set[str]:
    """The columns of texts that must be in memory for what is expected of them."""
    needing = [
        entry
        for entry in entries
        if entry.table == "rows" and not by_flag(entry) and "null" not in entry.expect
    ]
    return {column for entry in needing for column in _columns(entry) if column in TEXTS}


def suite_hash(entries: Sequence[Entry], labels: Sequence[str]) -> str:
    """The sha256 of everything that is expected, whatever the data."""
    content = [entry.model_dump(mode="json", by_alias=True) for entry in entries]
    text = json.dumps({"entries": content, "labels": sorted(labels)}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def said(entry: Entry) -> str:
    """What an entry demands, in words: `label must be in set negative, positive`."""
    phrase = entry.expect.removesuffix("_to_be_between").removeprefix("column_").replace("_", " ")
    phrase = re.sub("^values to ", "must ", re.sub("^values$", "", phrase))
    bounds = (("at least", entry.at_least), ("at most", entry.at_most))
    limits = [f"{word} {_plain(bound)}" for word, bound in bounds if bound is not None]
    if entry.values is not None:
        limits.append(entry.values if isinstance(entry.values, str) else _listed(entry.values))
    if entry.matches is not None:
        limits.append(entry.matches)
    limits += [f"{key} {_plain(value)}" for key, value in entry.with_.items()]
    return " ".join(filter(None, [entry.column, phrase, ", ".join(limits)])) + entry.scope


def _arguments(entry: Entry, labels: Sequence[str]) -> dict[str, Any]:
    column = {} if entry.column is None else {"column": entry.column}
    limits = entry.limits
    if limits.get("value_set") == "known":
        limits["value_set"] = sorted(labels)
    return {**column, **limits}


def _kind(expect: str) -> type[gxe.Expectation]:
    if expect in NOT_HERE:
        raise BadInput(f"expect: {expect} {NOT_HERE[expect]}")
    kind = _kinds().get(expect)
    if kind is None:
        raise BadInput(
            f"expect: got {expect!r}; takes a core expectation of Great Expectations in snake "
            f"case, without the leading `expect_`, for example column_values_to_be_between"
        )
    return kind


@functools.cache
def _kinds() -> dict[str, type[gxe.Expectation]]:
    names = (name for name in dir(gxe) if name.startswith("Expect") and name != "Expectation")
    return {_snake(name).removeprefix("expect_"): getattr(gxe, name) for name in names}


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _columns(entry: Entry) -> Iterator[str]:
    """Every column that an entry names, with `where` and in further arguments too."""
    named = [value for key, value in entry.with_.items() if key.startswith("column")]
    for name in [entry.column, *entry.where, *named]:
        yield from name if isinstance(name, list) else [str(name)]


def _one_line(entry: Entry, error: Exception) -> str:
    """What Great Expectations has against the limits, under the names that the file gives them."""
    ours = {"min_value": "at_least", "max_value": "at_most", "value_set": "values"}
    ours |= {"regex": "matches", "__root__": "limits"}
    problems = error.errors() if hasattr(error, "errors") else [{"loc": [], "msg": str(error)}]
    lines = [
        f"{ours.get(key := str(next(iter(problem['loc']), '__root__')), key)}: "
        f"{' '.join(str(problem['msg']).split())}"
        for problem in problems
    ]
    return f"{'; '.join(lines)} (expect: {entry.expect})"


def _listed(values: Sequence[Any]) -> str:
    more = len(values) - SHOWN_VALUES
    return ", ".join(map(str, values[:SHOWN_VALUES])) + (f" and {more} more" if more > 0 else "")


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
