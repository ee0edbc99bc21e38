"""Row rules: the expectations that `ingest` sets single rows aside by, while it reads them.

Nothing heavy is imported here: a rule is checked on millions of rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.expectations.entries import EXPECTATIONS, Entry, read_entries

SHOWN_VALUES = 5
SHOWN_CHARACTERS = 60

Strings: TypeAlias = "pa.Array | pa.ChunkedArray"


@dataclass(frozen=True)
class RowRule:
    """What one column of a row must be like; picklable, and equal when it demands the same.

    A value that is null breaks only the rule that it must be there, as in Great Expectations.
    """

    name: str
    column: str
    expect: str
    at_least: float | None = None
    at_most: float | None = None
    values: tuple[str, ...] = ()
    matches: str = ""

    @property
    def describe(self) -> str:
        """What the rule demands, for people."""
        return f"{self.column} {_DEMANDS[self.expect](self)}"

    def check(
        self,
        texts: Strings,
        pairs: Strings | None = None,
        labels: Strings | None = None,
        names: Sequence[Collection[str]] | None = None,
    ) -> tuple[np.ndarray, list[str]]:
        """Which rows are bad (bool, one a row), and the reason for each bad one, in row order.

        The columns are Arrow strings of equal length; a column that the source does not have is
        None, and what is demanded of it is met. `names` are the classes that each label speaks of,
        where that is not the label itself: what labels may be is demanded of each of them.
        """
        column = {"text_pair": pairs, "label": labels}.get(self.column, texts)
        if column is None or (self.column == "text_pair" and pairs is None):
            return np.zeros(len(texts), bool), []
        measured = _characters(texts, pairs) if self.column == "characters" else column
        if names is not None and self.column == "label" and self.expect in _OF_NAMES:
            bad = np.array([_OF_NAMES[self.expect](self, each) for each in names], bool)
        else:
            bad = _CHECKS[self.expect](self, measured)
        return bad, list(self._reasons(measured, bad))

    @property
    def flag(self) -> str:
        """The column of a table of rows that says of each whether the rule is met."""
        return f"{self.column}: {self.name}"

    def _reasons(self, measured: Strings, bad: np.ndarray) -> Iterator[str]:
        """Of a text only its length is told: it may hold personal data, which nobody masked yet."""
        demand = _DEMANDS[self.expect](self)
        for value in measured.filter(pa.array(bad)).to_pylist():
            if self.column == "characters" or "lengths" in self.expect:
                who = "the row" if self.column == "characters" else self.column
                long = value if isinstance(value, int) else len(value)
                yield f"{who} has {long:,} characters; {demand}"
            elif self.column == "label" and value is not None:
                yield f"label is {_shown(value)}; {demand}"
            else:
                yield f"{self.column} {demand}"


def row_rules(path: Path = EXPECTATIONS) -> list[RowRule]:
    """The rules of severity `quarantine`. Raises BadInput as `read_entries` does."""
    return [row_rule(entry) for entry in read_entries(path) if entry.severity == "quarantine"]


def row_rule(entry: Entry) -> RowRule:
    """The rule that an entry (`entry.is_row_rule`) states."""
    limits = entry.limits
    return RowRule(
        entry.name,
        entry.column or "",
        entry.expect,
        limits.get("min_value"),
        limits.get("max_value"),
        tuple(str(value) for value in limits.get("value_set", ())),
        limits.get("regex", ""),
    )


def _characters(texts: Strings, pairs: Strings | None) -> Strings:
    """The length of each row's texts together."""
    lengths = pc.utf8_length(texts)
    return lengths if pairs is None else pc.add(lengths, pc.fill_null(pc.utf8_length(pairs), 0))


def _outside(rule: RowRule, values: Strings) -> np.ndarray:
    low = -np.inf if rule.at_least is None else rule.at_least
    high = np.inf if rule.at_most is None else rule.at_most
    numbers = values.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return np.asarray((numbers < low) | (numbers > high))  # false for null, which is NaN


def _unmatched(rule: RowRule, values: Strings) -> np.ndarray:
    search = re.compile(rule.matches).search
    found = (value is not None and not search(value) for value in values.to_pylist())
    return np.fromiter(found, bool, len(values))


def _matched(rule: RowRule, values: Strings) -> np.ndarray:
    search = re.compile(rule.matches).search
    found = (value is not None and bool(search(value)) for value in values.to_pylist())
    return np.fromiter(found, bool, len(values))


def _member(rule: RowRule, values: Strings) -> np.ndarray:
    known = pa.array(rule.values, values.type)
    return np.asarray(pc.is_in(values, value_set=known).to_numpy(zero_copy_only=False), bool)


def _null(_: RowRule, values: Strings) -> np.ndarray:
    return np.asarray(values.is_null().to_numpy(zero_copy_only=False), bool)


_CHECKS: dict[str, Callable[[RowRule, Strings], np.ndarray]] = {
    "column_values_to_match_regex": _unmatched,
    "column_values_to_not_match_regex": _matched,
    "column_value_lengths_to_be_between": lambda rule, values: _outside(
        rule, pc.utf8_length(values)
    ),
    "column_values_to_be_between": _outside,
    "column_values_to_be_in_set": lambda rule, values: (
        ~_member(rule, values) & ~_null(rule, values)
    ),
    "column_values_to_not_be_in_set": _member,
    "column_values_to_not_be_null": _null,
}


_OF_NAMES: dict[str, Callable[[RowRule, Collection[str]], bool]] = {
    "column_values_to_be_in_set": lambda rule, names: not {*names} <= {*rule.values},
    "column_values_to_not_be_in_set": lambda rule, names: bool({*names} & {*rule.values}),
}


def _between(rule: RowRule) -> str:
    bounds = [("at least", rule.at_least), ("at most", rule.at_most)]
    return "takes " + " and ".join(
        f"{word} {bound:,g}" for word, bound in bounds if bound is not None
    )


def _listed(rule: RowRule) -> str:
    more = len(rule.values) - SHOWN_VALUES
    listed = ", ".join(map(_shown, rule.values[:SHOWN_VALUES]))
    return f"{listed} and {more} more" if more > 0 else listed


_DEMANDS: dict[str, Callable[[RowRule], str]] = {
    "column_values_to_match_regex": lambda rule: f"must match {rule.matches!r}",
    "column_values_to_not_match_regex": lambda rule: f"must not match {rule.matches!r}",
    "column_value_lengths_to_be_between": lambda rule: f"{_between(rule)} characters",
    "column_values_to_be_between": _between,
    "column_values_to_be_in_set": lambda rule: f"takes {_listed(rule)}",
    "column_values_to_not_be_in_set": lambda rule: f"must not be {_listed(rule)}",
    "column_values_to_not_be_null": lambda _: "must be there",
}


def _shown(value: str) -> str:
    return repr(value if len(value) <= SHOWN_CHARACTERS else f"{value[: SHOWN_CHARACTERS - 1]}…")
