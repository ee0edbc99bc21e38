from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tasks.reporting.evidence import Evidence, read_evidence
from tasks.reporting.judged import judgements, limits_of, state_of_record
from tests.reporting.data_made import at_most, expectation
from tests.reporting.made import leave

WARN = expectation(
    "w", "drift", "drift", True, severity="warn", limit=at_most(0.1, measure="labels")
)
STOP = expectation("s", "drift", "drift", True,
                   limit=at_most(0.5, measure="labels", slice=["all", "new"]))  # fmt: skip
LARGE = expectation("l", "intake", "repeated_share", True,
                    limit=at_most(0.5, rows={"at_least": 50, "at_most": None}))  # fmt: skip


def evidence(*outcomes: dict[str, Any]) -> Evidence:
    leave(Path(), {"validate": {"expectations": list(outcomes)}})
    return read_evidence()


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        ({"ok": True}, "met"),
        ({"ok": False, "severity": "warn"}, "warned"),
        ({"ok": False, "severity": "stop"}, "stopped"),
        ({"ok": False, "severity": "quarantine"}, "stopped"),
        ({"ok": None, "why": "no reference yet"}, "not judged"),
        ({}, "not judged"),
    ],
)
def test_what_becomes_of_an_expectation(workspace: Path, outcome: Any, state: str) -> None:
    (found,) = judgements(evidence({"name": "one", **outcome}))
    assert found.state == state


def test_who_reads_is_told_why_it_is_expected_or_why_it_was_not_judged(workspace: Path) -> None:
    met = {"name": "a", "ok": False, "severity": "stop", "because": "it leaks", "why": None}
    unjudged = {"name": "b", "ok": None, "because": "it leaks", "why": "no dates"}
    silent = {"name": "c", "ok": None}
    whys = [one.why for one in judgements(evidence(met, unjudged, silent))]
    assert whys == ["it leaks", "no dates", "it is not said why"]


def test_the_worst_stand_first(workspace: Path) -> None:
    met, stopped = ({"name": "a", "ok": True}, {"name": "b", "ok": False, "severity": "stop"})
    warned, open_ = ({"name": "c", "ok": False, "severity": "warn"}, {"name": "d", "ok": None})
    found = judgements(evidence(met, open_, warned, stopped))
    assert [one.name for one in found] == ["b", "c", "d", "a"]


def test_limits_are_those_of_the_records_they_are_about(workspace: Path) -> None:
    found = evidence(WARN, STOP)
    new, source = ({"measure": "labels", "slice": name} for name in ("new", "source a"))
    assert limits_of(found, new, "drift") == {"warn": 0.1, "stop": 0.5}
    assert limits_of(found, source, "drift") == {"warn": 0.1}
    assert limits_of(found, {"measure": "lengths"}, "drift") == {}


@pytest.mark.parametrize(
    ("drift", "state"), [(0.05, "met"), (0.2, "warned"), (0.6, "stopped"), (None, "not judged")]
)
def test_a_record_is_as_bad_as_its_worst_expectation(
    workspace: Path, drift: float | None, state: str
) -> None:
    record = {"measure": "labels", "slice": "all", "drift": drift}
    assert state_of_record(evidence(WARN, STOP), record, "drift") == state


def test_a_range_says_which_records_are_judged(workspace: Path) -> None:
    found = evidence(LARGE)
    small, large = ({"rows": rows, "repeated_share": 0.9} for rows in (10, 50))
    assert state_of_record(found, small, "intake") == "not judged"
    assert state_of_record(found, large, "intake") == "stopped"


@pytest.mark.parametrize(
    ("limit", "takes"),
    [
        ({"min_value": 0.002, "max_value": 0.98}, "≥ 0.002, ≤ 0.98"),
        ({"max_value": 20_000, "strict_max": True}, "< 20,000"),
        ({"value_set": list("abcdefgh")}, "a, b, c, d, e, f, 2 more"),
        ({"regex": "^x$", "mostly": 0.9, "where": {"id": "all"}}, "regex ^x$, mostly 0.9"),
    ],
)
def test_limits_in_words(workspace: Path, limit: Any, takes: str) -> None:
    (found,) = judgements(evidence({"name": "one", "ok": True, "limit": limit}))
    assert found.takes == takes
