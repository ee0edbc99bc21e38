"""Holding a suite against tables with Great Expectations."""

from __future__ import annotations

import json
import logging
import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tasks.expectations.entries import Entry
from tasks.expectations.great import gx
from tasks.expectations.suite import expectation, flag
from tasks.expectations.tables import FINDINGS, Table, short
from tasks.stage.errors import BadInput
from tasks.stage.outputs import remove

SHOWN_RECORDS = 3
SHOWN_OF_ERROR = 300


@dataclass
class Judged:
    """One entry held against one table. `ok` is None when it was not judged; then `why` says why.

    `result` is Great Expectations' own; `examples` are some of the records that are not as
    expected: id, value and start.
    """

    entry: Entry
    table: Table
    ok: bool | None = None
    why: str | None = None
    result: Any = None
    examples: list[dict[str, Any]] = field(default_factory=list)

    @property
    def found(self) -> dict[str, Any]:
        """What Great Expectations found; empty when nothing was judged."""
        return {} if self.result is None else self.result.result

    @property
    def flagged(self) -> bool:
        """Whether it is judged by a flag that the records have, not by the column itself."""
        return self.table.name == "rows" and flag(self.entry) in self.table.frame

    @property
    def stops(self) -> bool:
        """Whether the data must not be used."""
        return self.ok is False and self.entry.severity != "warn"

    def outcome(self) -> dict[str, Any]:
        """The same for reports, as plain JSON."""
        entry = self.entry
        limits = {} if self.result is None else self.result.expectation_config.kwargs
        stated = limits if "value_set" in limits and not self.flagged else entry.limits
        return {
            "name": entry.name,
            "table": entry.table,
            "split": self.table.split,
            "column": entry.column,
            "severity": entry.severity,
            "because": entry.because,
            "ok": self.ok,
            "why": self.why,
            "observed": self._observed(),
            "limit": {
                "type": entry.expect,
                **{
                    key: value for key, value in stated.items() if key not in ("column", "batch_id")
                },
                **({"where": entry.model_dump(mode="json")["where"]} if entry.where else {}),
            },
            "unexpected": int(self.found.get("unexpected_count") or 0),
            "examples": self.examples,
        }

    def _observed(self) -> Any:
        if self.result is None:
            return None
        if self.found.get("observed_value") is not None:
            return plain(self.found["observed_value"])
        if "observed_value" in self.found:
            lists = {"unexpected": "partial_unexpected_list", "missing": "partial_missing_list"}
            return {name: plain(self.found.get(key, [])) for name, key in lists.items()}
        if "unexpected_count" in self.found:
            counts = (self.found["element_count"], self.found["unexpected_count"])
            return dict(zip(("rows", "unexpected"), map(plain, counts), strict=True))
        return {"error": _error(self.result)}


def audit(tables: Sequence[Table], entries: Sequence[Entry], labels: Sequence[str]) -> list[Judged]:
    """Every entry held against every table that it is about, table by table, in their order.

    An entry over a table that could not be made, over no record, or over records without figures
    is not judged. Raises BadInput for an entry that names a column that its table has not.
    """
    judged = [
        Judged(entry, table)
        for table in tables
        for entry in entries
        if entry.table == table.name and (entry.splits is None or table.split in entry.splits)
    ]
    groups: dict[tuple[str, str], list[Judged]] = defaultdict(list)
    for one in judged:
        one.why = _not_judged(one.entry, one.table, one.flagged)
        if one.why is None:
            where = json.dumps(one.entry.model_dump(mode="json")["where"], sort_keys=True)
            groups[one.table.title, where].append(one)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
        context = gx.get_context(mode="ephemeral")
        _quiet(context)
        for at, group in enumerate(groups.values()):
            _hold(context, f"{group[0].table.title} {at}", group, labels)
    _illustrate(judged)
    return judged


