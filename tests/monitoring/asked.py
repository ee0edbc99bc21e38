"""What dashboards and rules ask for, and what there is to answer it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import promql_parser as promql
from airflow._shared.observability.metrics.metrics_registry import MetricsRegistry
from prometheus_client.parser import text_string_to_metric_families

from tests.made import ROOT

MONITORING = ROOT / "infra" / "monitoring"
DASHBOARD = MONITORING / "grafana" / "dashboards" / "nightshift.json"
RULES = MONITORING / "rules.yml"
PROMETHEUS = {"up": {"job", "instance"}}
"""What Prometheus itself writes of each target."""


class Asked(NamedTuple):
    """One metric in an expression, and the labels that it is asked by."""

    name: str
    labels: frozenset[str]


def asked(expression: str) -> list[Asked]:
    """Every metric of an expression; raises ValueError for one that is none.

    Labels that an aggregation keeps are asked of each metric within it.
    """
    found: list[Asked] = []
    _look(promql.parse(_plain(expression)), frozenset(), found)
    return found


def _look(node: Any, kept: frozenset[str], found: list[Asked]) -> None:
    if isinstance(node, promql.VectorSelector):
        own = frozenset(matcher.name for matcher in node.matchers.matchers)
        found.append(Asked(str(node.name), own | kept))
    elif isinstance(node, promql.AggregateExpr):
        by = frozenset(node.modifier.labels) if node.modifier else frozenset()
        _look(node.expr, kept | by, found)
    elif isinstance(node, promql.BinaryExpr):
        matching = node.modifier.matching if node.modifier else None
        on = frozenset(matching.labels) if matching else frozenset()
        for side in (node.lhs, node.rhs):
            _look(side, kept | on, found)
    elif isinstance(node, promql.MatrixSelector):
        _look(node.vector_selector, kept, found)
    elif isinstance(node, promql.Call):
        for argument in node.args:
            _look(argument, kept, found)
    elif isinstance(node, promql.ParenExpr | promql.SubqueryExpr | promql.UnaryExpr):
        _look(node.expr, kept, found)


def _plain(expression: str) -> str:
    """As Grafana sends it: its variables for spans of time filled in."""
    return re.sub(r"\$__(rate_interval|range|interval)", "5m", expression)


def shown(page: str) -> dict[str, set[str]]:
    """The names of a page's samples, with their labels, and those that scraping adds."""
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            found.setdefault(sample.name, {"job", "instance"}).update(sample.labels)
    return found


def airflow_names() -> set[str]:
    """What Airflow's metrics are called once statsd_exporter has them: a timer is a histogram."""
    names: set[str] = set()
    for name, about in MetricsRegistry()._metrics.items():  # type: ignore[no-untyped-call]
        plain = "airflow_" + re.sub(r"[^a-zA-Z0-9_]", "_", name)
        endings = ("_bucket", "_sum", "_count") if about["type"] == "timer" else ("",)
        names |= {plain + ending for ending in endings}
    return names


def unanswered(
    expressions: Iterable[str], known: Callable[[Asked], bool]
) -> list[tuple[str, Asked]]:
    """Expressions that ask for what there is not."""
    return [
        (expression, each)
        for expression in expressions
        for each in asked(expression)
        if not known(each)
    ]


def files() -> list[Path]:
    """Everything below infra/monitoring."""
    return sorted(path for path in MONITORING.rglob("*") if path.is_file())
