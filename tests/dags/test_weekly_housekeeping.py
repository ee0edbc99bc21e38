from __future__ import annotations

import time
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from airflow.sdk import DAG, Context, TriggerRule
from typer.testing import CliRunner

from tasks.cli import app
from tasks.handover.resources import read_table
from tests.made import ROOT


@pytest.fixture(scope="module")
def dag() -> DAG:
    from dags.weekly_housekeeping import dag

    return dag


def arguments(dag: DAG, task: str, **filled_in: Any) -> list[str]:
    """What a task would call, after a person has filled in the form."""
    given: dict[str, Any] = dag.params.dump()
    given |= {key.replace("__", "."): value for key, value in filled_in.items()}
    context = cast(Context, {"params": given, "dag_run": SimpleNamespace(conf={}), "run_id": "x"})
    operator: Any = dag.get_task(task)
    found: list[str] = operator._arguments(context)
    return found


def test_the_drill_comes_after_what_removes_things_and_a_failure_is_the_dags(dag: DAG) -> None:
    order = {task.task_id: task.downstream_task_ids for task in dag.tasks}
    assert order == {"expire": {"gc"}, "gc": {"drill"}, "drill": set()}
    assert {task.trigger_rule for task in dag.tasks} == {TriggerRule.ALL_SUCCESS}


def test_it_waits_for_a_person_to_switch_it_on_and_then_for_sunday(dag: DAG) -> None:
    schedule: Any = dag.timetable
    assert schedule.expression == "0 14 * * 0"
    assert dag.is_paused_upon_creation is True
    assert (dag.max_active_runs, dag.catchup, dag.start_date) == (1, False, None)

    from airflow.serialization.serialized_objects import DagSerialization
    from airflow.timetables.base import TimeRestriction

    stored = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    info = stored.timetable.next_dagrun_info(
        last_automated_data_interval=None,
        restriction=TimeRestriction(earliest=None, latest=None, catchup=False),
    )
    assert info is not None
    assert info.run_after.timestamp() > time.time()


def test_each_task_is_a_command_that_there_is_and_names_no_run(dag: DAG) -> None:
    for task in dag.tasks:
        (name, *options) = arguments(dag, task.task_id)
        assert name == task.task_id
        told = CliRunner().invoke(app, [name, "--help"]).output
        assert all(option in told for option in [*options, "--set", "--result", "--json"])
    assert arguments(dag, "expire") == ["expire", "--apply"]
    assert arguments(dag, "gc") == ["gc", "--apply"]
    assert arguments(dag, "drill") == ["drill"]


def test_a_dry_run_and_other_settings_may_be_filled_in(dag: DAG) -> None:
    filled_in: dict[str, Any] = {"apply": False, "housekeeping__keep_days": 7}
    assert arguments(dag, "gc", **filled_in) == ["gc", "--set", "housekeeping.keep_days=7"]
    assert arguments(dag, "gc", housekeeping__repository=None) == [
        "gc", "--set", "housekeeping.repository=null", "--apply"
    ]  # fmt: skip


def test_its_tasks_have_the_place_and_the_end_that_the_table_says(dag: DAG) -> None:
    table = read_table(ROOT)
    assert dag.dagrun_timeout is not None
    for task in dag.tasks:
        row = table.dags["weekly_housekeeping"][task.task_id]
        assert (task.queue, task.pool) == (row.queue, table.queues[row.queue].pool)
        assert task.execution_timeout == row.time
        assert timedelta(0) < row.time < dag.dagrun_timeout
        assert task.retries == 3
    assert (ROOT / "docs" / "housekeeping.md").is_file(), "the DAG's page refers to it"
