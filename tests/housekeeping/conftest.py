from __future__ import annotations

from pathlib import Path

import pytest

from tasks.store import lock
from tasks.store.store import Store, open_store


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A store in a folder, and one in a real bucket."""
    if request.param == "folder":
        return open_store(str(tmp_path / "store"))
    return open_store(f"s3://{request.getfixturevalue('bucket')}/team")


@pytest.fixture
def here(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "store"))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for the lock looks more often."""
    monkeypatch.setattr(lock, "SECONDS_BETWEEN_LOOKS", 0.02)
