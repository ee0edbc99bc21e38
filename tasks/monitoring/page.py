"""The page that Prometheus reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tasks.monitoring.facts import State
from tasks.monitoring.gauges import GAUGES

ERRORS = "nightshift_store_errors"


class Page(Collector):
    """What the stores came to, as metrics. It asks nobody: a page never waits for a store.

    `counting` is False for who writes one page and ends: a counter that begins at nought with each
    process says nothing.
    """

    def __init__(self, states: Sequence[State], counting: bool = True) -> None:
        self._states, self._counting = states, counting

    def collect(self) -> Iterable[Metric]:
        """The metrics, families with no sample left out."""
        found = [*_of_models(self._states), *_of_stores(self._states)]
        if self._counting:
            found.append(_errors(self._states))
        return [family for family in found if family.samples]

    def registry(self) -> CollectorRegistry:
        """A registry with this page alone."""
        registry = CollectorRegistry()
        registry.register(self)
        return registry

    def text(self) -> str:
        """The page in Prometheus' text format."""
        return generate_latest(self.registry()).decode()


def _of_models(states: Sequence[State]) -> Iterator[Metric]:
    models = [(state.url, model) for state in states for model in tuple(state.models.values())]
    for gauge in GAUGES:
        family = GaugeMetricFamily(gauge.name, gauge.text, labels=("store", "model", *gauge.labels))
        for url, model in models:
            for labels, value in gauge.of(model):
                family.add_metric((url, model.name, *labels), value)
        yield family


def _of_stores(states: Sequence[State]) -> Iterator[Metric]:
    for name, text, value in (
        ("nightshift_models", "Models with a journal.", lambda state: len(state.models)),
        ("nightshift_look_requests", "Requests of the last look.", lambda state: state.requests),
        ("nightshift_look_seconds", "How long the last look took.", lambda state: state.seconds),
    ):
        family = GaugeMetricFamily(name, text, labels=("store",))
        for state in states:
            family.add_metric((state.url,), value(state))
        yield family


def _errors(states: Sequence[State]) -> Metric:
    family = CounterMetricFamily(
        ERRORS,
        "Errors on reading the store: unavailable, refused (not allowed), broken (a record).",
        labels=("store", "kind"),
    )
    for state in states:
        for kind, count in state.errors.items():
            family.add_metric((state.url, kind), count)
    return family
