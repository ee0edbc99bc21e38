from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.reporting.made import leave, reports


@pytest.fixture
def good(workspace: Path) -> dict[str, dict[str, Any]]:
    """The workspace of a run that came through; returns its reports."""
    found = reports(["bad", "good"])
    leave(workspace, found)
    (workspace / "params.yaml").write_text("benchmark:\n  price_per_hour: 0.085\n")
    return found
