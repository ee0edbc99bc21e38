from __future__ import annotations

import datetime
import json
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from airflow.sdk import DAG, Context
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowTaskTimeout,
    DownstreamTasksSkipped,
)
from airflow.sdk.execution_time.timeout import TimeoutPosix

from dags.operators import GateOperator, NightshiftOperator, PrepareOperator
from tasks.handover.names import run_slug
from tests.dags.made import is_gone
from tests.made import ROOT

RUN = "manual__2026-01-31T02:00:00+00:00"
LEAVES = """
import json, os, sys
code, result = int(sys.argv[1]), sys.argv[2]
print("arguments", sys.argv[3:sys.argv.index("--result")])
print("airflow's", [key for key in os.environ if "AIRFLOW" in key])
open(sys.argv[sys.argv.index("--result") + 1], "w").write(result)
if code < 0:
    os.kill(os.getpid(), -code)
sys.exit(code)
"""
STUBBORN = """
import subprocess, sys, time
code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
rank = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
open({file!r}, "w").write(str(rank.pid))
time.sleep(60)
"""


class Given(dict[str, Any]):
    """What an operator asks of Airflow's context; keeps what is pushed."""

    def __init__(self, **more: Any) -> None:
        self.pushed: dict[str, Any] = {}
        run = SimpleNamespace(conf={}, run_type="manual", logical_date=None)
        super().__init__(run_id=RUN, ti=self, dag_run=run, **more)
        self.map_index = -1

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


def execute(task: NightshiftOperator, context: Given) -> dict[str, Any]:
    return task.execute(cast(Context, context))


def operator(
    code: int, result: dict[str, Any] | str, kind: type[NightshiftOperator] = NightshiftOperator
) -> NightshiftOperator:
    text = result if isinstance(result, str) else json.dumps(result)
    command = [sys.executable, "-c", LEAVES, str(code), text]
    with DAG("test"):
        return kind(task_id="finetune", arguments=["stage", "finetune"], command=command)


def test_the_result_is_the_tasks_xcom() -> None:
    result = {"status": "ok", "ran": True, "seconds": 1.5}
    assert execute(operator(0, result), Given()) == result


def test_it_names_the_run_by_its_slug_and_keeps_airflows_secrets_to_itself(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "secret")
    execute(operator(0, {}), Given())
    said = capfd.readouterr().out
    assert f"arguments {['stage', 'finetune', '--run', run_slug(RUN)]}" in said
    assert "airflow's []" in said


def test_what_no_second_try_will_mend_fails_at_once_with_the_reason() -> None:
    context = Given()
    reason = "data/mine.csv: row 7 has no label"
    with pytest.raises(AirflowFailException, match=r"finetune: data/mine\.csv: row 7 has no label"):
        execute(operator(1, {"status": "stopped", "reason": reason}), context)
    assert context.pushed["return_value"]["reason"] == reason
    assert context.pushed["return_value"]["status"] == "stopped"


@pytest.mark.parametrize("code", [75, 130, -9, -15])
def test_what_may_pass_is_retried(code: int) -> None:
    with pytest.raises(AirflowException) as caught:
        execute(operator(code, {"reason": "the bucket is away"}), Given())
    assert not isinstance(caught.value, AirflowFailException)
    assert "the bucket is away" in str(caught.value)


@pytest.mark.parametrize("left", ["", "[1, 2]", '{"status": "o'])
def test_a_command_that_leaves_no_whole_result_still_says_how_it_ended(left: str) -> None:
    context = Given()
    with pytest.raises(AirflowException, match="killed by signal 9"):
        execute(operator(-9, left), context)
    assert context.pushed["return_value"]["retryable"] is True


@pytest.mark.parametrize(("code", "verdict"), [(3, "refused"), (4, "nothing new")])
def test_a_refused_candidate_skips_what_would_ship_it_and_is_no_failure(
    code: int, verdict: str, capfd: pytest.CaptureFixture[str]
) -> None:
    gate = operator(code, {"verdict": verdict, "reasons": ["it is worse"]}, GateOperator)
    with DAG("test") as dag:
        publish, announce = (
            NightshiftOperator(task_id=name, arguments=[name]) for name in ("publish", "announce")
        )
    del dag
    context = Given(task=SimpleNamespace(downstream_list=[publish, announce.as_teardown()]))
    with pytest.raises(DownstreamTasksSkipped) as caught:
        execute(gate, context)
    assert caught.value.tasks == ["publish"]
    assert context.pushed["return_value"]["reasons"] == ["it is worse"]
    said = capfd.readouterr().out
    assert "it is worse" in said


def test_a_gate_that_breaks_is_a_failure() -> None:
    with pytest.raises(AirflowFailException, match="no such version"):
        execute(operator(1, {"reason": "no such version"}, GateOperator), Given())


def test_prepare_hands_on_what_was_filled_in(capfd: pytest.CaptureFixture[str]) -> None:
    context = Given()
    context["dag_run"].conf = {"finetune.epochs": 7, "publish.promotion": "auto"}
    execute(operator(0, {}, PrepareOperator), context)
    said = capfd.readouterr().out
    assert "'--set', 'finetune.epochs=7']" in said


def test_more_hosts_than_the_dag_has_tasks_for_are_refused_before_any_work() -> None:
    with DAG("test"):
        prepare = PrepareOperator(task_id="prepare", arguments=[], hosts=2)
    context: Any = Given()
    assert prepare._outcome(0, {"hosts": 2}, context) == {"hosts": 2}
    with pytest.raises(AirflowFailException, match="hosts is 3 for this run, and the DAG"):
        prepare._outcome(0, {"hosts": 3}, context)


@pytest.mark.parametrize(
    ("conf", "date"),
    [({}, "2026-01-31"), ({"snapshot.data_date": "2025-12-01"}, "2025-12-01")],
)
def test_a_backfill_reads_the_data_of_its_day_unless_told_otherwise(
    conf: dict[str, Any], date: str, capfd: pytest.CaptureFixture[str]
) -> None:
    context = Given()
    day = datetime.datetime(2026, 1, 31, 2, tzinfo=datetime.UTC)
    context["dag_run"] = SimpleNamespace(conf=conf, run_type="backfill", logical_date=day)
    execute(operator(0, {}, PrepareOperator), context)
    said = capfd.readouterr().out
    assert f"snapshot.data_date='{date}'" in said


def stubborn(file: Path) -> NightshiftOperator:
    command = [sys.executable, "-c", STUBBORN.format(file=str(file))]
    with DAG("test"):
        return NightshiftOperator(task_id="finetune", arguments=[], command=command)


def rank_in(file: Path) -> int:
    while not (file.exists() and file.read_text()):
        time.sleep(0.05)
    return int(file.read_text())


def test_killed_it_takes_a_rank_in_a_session_of_its_own_with_it(tmp_path: Path) -> None:
    file, task = tmp_path / "pid", stubborn(tmp_path / "pid")
    found: list[int] = []

    def kill() -> None:
        found.append(rank_in(file))
        task.on_kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(AirflowException, match="killed by signal 15"):
        execute(task, Given())
    killer.join()
    assert is_gone(found[0])


def test_a_timeout_takes_it_too(tmp_path: Path) -> None:
    task = stubborn(tmp_path / "pid")
    with pytest.raises(AirflowTaskTimeout), TimeoutPosix(3):  # type: ignore[no-untyped-call]
        execute(task, Given())
    assert is_gone(int((tmp_path / "pid").read_text()))


def test_the_project_is_where_the_commands_run() -> None:
    from dags.operators import ROOT as FOUND

    assert FOUND == ROOT
