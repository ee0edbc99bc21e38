from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def nothing_known_from_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file is read: none comes from the cache of an earlier run."""
    monkeypatch.setenv("NIGHTSHIFT_CACHE", str(tmp_path / "cache"))
