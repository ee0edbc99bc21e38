"""What a run left behind, whole or in pieces: the only thing the report is made from."""

from __future__ import annotations

import csv
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from tasks.inference.release import Release
from tasks.stage.errors import BadInput

STAGES = ("snapshot", "ingest", "validate", "finetune", "prune", "export", "benchmark")
REPORTS = Path("reports")
DOCUMENTS = REPORTS / "data_docs" / "index.html"


@dataclass(frozen=True)
class Stage:
    """One stage's report. `state` is ok, stopped, failed, unreadable or not run."""

    name: str
    state: str
    report: dict[str, Any] = field(default_factory=dict)
    timing: dict[str, Any] = field(default_factory=dict)
    reason: str | None = None
    outdated: bool = False
    """Whether a stage before it has not come through, so that this is an earlier run's report."""

    @property
    def ok(self) -> bool:
        """Whether it came through."""
        return self.state == "ok"

    @property
    def metrics(self) -> dict[str, Any]:
        """Its numbers; empty when there are none."""
        return mapping(self.report.get("metrics"))


@dataclass(frozen=True)
class Evidence:
    """Everything that the page is made from; what is not there is empty."""

    stages: dict[str, Stage]
    gate: Stage
    """What came after the graph: the verdict, `outdated` when it is about another release."""
    curves: dict[str, list[dict[str, str]]]
    """Rows of reports/plots/NAME.csv, by name."""
    params: dict[str, Any]
    base: dict[str, Any]
    snapshot: dict[str, Any]
    intake: dict[str, Any]
    """Where every row went: data/intake.json, if it is of this run's `ingest`."""
    reference: dict[str, Any]
    """The version in production, with the profile of its data where it has one."""
    release: dict[str, Any]
    approved: dict[str, Any]
    """What `validate` let through: hashes, labels, and what the task is."""
    profile: dict[str, Any]
    """What the night's data are like, counted by `validate`."""
    documents: bool
    """Whether Great Expectations' Data Docs lie beside the page."""
    revision: str | None
    """The git commit, with `+` when files differ from it."""
    lock: str | None
    """The sha256 of dvc.lock."""

    @property
    def trouble(self) -> Stage | None:
        """The first stage that did not come through, if any stage has run at all."""
        if all(stage.state == "not run" for stage in self.stages.values()):
            return None
        return next((stage for stage in self.stages.values() if not stage.ok), None)


def read_evidence(root: Path = Path(".")) -> Evidence:
    """Read what is there in the workspace `root`; nothing missing or broken is an error."""
    release = mapping(_json(root / "models/release/release.json"))
    stages = {stage.name: stage for stage in _stages(root)}
    return Evidence(
        stages=stages,
        gate=_gate(root, stages["benchmark"], release),
        curves={name: _rows(root / REPORTS / "plots" / f"{name}.csv") for name in STAGES},
        params=_yaml(root / "params.yaml"),
        base=mapping(_json(root / "models/base.json")),
        snapshot=mapping(_json(root / "data/snapshot.json")),
        intake=mapping(_json(root / "data/intake.json")) if stages["ingest"].ok else {},
        reference=mapping(_json(root / "data/reference.json")),
        release=release,
        approved=mapping(_json(root / "data/approved.json")),
        profile=mapping(_json(root / "data/profile.json")) if stages["validate"].ok else {},
        documents=(root / DOCUMENTS).is_file(),
        revision=_revision(root),
        lock=_digest(root / "dvc.lock"),
    )


def mapping(value: Any) -> dict[str, Any]:
    """`value` if it is a dict, else an empty one."""
    return value if isinstance(value, dict) else {}


def records(value: Any) -> list[dict[str, Any]]:
    """The dicts in `value`, if it is a list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _stages(root: Path) -> Iterator[Stage]:
    outdated = False
    for name in STAGES:
        stage = _stage(root, name, outdated)
        yield stage
        outdated = outdated or not stage.ok


def _stage(root: Path, name: str, outdated: bool) -> Stage:
    found = _json(root / REPORTS / f"{name}.json")
    report = mapping(found)
    state = _state(report, found)
    return Stage(
        name=name,
        state=state,
        report=report,
        timing=mapping(_json(root / REPORTS / f"{name}.timing.json")),
        reason=_reason(name, state, report),
        outdated=outdated and state != "not run",
    )


def _gate(root: Path, last: Stage, release: dict[str, Any]) -> Stage:
    """The gate's report; of an earlier run when it judged another release than the one here."""
    gate = _stage(root, "gate", outdated=last.outdated or not last.ok)
    judged = mapping(gate.report.get("candidate")).get("digest")
    if gate.outdated or judged is None or not release:
        return gate
    try:
        return replace(gate, outdated=judged != Release.of(release).digest)
    except BadInput:
        return replace(gate, outdated=True)


def _state(report: dict[str, Any], found: Any) -> str:
    if found is None:
        return "not run"
    status = report.get("status")
    return status if status in ("ok", "stopped", "failed") else "unreadable"


def _reason(name: str, state: str, report: dict[str, Any]) -> str | None:
    if state == "unreadable":
        return f"{REPORTS / name}.json is not the report of a stage: run {name} again"
    return str(report["reason"]) if report.get("reason") else None


def _json(path: Path) -> Any:
    """The content, None when there is no such file, an empty list when it is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        return None
    except (ValueError, RecursionError):
        return []


def _yaml(path: Path) -> dict[str, Any]:
    try:
        return mapping(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, yaml.YAMLError):
        return {}


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with open(path, newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error):
        return []


def _digest(path: Path) -> str | None:
    from tasks.stage.outputs import sha256

    return sha256(path) if path.is_file() else None


def _revision(root: Path) -> str | None:
    """A worker's workspace has no git; it is told which code it runs."""
    told = root / ".nightshift" / "revision"
    if told.is_file():
        return told.read_text(encoding="utf-8")[:12]
    try:
        commit = _git(root, "rev-parse", "--short=12", "HEAD")
        return f"{commit}+" if _git(root, "status", "--porcelain", "-uno") else commit
    except (OSError, subprocess.SubprocessError):
        return None


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()
