from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.reporting import data_made
from tests.reporting.made import FRAME, leave, reports


@pytest.fixture
def good(workspace: Path) -> dict[str, dict[str, Any]]:
    """The workspace of a run that came through; returns its reports."""
    found = reports(["bad", "good"])
    leave(workspace, found)
    (workspace / "params.yaml").write_text("benchmark:\n  price_per_hour: 0.085\n")
    return found


@pytest.fixture
def night(workspace: Path) -> dict[str, Any]:
    """Everything that a night leaves of its data; in the workspace, and returned."""
    found = reports(["bad", "good"])
    lengths = [{"split": name, "unit": unit, "p0": 1, "p5": 4, "p25": 9, "p50": 18, "p75": 30,
                "p95": 44, "p100": 62} for name in ("train", "test")
               for unit in ("words", "characters")]  # fmt: skip
    found["ingest"]["lengths"] = lengths
    found["validate"] |= {"expectations": data_made.expectations(), "tables": data_made.tables()}
    leave(workspace, {name: found[name] for name in ("snapshot", "ingest", "validate")})
    everything = {
        "reports/ingest.json": {**FRAME, **found["ingest"]},
        "reports/validate.json": {**FRAME, **found["validate"]},
        "data/intake.json": data_made.intake(),
        "data/reference.json": {
            "labels": ["bad", "good"],
            "profile": data_made.profile(bad=9, good=1),
        },
    }
    data_made.put(everything)
    Path(".nightshift").mkdir()
    Path(".nightshift/revision").write_text("a" * 40)  # or git is asked, a hundred times
    return everything
