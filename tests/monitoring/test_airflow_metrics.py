"""Airflow's own metrics: the settings that switch them on, and what it really sends then."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from tests.made import environment
from tests.monitoring.asked import MONITORING, RULES, Asked, airflow_names, asked
from tests.monitoring.test_dashboard import dashboard, expressions
from tests.running_airflow import Running
from tests.statsd import Ear, metrics_on

SEND = """
from airflow._shared.observability.metrics import stats
from airflow.configuration import conf
from airflow.observability.metrics.stats_utils import get_stats_factory

stats.initialize(
    factory=get_stats_factory(), export_legacy_names=conf.getboolean("metrics", "legacy_names_on")
)
tags = {"dag_id": "nightly_retraining", "task_id": "ingest", "run_id": "manual__1"}
stats.incr("ti.finish", tags={**tags, "state": "failed"})
stats.timing("task.scheduled_duration", 1500, tags={**tags, "queue": "cpu"})
stats.gauge("ti.queued", 2, tags={"queue": "cpu", "dag_id": "d", "task_id": "t"})
stats.incr("scheduler_heartbeat")
stats.incr("asset.updates")
"""
KNOWN = """
import json, os, sys
from airflow.configuration import conf

names = [name for name in os.environ if name.startswith("AIRFLOW__METRICS__")]
options = {name: name.removeprefix("AIRFLOW__METRICS__").lower() for name in names}
known = conf.configuration_description["metrics"]["options"]
told = {name: key in known and conf.get("metrics", key) for name, key in options.items()}
json.dump(told, sys.stdout)
"""


def run(code: str, folder: Path, port: int = 9125, **more: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True,
        env=environment(AIRFLOW_HOME=str(folder), **metrics_on(port), **more),
    )  # fmt: skip
    return done.stdout


def test_airflow_knows_every_setting(tmp_path: Path) -> None:
    known = json.loads(run(KNOWN, tmp_path, AIRFLOW__METRICS__STATSD_OF="True"))
    assert known.pop("AIRFLOW__METRICS__STATSD_OF") is False, "one that it does not know"
    assert known == metrics_on(9125)


def test_what_it_sends_has_labels_and_no_run(tmp_path: Path) -> None:
    ear = Ear()
    run(SEND, tmp_path, ear.port)
    time.sleep(0.5)
    ear.close()
    assert ear.lines == [
        "airflow.ti.finish,dag_id=nightly_retraining,task_id=ingest,state=failed:1|c",
        "airflow.task.scheduled_duration,dag_id=nightly_retraining,task_id=ingest,queue=cpu:"
        "1500.000000|ms",
        "airflow.ti.queued,queue=cpu,dag_id=d,task_id=t:2|g",
        "airflow.scheduler_heartbeat:1|c",
    ], "without the run's id, without names made of tasks, without what is not asked for"


def wanted() -> list[Asked]:
    """What rules and dashboard ask of Airflow."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    rules = [rule["expr"] for group in groups for rule in group["rules"]]
    found = [
        each for expression in [*rules, *expressions(dashboard())] for each in asked(expression)
    ]
    return [each for each in found if each.name.startswith("airflow_")]


def test_airflow_has_what_is_asked_for() -> None:
    assert {each.name for each in wanted()} <= airflow_names()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_real_airflow_sends_what_is_asked_for(airflow: Running) -> None:
    assert airflow.trigger("no-data", ingest__source="away.csv").ok
    assert airflow.wait("no-data") == "failed"
    end = time.monotonic() + 60
    while missing := [each for each in wanted() if not _is_sent(each, heard(airflow.sent))]:
        assert time.monotonic() < end, missing
        time.sleep(1)
    failed = "airflow.ti.finish,dag_id=nightly_retraining,task_id=snapshot,state=failed:1|c"
    assert failed in airflow.sent
    assert not any("no-data" in line for line in airflow.sent), "no run's id"
    dead = Asked("airflow_task_queued_duration_bucket", frozenset())
    assert not _is_sent(dead, heard(airflow.sent)), "it has it, and sends it never: until now"


def heard(lines: list[str]) -> dict[str, set[str]]:
    """What the lines become in statsd_exporter: names, with the labels that any had."""
    found: dict[str, set[str]] = {}
    for line in list(lines):
        stat, _, value = line.partition(":")
        name, *tags = stat.split(",")
        ending = "_bucket" if value.endswith("|ms") else ""
        labels = found.setdefault(name.replace(".", "_") + ending, {"job", "instance"})
        labels |= {tag.partition("=")[0] for tag in tags} | ({"le"} if ending else set())
    return found


def _is_sent(each: Asked, found: dict[str, set[str]]) -> bool:
    """A state that no task was in when the scheduler looked is sent as any other would be."""
    states = ("airflow_ti_queued", "airflow_ti_scheduled", "airflow_ti_running")
    names = states if each.name in states else (each.name,)
    return any(name in found and each.labels <= found[name] for name in names)


@pytest.mark.parametrize("name", ["airflow_ti_queued", "airflow_pool_open_slots"])
def test_gauges_that_stand_still_are_forgotten(name: str) -> None:
    mapping = yaml.safe_load((MONITORING / "statsd.yml").read_text())
    (rule,) = mapping["mappings"]
    sent = name.replace("_", ".", 2)
    found = re.search(rule["match"], sent)
    assert found
    assert found.expand(re.sub(r"\$\{(\d)\}", r"\\\1", rule["name"])) == name
    assert rule["ttl"] == "5m"
    assert not re.search(rule["match"], "airflow.scheduler_heartbeat")
