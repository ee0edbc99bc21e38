from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tasks.reporting.accounting import MOST_RULES, deliveries, ledger
from tasks.reporting.evidence import Evidence, read_evidence
from tests.reporting import data_made as made
from tests.reporting.made import leave


def evidence(intake: dict[str, Any] | None, **report: Any) -> Evidence:
    leave(Path(), {"ingest": report})
    if intake is not None:
        Path("data").mkdir(exist_ok=True)
        Path("data/intake.json").write_text(json.dumps(intake))
    return read_evidence()


def test_the_parts_of_the_ledger_are_every_row_read(workspace: Path) -> None:
    found = ledger(evidence(made.intake()))
    assert found is not None
    assert found.read == 1400
    assert found.missing == 0
    assert sum(part.rows for part in found.parts) == 1400
    assert [part.name for part in found.parts[:4]] == ["train", "validation", "test", "unlabelled"]
    bad = {part.name: part.rows for part in found.parts if part.name.endswith("(quarantined)")}
    assert bad == {"no label (quarantined)": 6, "text too long (quarantined)": 3}


def test_the_rarest_of_many_rules_stand_together(workspace: Path) -> None:
    intake = made.intake(made.file(1, train=5, quarantined=55))
    intake["rules"] = {f"rule {n:02}": n for n in range(1, 11)}
    found = ledger(evidence(intake))
    assert found is not None
    bad = [(part.name, part.rows) for part in found.parts if part.name.endswith("(quarantined)")]
    assert len(bad) == MOST_RULES + 1
    assert bad[0] == ("rule 10 (quarantined)", 10)
    assert bad[-1] == ("4 other rules (quarantined)", 1 + 2 + 3 + 4)
    assert found.missing == 0


def test_rules_that_are_not_all_of_the_quarantine_are_not_believed(workspace: Path) -> None:
    intake = made.intake() | {"rules": {"no label": 2}}
    found = ledger(evidence(intake))
    assert found is not None
    assert [part.rows for part in found.parts if part.name == "quarantined"] == [9]


def test_without_an_intake_the_report_is_added_up(workspace: Path) -> None:
    metrics = {"rows_read": 107, "train": 80, "validation": 10, "test": 10, "duplicates": 6,
               "contradictions": 0, "leaks": 0, "quarantined": 1}  # fmt: skip
    found = ledger(evidence(None, metrics=metrics))
    assert found is not None
    assert (found.read, found.missing) == (107, 0)


@pytest.mark.parametrize("metrics", [{}, {"rows_read": 9, "quarantined": 5}])
def test_a_stage_that_stopped_early_has_no_ledger(workspace: Path, metrics: Any) -> None:
    assert ledger(evidence(None, status="stopped", metrics=metrics)) is None


def test_the_intake_of_an_earlier_run_is_not_shown(workspace: Path) -> None:
    found = evidence(made.intake(), status="stopped", reason="too many bad rows")
    assert ledger(found) is None
    assert deliveries(found) == []


def test_the_files_of_a_night_are_one_delivery(workspace: Path) -> None:
    morning, evening = made.file(2, train=5, repeated=1), made.file(2, train=7, quarantined=2)
    undated = made.file(1, test=3) | {"date": None}
    found = deliveries(evidence(made.intake(undated, evening, morning, made.file(1, train=4))))
    assert [one.name for one in found] == ["2026-01-01", "2026-01-02", "no date"]
    second = found[1]
    assert (second.files, second.rows, second.kept, second.known) == (2, 15, 12, 1)
    assert second.missing == 0
