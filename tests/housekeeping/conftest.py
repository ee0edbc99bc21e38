from __future__ import annotations

import pytest

from tasks.store import lock


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for the lock looks more often."""
    monkeypatch.setattr(lock, "SECONDS_BETWEEN_LOOKS", 0.02)
