"""The alerts, by Prometheus' own checker and tests; and that they ask for what there is."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.monitoring.page import Page
from tasks.monitoring.watch import Watch
from tasks.params.ingest import Ingest
from tasks.store.store import Store
from tests.made import ROOT
from tests.monitoring.asked import (
    MONITORING,
    PROMETHEUS,
    RULES,
    Asked,
    airflow_names,
    asked,
    shown,
    unanswered,
)
from tests.monitoring.conftest import Said
from tests.monitoring.made import night, serving


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


ALERTS = {rule["alert"]: rule for rule in rules() if "alert" in rule}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """infra/monitoring, to break."""
    return Path(shutil.copytree(MONITORING, tmp_path / "monitoring"))


def test_the_configuration_is_one_that_prometheus_takes(promtool: Callable[..., Said]) -> None:
    said = promtool("check", "config", MONITORING / "prometheus.yml")
    assert said.code == 0, said.output
    assert f"{len(rules())} rules found" in said.output


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("rules.yml", "> 26 * 3600", "> 26 * "),
        ("rules.yml", "for: 10m", "for: ten minutes"),
        ("rules.yml", "annotations:", "annotation:"),
        ("rules.yml", "$labels.model }}: no", "$labels.model: no"),
        ("prometheus.yml", "scrape_interval", "scrape_intervall"),
    ],
)
def test_a_configuration_that_is_broken_is_refused(
    copy: Path, promtool: Callable[..., Said], file: str, old: str, new: str
) -> None:
    _replace(copy / file, old, new)
    assert promtool("check", "config", copy / "prometheus.yml").code != 0


def test_each_alert_fires_when_it_must_and_not_before(promtool: Callable[..., Said]) -> None:
    said = promtool("test", "rules", MONITORING / "rules_test.yml")
    assert said.code == 0, said.output


def test_other_limits_are_found_out_by_the_tests(copy: Path, promtool: Callable[..., Said]) -> None:
    for old, new in (
        ("> 26 * 3600", "> 30 * 3600"),
        ("nightshift_consecutive_refusals >= 3", "nightshift_consecutive_refusals >= 2"),
        ("        for: 1h\n", "        for: 2h\n"),
    ):
        _replace(copy / "rules.yml", old, new)
    said = promtool("test", "rules", copy / "rules_test.yml")
    assert said.code != 0
    for alert in ("NightshiftNoVerdict", "NightshiftGateRefuses", "NightshiftNoModels"):
        assert alert in said.output


def test_there_is_a_test_of_each_alert_for_both_outcomes() -> None:
    tests = yaml.safe_load((MONITORING / "rules_test.yml").read_text())["tests"]
    cases = [case for test in tests for case in test["promql_expr_test"]]
    fires = " ".join(sample["labels"] for case in cases for sample in case["exp_samples"])
    silent = [case["expr"] for case in cases]
    for alert in ALERTS:
        assert f'alertname="{alert}"' in fires, f"{alert}: none where it fires"
        held = any(_named(expression, alert) for expression in silent)
        assert held, f"{alert}: none where it must not fire"


def _named(expression: str, alert: str) -> bool:
    """Whether a test of ALERTS would see this one."""
    pattern = re.search(r'alertname=~?"([^"]*)"', expression)
    return bool(pattern and re.fullmatch(pattern[1], alert))


def known_metrics(store: Store, folder: Path) -> Callable[[Asked], bool]:
    """What a real page, Airflow's registry, the rules that record, and Prometheus itself have."""
    night(store, "night-1", "2026-11-24T02:00:00Z", "refused")
    serving(store, folder / "release")
    watch = Watch(store)
    watch.look()
    page, airflow = shown(Page([watch.state]).text()), airflow_names()
    recorded = {rule["record"]: {"store", "model", "job", "instance"}
                for rule in rules() if "record" in rule}  # fmt: skip
    labels = {**page, **recorded, **PROMETHEUS}

    def known(each: Asked) -> bool:
        if each.name in labels:
            return each.labels <= labels[each.name]
        return each.name in airflow

    return known


def test_rules_ask_for_metrics_and_labels_that_there_are(
    folder_store: Store, tmp_path: Path
) -> None:
    known = known_metrics(folder_store, tmp_path)
    assert unanswered([rule["expr"] for rule in rules()], known) == []
    for wrong in (
        "nightshift_verdicts",
        'nightshift_models{model="x"}',
        "sum by (run) (nightshift_run_running)",
        "airflow_ti_waiting",
        "rate(airflow_task_scheduled_duration[5m])",
    ):
        assert unanswered([wrong], known), wrong


def test_each_says_what_is_wrong_and_what_to_do() -> None:
    for name, rule in ALERTS.items():
        notes = rule["annotations"]
        assert rule["labels"]["severity"] in ("page", "ticket"), name
        assert len(notes["summary"]) < 100, name
        assert len(notes["description"].split()) > 15, name
        kept = {label for each in asked(rule["expr"]) for label in each.labels}
        for label in re.findall(r"\$labels\.(\w+)", str(notes)):
            assert label in kept | {"model", "store", "stage", "status"}, f"{name}: {label}"


def test_the_guide_has_a_line_for_each() -> None:
    guide = (ROOT / "docs" / "monitoring.md").read_text()
    for name in ALERTS:
        assert f"`{name}`" in guide, name


def test_limits_fit_those_of_the_pipeline() -> None:
    share = re.search(r"> ([\d.]+)$", ALERTS["NightshiftQuarantine"]["expr"])
    assert share
    assert float(share[1]) < Ingest.model_fields["max_quarantine"].default, "a warning comes before"
    from dags.nightly_retraining import dag

    hours = re.search(r"run_age_seconds > (\d+) \* 3600", ALERTS["NightshiftRunTooLong"]["expr"])
    assert hours
    assert dag.dagrun_timeout
    assert timedelta(hours=int(hours[1])) < dag.dagrun_timeout


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
