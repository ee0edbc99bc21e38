"""Nights as their steps record them, without the work in between."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from tasks.handover import journal
from tasks.handover.after import GATE
from tasks.handover.run import Run
from tasks.registry.aliases import promote
from tasks.registry.publishing import publish
from tasks.store.store import Store, to_json
from tests.registry.made import facts, release

INTAKE = {
    "rows_read": 1000,
    "quarantined": 20,
    "unlabelled_read": 0,
    "train": 780,
    "validation": 100,
    "test": 100,
}


def began(store: Store, run: str, at: str = "2026-11-24T02:00:00Z", **more: Any) -> Run:
    """A run that `prepare` has begun, of the model `mood` unless `name` says another."""
    made = Run(store, run)
    name = more.pop("name", "mood")
    known = {"prepared": at, "data_date": None, **more}
    store.write(
        made.key("run.json"),
        to_json({"run": run, "publish": {"name": name, "promotion": "auto"}, **known}),
    )
    journal.begin(made)
    return made


def came_through(run: Run, *stages: str, status: str = "ok", seconds: float = 60.0) -> None:
    """Stages that a worker has brought to an end."""
    for stage in stages:
        mine = run.claim(stage)
        outcome = replace(mine, status=status, ran=True, seconds=seconds, entry={"outs": []})
        run.finish(mine, outcome)
        if stage == "ingest":
            report = {"stage": stage, "status": status, "metrics": INTAKE}
            run.store.write(run.key("reports/ingest.json"), to_json(report))


def judged(run: Run, verdict: str, figure: float = 0.84) -> None:
    """The gate's report as it lies in the run's folder, and its verdict in the journal."""
    told = {"metric": "accuracy", "figure": figure}
    report: dict[str, Any] = {"verdict": verdict, "metric": None, "champion": None, "best": None}
    if verdict != "nothing new":
        report |= {
            "metric": "accuracy",
            "candidate": {"digest": "0123", **told},
            "champion": {"version": "v1.0.0", "recorded_figure": 0.85, **told, "figure": 0.85},
            "metrics": {"latency_ms": 1.5, "megabytes": 19.1},
        }
    run.store.write(run.key(GATE), to_json(report))
    journal.judge(run, verdict)


def night(store: Store, run: str, at: str, verdict: str, **more: Any) -> Run:
    """A whole night."""
    made = began(store, run, at, **more)
    came_through(made, "snapshot", "ingest", "finetune")
    judged(made, verdict)
    journal.end(made)
    return made


def serving(store: Store, folder: Path, version: str = "v1.0.0") -> None:
    """A version of the model `mood`, published and promoted; the next one must be named."""
    publish(store, "mood", 1, release(folder, graph=version), facts())
    promote(store, "mood", version, by="tests")
