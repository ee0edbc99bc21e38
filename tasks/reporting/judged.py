"""What `validate` expected and what became of it, in words for the page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tasks.reporting.evidence import Evidence, mapping, records
from tasks.reporting.wording import UNKNOWN, count, known, plain, short, whole_number

STATES = ("stopped", "warned", "not judged", "met")
"""What can become of an expectation, the worst first."""
MOST_EXAMPLES = 3
MOST_VALUES = 6
_NOT_LIMITS = {"type", "column", "min_value", "max_value", "value_set", "severity"}


@dataclass(frozen=True)
class Example:
    """A record that an expectation does not hold for."""

    id: str
    value: str
    start: str


@dataclass(frozen=True)
class Judgement:
    """One expectation. `state` is one of STATES."""

    name: str
    table: str
    split: str
    column: str
    severity: str
    state: str
    takes: str
    found: str
    why: str
    """Why it is expected, or why it was not judged; may be empty."""
    examples: list[Example]


def judgements(evidence: Evidence) -> list[Judgement]:
    """Every expectation, those that stop the run first, else in the report's order."""
    rows = records(evidence.stages["validate"].report.get("expectations"))
    return sorted((_judgement(row) for row in rows), key=lambda one: STATES.index(one.state))


def state_of(outcome: dict[str, Any]) -> str:
    """What became of one outcome of the report."""
    if outcome.get("ok") is True:
        return "met"
    if outcome.get("ok") is not False:
        return "not judged"
    return "warned" if outcome.get("severity") == "warn" else "stopped"


def state_of_record(evidence: Evidence, record: dict[str, Any], table: str) -> str:
    """What the expectations of a table say to one record of it: the worst that any of them does."""
    found = {
        state_of({**outcome, "ok": not _beyond(record[column], limit)})
        for outcome, column, limit in _about(evidence, table, record)
        if known(record.get(column)) is not None
    }
    return min(found, key=STATES.index, default="not judged")


def limits_of(evidence: Evidence, record: dict[str, Any], table: str) -> dict[str, float]:
    """The largest value that `warn` and `stop` allow a record of a table; the strictest counts."""
    found: dict[str, float] = {}
    for outcome, _, limit in _about(evidence, table, record):
        largest = known(limit.get("max_value"))
        severity = "warn" if outcome.get("severity") == "warn" else "stop"
        if largest is not None:
            found[severity] = min(largest, found.get(severity, largest))
    return found


def _about(
    evidence: Evidence, table: str, record: dict[str, Any]
) -> Iterator[tuple[dict[str, Any], str, dict[str, Any]]]:
    """The outcomes that are about a record: each with its column and its limits."""
    for outcome in records(evidence.stages["validate"].report.get("expectations")):
        limit, column = mapping(outcome.get("limit")), outcome.get("column")
        where = mapping(limit.get("where"))
        if outcome.get("table") != table or not isinstance(column, str):
            continue
        if all(_picks(wanted, record.get(key)) for key, wanted in where.items()):
            yield outcome, column, limit


def _beyond(value: Any, limit: dict[str, Any]) -> bool:
    number, low, high = known(value), known(limit.get("min_value")), known(limit.get("max_value"))
    if number is None:
        return False
    return (low is not None and number < low) or (high is not None and number > high)


def _picks(wanted: Any, value: Any) -> bool:
    if isinstance(wanted, list):
        return value in wanted
    if not isinstance(wanted, dict):
        return bool(value == wanted)
    number, low, high = known(value), known(wanted.get("at_least")), known(wanted.get("at_most"))
    return (
        number is not None and (low is None or number >= low) and (high is None or number <= high)
    )


def _judgement(row: dict[str, Any]) -> Judgement:
    state = state_of(row)
    limit = mapping(row.get("limit"))
    why = row.get("why" if state == "not judged" else "because")
    severity = row.get("severity") if row.get("severity") in ("warn", "quarantine") else "stop"
    return Judgement(
        name=short(row.get("name"), 120),
        table=short(row.get("table") or row.get("subject") or "rows"),
        split=short(row.get("split") or ""),
        column=short(row.get("column") or limit.get("column") or ""),
        severity=str(severity),
        state=state,
        takes=", ".join(_takes(limit)),
        found="" if state == "not judged" else _found(row),
        why=short(why, 300) if why else "it is not said why" if state == "not judged" else "",
        examples=[_example(one) for one in records(row.get("examples"))[:MOST_EXAMPLES]],
    )


def _takes(limit: dict[str, Any]) -> Iterator[str]:
    low, high = known(limit.get("min_value")), known(limit.get("max_value"))
    if low is not None:
        yield f"{'>' if limit.get('strict_min') is True else '≥'} {plain(low)}"
    if high is not None:
        yield f"{'<' if limit.get('strict_max') is True else '≤'} {plain(high)}"
    values = limit.get("value_set")
    if isinstance(values, list):
        yield ", ".join(short(value, 40) for value in values[:MOST_VALUES])
        if len(values) > MOST_VALUES:
            yield f"{len(values) - MOST_VALUES} more"
    for key, value in limit.items():
        if key not in _NOT_LIMITS and isinstance(value, str | int | float) and value is not True:
            yield f"{short(key)} {short(value, 60)}"


def _found(row: dict[str, Any]) -> str:
    observed = row.get("observed")
    counted = mapping(observed)
    if whole_number(counted.get("rows")) is not None:
        return f"{count(counted.get('unexpected'))} of {count(counted['rows'])} against it"
    number = known(observed)
    if number is not None:
        return _figure(number)
    if isinstance(observed, list):
        return f"{len(observed)} {'as expected' if row.get('ok') else 'and not those expected'}"
    if counted:
        return short(counted.get("error") or counted, 160)
    return UNKNOWN if observed is None else short(observed, 160)


def _figure(number: float) -> str:
    return plain(number) if number.is_integer() else plain(float(f"{number:.4g}"))


def _example(row: dict[str, Any]) -> Example:
    value = row.get("value")
    number = known(value)
    shown = short(value) if number is None else _figure(number)
    return Example(short(row.get("id")), shown, short(row.get("start") or ""))
