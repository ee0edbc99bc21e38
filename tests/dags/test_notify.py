from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG

from dags.notify import Notify
from dags.operators import NightshiftOperator

RUN = "manual__2026-01-31T02:00:00+00:00"


def context(**left: dict[str, Any]) -> Any:
    """A context whose tasks left these results."""
    with DAG("nightly_retraining") as dag:
        before = None
        for name in ("prepare", "validate", "gate", "publish", "promote", "announce"):
            task = NightshiftOperator(task_id=name, arguments=[name])
            before = task if before is None else before >> task
    ti = SimpleNamespace(xcom_pull=lambda task_ids: left.get(task_ids))
    return {"dag": dag, "run_id": RUN, "ti": ti, "reason": "task_failure"}


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A web hook that keeps what it is told."""
    told: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.append(json.loads(body)["text"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("NIGHTSHIFT_NOTIFY_URL", f"http://127.0.0.1:{server.server_port}/secret")
    yield told
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_good_night_is_told_by_what_serves_now_with_the_way_to_its_report(
    hook: list[str],
) -> None:
    version = {"name": "reviews", "version": "v1.3.0"}
    Notify()(
        context(
            gate={"verdict": "blessed", "reasons": []}, publish=version, promote=version,
            announce={"headline": "A 2-layer model: 4.1 times faster"},
        )
    )  # fmt: skip
    (text,) = hook
    first, headline, run, link = text.splitlines()
    assert first == "nightly_retraining: reviews@v1.3.0 is in production"
    assert headline == "A 2-layer model: 4.1 times faster"
    assert run == f"run {RUN}"
    assert link.endswith(
        "/nightshift/dags/nightly_retraining/runs/manual__2026-01-31T02%3A00%3A00%2B00%3A00/reports/index.html"
    )


def test_the_web_hook_may_stand_in_a_file(
    hook: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "url").write_text(f"{os.environ['NIGHTSHIFT_NOTIFY_URL']}\n")
    monkeypatch.delenv("NIGHTSHIFT_NOTIFY_URL")
    monkeypatch.setenv("NIGHTSHIFT_NOTIFY_URL_FILE", str(tmp_path / "url"))
    Notify()(context())
    assert len(hook) == 1


def test_a_version_that_nobody_promoted_is_told_as_such(hook: list[str]) -> None:
    version = {"name": "reviews", "version": "v1.3.0"}
    Notify()(context(gate={"verdict": "blessed", "reasons": []}, publish=version))
    assert hook[0].startswith("nightly_retraining: reviews@v1.3.0 is published, not promoted\n")


def test_a_refusal_is_told_with_its_first_reason(hook: list[str]) -> None:
    Notify()(context(gate={"verdict": "refused", "reasons": ["it loses 2 points", "slow"]}))
    assert hook[0].startswith("nightly_retraining: refused: it loses 2 points\n")


def test_a_bad_one_by_the_task_that_failed_and_why(hook: list[str]) -> None:
    stopped = {"status": "stopped", "reason": "12 % of the rows have no label"}
    Notify()(context(validate=stopped, announce={"headline": "stopped"}))
    assert hook[0].startswith("nightly_retraining: validate stopped: 12 % of the rows have no")


def test_a_run_that_left_nothing_still_says_that_it_ended(hook: list[str]) -> None:
    Notify()({**context(), "reason": "timed_out"})
    assert hook[0].startswith("nightly_retraining: ended: timed_out\n")


def test_without_a_hook_it_is_logged(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("NIGHTSHIFT_NOTIFY_URL", raising=False)
    Notify()(context(announce={"headline": "all is well"}))
    said = capfd.readouterr().out
    assert "all is well" in said


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/hidden", "file:///hidden", "hidden"])
def test_a_hook_that_is_away_fails_nothing_and_is_not_named(
    url: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NIGHTSHIFT_NOTIFY_URL", url)
    Notify()(context())
    said = capfd.readouterr().out
    assert "NIGHTSHIFT_NOTIFY_URL" in said
    assert "hidden" not in said


def test_what_has_no_report_names_none(hook: list[str]) -> None:
    with DAG("weekly_housekeeping") as dag:
        NightshiftOperator(task_id="drill", arguments=["drill"])
    left = {"drill": {"status": "failed", "reason": "drill of reviews@v1.0.0: it is damaged"}}
    ti = SimpleNamespace(xcom_pull=lambda task_ids: left.get(task_ids))
    Notify()({"dag": dag, "run_id": RUN, "ti": ti})
    assert hook[0].splitlines() == [
        "weekly_housekeeping: drill failed: drill of reviews@v1.0.0: it is damaged",
        f"run {RUN}",
    ]
