from __future__ import annotations

import os
from pathlib import Path

import pytest

from tasks.stage.cores import cores


@pytest.fixture
def eight(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of eight cores."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)


@pytest.mark.usefixtures("eight")
@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("200000 100000", 2),
        ("250000 100000", 3),
        ("20000 100000", 1),
        ("3200000 100000", 8),
        ("max 100000", 8),
        ("", 8),
    ],
)
def test_a_container_has_the_cores_of_its_limit(tmp_path: Path, limit: str, expected: int) -> None:
    (tmp_path / "cpu.max").write_text(f"{limit}\n")
    assert cores(tmp_path) == expected


@pytest.mark.usefixtures("eight")
def test_without_a_limit_it_has_the_machines(tmp_path: Path) -> None:
    assert cores(tmp_path) == 8
