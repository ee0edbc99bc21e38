"""Logs of tasks are kept in the store, by Airflow's own ways of asking for such a place."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.made import ROOT

NAME = "dag_id=nightly_retraining/run_id=scheduled__2026-11-28T02:00:00+00:00/task_id=gate"
WORKER = """
import sys
from airflow.sdk.log import load_remote_log_handler
load_remote_log_handler().upload(sys.argv[1])
"""
PAGE = """
import json, sys
from airflow.logging_config import get_remote_task_log
import infra.airflow.logs
infra.airflow.logs.SECONDS_OF_PATIENCE = 0.5
print(json.dumps([get_remote_task_log().read(name) for name in sys.argv[1:]]))
"""


def ask(script: str, folder: Path, *names: str, **more: str) -> str:
    variables = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(folder / "logs"),
        "AIRFLOW__LOGGING__LOGGING_CONFIG_CLASS": "infra.airflow.logs.CONFIG",
        **more,
    }
    done = subprocess.run(
        [sys.executable, "-c", script, *names],
        cwd=folder, env=variables, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_a_log_is_read_on_another_machine_than_that_which_wrote_it(
    bucket: str, tmp_path: Path
) -> None:
    store = {"NIGHTSHIFT_STORE": f"s3://{bucket}/store"}
    worker, page = tmp_path / "worker", tmp_path / "page"
    log = worker / "logs" / NAME / "attempt=1.log"
    log.parent.mkdir(parents=True)
    log.write_text("gate: blessed\nü\n", encoding="utf-8")
    page.mkdir()
    ask(WORKER, worker, f"{NAME}/attempt=1.log", **store)
    said = ask(PAGE, page, f"{NAME}/attempt=1.log", f"{NAME}/attempt=2.log", **store)
    first, other = json.loads(said.splitlines()[-1])
    assert first == [
        [f"s3://{bucket}/store/runs/_airflow/{NAME}/attempt=1.log"],
        ["gate: blessed\nü\n"],
    ]
    assert other == [[], []]


def test_the_page_says_that_the_store_is_away(tmp_path: Path, bucket: str) -> None:
    away = {"NIGHTSHIFT_STORE": f"s3://{bucket}/store", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"}
    answer = ask(PAGE, tmp_path, f"{NAME}/attempt=1.log", **away).splitlines()[-1]
    ((said, logs),) = json.loads(answer)
    assert logs == []
    assert said[0].startswith("the store has no answer: ")
