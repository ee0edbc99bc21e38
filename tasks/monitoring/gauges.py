"""The gauges of a model: what each is called, what it means, and its value.

No label carries a run's id: a series a night and model would bury whoever stores them. Moments are
seconds since 1970 (`time() - x` is an age, also when the page is old), shares 0 to 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tasks.handover.journal import timestamp
from tasks.monitoring.facts import Model

Samples = Iterator[tuple[tuple[str, ...], float]]
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Gauge:
    """One gauge. Its labels are `store`, `model`, and then `labels`."""

    name: str
    text: str
    of: Callable[[Model], Samples]
    """The values of its own labels, and the number."""
    labels: tuple[str, ...] = ()


def _one(value: float | None) -> Samples:
    if value is not None:
        yield (), float(value)


def _moment(text: str | None) -> Samples:
    return _one(None if text is None else timestamp(text))


def _stages(value: Callable[[Any], float]) -> Callable[[Model], Samples]:
    return lambda model: (((name,), value(record)) for name, record in model.finished.items())


def _status(model: Model) -> Samples:
    return (((name, record.status), 1.0) for name, record in model.stages.items())


def _attempts(model: Model) -> Samples:
    return (((name,), float(record.attempt)) for name, record in model.stages.items())


def _rows(model: Model) -> Samples:
    return (((name,), float(model.intake[name])) for name in SPLITS if name in model.intake)


def _quarantine(model: Model) -> Samples:
    read = model.intake.get("rows_read", 0) + model.intake.get("unlabelled_read", 0)
    return _one(model.intake["quarantined"] / read if read else None)


def _verdict(model: Model) -> Samples:
    if model.verdict:
        yield (str(model.verdict.verdict),), 1.0


def _figures(model: Model) -> Samples:
    for role, part in (("candidate", "candidate"), ("production", "champion"), ("best", "best")):
        told = model.ruling.get(part) or {}
        if told.get("figure") is not None:
            yield (role, told["metric"]), float(told["figure"])


def _measured(name: str, unit: float) -> Callable[[Model], Samples]:
    def of(model: Model) -> Samples:
        value = model.ruling.get("metrics", {}).get(name)
        return _one(None if value is None else value * unit)

    return of


def _since(model: Model) -> Samples:
    moves = model.aliases.history
    return _moment(moves[-1]["at"] if moves else None)


def _version(model: Model) -> Samples:
    if model.aliases.production:
        yield (model.aliases.production,), 1.0


RUN = (
    Gauge(
        "nightshift_first_run_timestamp_seconds",
        "When the oldest night of the journal began.",
        lambda model: _moment(model.nights[0].begun),
    ),
    Gauge(
        "nightshift_run_start_timestamp_seconds",
        "When the newest run began.",
        lambda model: _moment(model.night.begun),
    ),
    Gauge(
        "nightshift_run_end_timestamp_seconds",
        "When the newest run had written its page; none while it runs.",
        lambda model: _moment(model.night.ended),
    ),
    Gauge(
        "nightshift_run_running",
        "1 while the newest run has not written its page, else 0.",
        lambda model: _one(0.0 if model.night.ended else 1.0),
    ),
    Gauge(
        "nightshift_stage_status",
        "1 for the status that a stage of the newest run has: running, ok, stopped or failed.",
        _status,
        ("stage", "status"),
    ),
    Gauge(
        "nightshift_stage_attempts",
        "How often a stage of the newest run was begun.",
        _attempts,
        ("stage",),
    ),
    Gauge(
        "nightshift_stage_wait_seconds",
        "From the end of the stage before it to a stage's own beginning, in the newest run.",
        lambda model: (((stage,), seconds) for stage, seconds in model.waits.items()),
        ("stage",),
    ),
    Gauge(
        "nightshift_stage_duration_seconds",
        "How long a stage took, transfers included, when it last came through.",
        _stages(lambda record: record.seconds),
        ("stage",),
    ),
    Gauge(
        "nightshift_stage_computed",
        "1 if a stage computed something when it last came through, 0 if nothing had changed.",
        _stages(lambda record: float(record.ran)),
        ("stage",),
    ),
)
DATA = (
    Gauge(
        "nightshift_rows_read",
        "Labelled rows that the newest intake read.",
        lambda model: _one(model.intake.get("rows_read")),
    ),
    Gauge("nightshift_rows", "Examples of each split in the newest intake.", _rows, ("split",)),
    Gauge(
        "nightshift_quarantined_rows",
        "Rows that the newest intake set aside.",
        lambda model: _one(model.intake.get("quarantined")),
    ),
    Gauge(
        "nightshift_quarantine_share",
        "Share of the rows read that the newest intake set aside.",
        lambda model: _quarantine(model) if "quarantined" in model.intake else _one(None),
    ),
)
GATE = (
    Gauge(
        "nightshift_verdict",
        "1 for the newest verdict of the gate: blessed, refused or nothing new.",
        _verdict,
        ("verdict",),
    ),
    Gauge(
        "nightshift_verdict_timestamp_seconds",
        "When the gate gave its newest verdict.",
        lambda model: _moment(model.verdict.judged if model.verdict else None),
    ),
    Gauge(
        "nightshift_consecutive_refusals",
        "Refusals in a row, up to the newest verdict.",
        lambda model: _one(model.refusals),
    ),
    Gauge(
        "nightshift_figure",
        "The task's metric on test as the gate last scored it: candidate, production, best ever.",
        _figures,
        ("role", "metric"),
    ),
    Gauge(
        "nightshift_candidate_latency_seconds",
        "Median latency of one text, of the candidate that was last scored.",
        _measured("latency_ms", 1e-3),
    ),
    Gauge(
        "nightshift_candidate_bytes",
        "Size of the weights of the candidate that was last scored.",
        _measured("megabytes", 1e6),
    ),
)
REGISTRY = (
    Gauge(
        "nightshift_production_version",
        "1 for the version that serves.",
        _version,
        ("version",),
    ),
    Gauge(
        "nightshift_production_since_timestamp_seconds",
        "When production last moved, by a promotion or a rollback.",
        _since,
    ),
    Gauge(
        "nightshift_revoked_versions",
        "Versions that a rollback revoked.",
        lambda model: _one(len(model.aliases.revoked)),
    ),
    Gauge(
        "nightshift_read_timestamp_seconds",
        "When the store was last read for this model: how old its other values are.",
        lambda model: _one(model.read),
    ),
)
GAUGES = (*RUN, *DATA, *GATE, *REGISTRY)
