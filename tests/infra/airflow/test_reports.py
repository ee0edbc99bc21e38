"""Whose report the tab shows: of several models each has a store of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import HTTPException

from infra.airflow.plugins.reports import _file
from tasks.handover.names import run_slug
from tests.dags.conftest import HOME

RUN = "scheduled__2026-11-24T02:00:00+00:00"
PAGE = f"runs/{run_slug(RUN)}/reports/index.html"


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    assert HOME
    for name in ("mood", "tickets"):
        (tmp_path / "fleet" / name).mkdir(parents=True)
        (tmp_path / "fleet" / name / "params.yaml").write_text("{}")
        page = tmp_path / "store" / name / PAGE
        page.parent.mkdir(parents=True)
        page.write_text(f"the report of {name}")
    monkeypatch.setenv("NIGHTSHIFT_MODELS", str(tmp_path / "fleet"))
    monkeypatch.setenv("NIGHTSHIFT_STORE", str(tmp_path / "store"))
    return tmp_path


@pytest.mark.parametrize("name", ["mood", "tickets"])
def test_a_run_of_the_same_name_has_the_report_of_its_own_model(fleet: Path, name: str) -> None:
    answer = _file(f"nightly_retraining-{name}", RUN, "index.html")
    assert bytes(answer.body).decode() == f"the report of {name}"


@pytest.mark.parametrize(
    ("dag", "path"),
    [
        ("nightly_retraining", "index.html"),
        ("nightly_retraining-other", "index.html"),
        ("weekly_housekeeping-mood", "index.html"),
        ("nightly_retraining-mood", "../run.json"),
        ("nightly_retraining-mood", "missing.html"),
    ],
)
def test_nothing_else_is_shown(fleet: Path, dag: str, path: str) -> None:
    with pytest.raises(HTTPException) as refused:
        _file(dag, RUN, path)
    assert refused.value.status_code == 404