def plain(value: Any) -> Any:
    """A value as plain JSON, whatever it is made of."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | np.ndarray):
        return [plain(item) for item in value]
    return short(value)


def _quiet(context: Any) -> None:
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    for name, site in dict(context.list_data_docs_sites()).items():
        context.delete_data_docs_site(name)
        remove(Path(site["store_backend"]["base_directory"]))


def _not_judged(entry: Entry, table: Table, flagged: bool) -> str | None:
    if table.frame.empty and table.notes:
        return "; ".join(table.notes)
    about = [] if flagged or entry.column is None else [entry.column]
    for column in [*about, *entry.where]:
        if column not in table.frame:
            raise BadInput(
                f"expectation {entry.name!r}: table {table.name} has no column {column!r}; "
                f"it has {', '.join(map(str, table.frame.columns))}"
            )
    if table.notes and _says_nothing(flag(entry) if flagged else entry.column, table, flagged):
        return "; ".join(table.notes)
    if table.name in (*FINDINGS, "rows", "classes") or entry.expect.startswith("table_"):
        return None
    chosen = table.frame[table.selected(entry.where)]
    if chosen.empty:
        return ": ".join(filter(None, [f"no record{entry.scope}", table.why_not(entry.where)]))
    if entry.column and "null" not in entry.expect and chosen[entry.column].isna().all():
        return f"no figure{entry.scope}: {chosen['start'].iloc[0]}"
    return None


def _says_nothing(column: str | None, table: Table, flagged: bool) -> bool:
    """Whether there is no figure of the labels in a column, which the table's notes explain."""
    about_labels = flagged or table.name == "classes"
    return about_labels and column in table.frame and bool(table.frame[column].isna().all())


def _hold(context: Any, name: str, group: Sequence[Judged], labels: Sequence[str]) -> None:
    """Ask Great Expectations about entries that share a table and a `where`."""
    suite = gx.ExpectationSuite(name=name)
    for at, one in enumerate(group):
        rule = expectation(one.entry, labels, one.flagged)
        rule.meta = {**rule.meta, "at": at}
        suite.add_expectation(rule)
    table = group[0].table
    asset = context.data_sources.add_pandas(name).add_dataframe_asset(name)
    definition = asset.add_batch_definition_whole_dataframe(name)
    where = group[0].entry.where
    frame = table.frame[table.selected(where)] if where else table.frame
    results = (
        definition.get_batch(batch_parameters={"dataframe": frame})
        .validate(
            suite,
            # without names of columns, only the places of records are listed: no text a record
            result_format={"result_format": "SUMMARY", "partial_unexpected_count": SHOWN_RECORDS},
        )
        .results
    )
    for result in results:
        one = group[result.expectation_config.meta["at"]]
        one.result, one.ok = result, bool(result.success)


def _illustrate(judged: Sequence[Judged]) -> None:
    """Look up the records to show, once a table."""
    by_table: dict[str, list[Judged]] = defaultdict(list)
    for one in judged:
        if one.ok is False and _places(one):
            by_table[one.table.title].append(one)
    for group in by_table.values():
        places = {at for one in group for at in _places(one)}
        shown = group[0].table.show(places, [one.entry.column or "id" for one in group])
        for one in group:
            one.examples = list(_examples(one, shown))


def _examples(one: Judged, shown: dict[int, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for at in _places(one):
        record = shown[at]
        value = record.get(one.entry.column or "id")
        yield {"id": record["id"], "value": value, "start": record["start"]}


def _places(one: Judged) -> list[int]:
    places = one.found.get("partial_unexpected_index_list") or []
    return [int(at) for at in places[:SHOWN_RECORDS]]


def _error(result: Any) -> str:
    """What went wrong inside an expectation, in its own words."""
    raised = result.exception_info
    parts = [raised] if "exception_message" in raised else list(raised.values())
    said = [part["exception_message"] for part in parts if isinstance(part, dict)]
    return " ".join(str(said[0] if said else raised).split())[:SHOWN_OF_ERROR]
