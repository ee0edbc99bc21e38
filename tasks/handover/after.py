"""What comes after the graph in a run: gate, publish, promote, announce, clean up.

Each is a step of its own, so that an orchestrator can try each again; each leaves a record in the
run's folder that the next one reads.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any

from tasks.handover import journal
from tasks.handover.dvc import Say
from tasks.handover.run import Run
from tasks.handover.workspace import Workspace, scratch_root, sweep, workspace
from tasks.params.base import load_section
from tasks.params.gate import Gate
from tasks.params.publish import Publish
from tasks.stage.errors import BadInput
from tasks.stage.outputs import read_json
from tasks.store.store import Store, read_record, to_json

RELEASE = "models/release"
TEST = "data/dataset/test.parquet"
GATE = "reports/gate.json"
PUBLICATION = "publication.json"
FOR_THE_PAGE = (
    "data/snapshot.json",
    "data/intake.json",
    "data/approved.json",
    "data/profile.json",
    "data/reference.json",
    "models/base.json",
    RELEASE,
)
FOR_THE_MANIFEST = (RELEASE, "reports/metrics.json", "data/snapshot.json")


def gate(run: Run, say: Say) -> dict[str, Any]:
    """Judge the run's release against what is in production, now; its report."""
    with _finished(run, "gate", (RELEASE, TEST), say) as place, chdir(place.folder):
        try:
            report = judge(run.store)
        finally:
            if Path(GATE).is_file():
                run.store.upload(Path(GATE), run.key(GATE))
    journal.judge(run, report["verdict"])
    return report


def judge(store: Store) -> dict[str, Any]:
    """Judge the release of the checkout that this is called in; `reports/gate.json`, returned."""
    from tasks.gate import gate as judged
    from tasks.registry.rivals import rivals

    publication = load_section(Publish)
    with tempfile.TemporaryDirectory() as scratch:
        found = rivals(store, publication.name, Path(RELEASE), Path(scratch))
        return judged(
            load_section(Gate),
            Path(RELEASE),
            found.champion,
            found.best,
            found.revoked,
            Path(TEST),
            publication.major,
        )


def publish(run: Run, repository: Path, say: Say) -> dict[str, Any]:
    """Publish the release that the gate let through; `publication.json`, also returned.

    Raises BadInput when the gate has not, or has for another release.
    """
    from tasks.publish import publish_release

    verdict = _verdict(run)
    _only_blessed(verdict, f"run {run.name}")
    with _finished(run, "publish", FOR_THE_MANIFEST, say) as place:
        facts = run.facts()
        published = publish_release(
            run.store, place.folder, run=run.name, revision=facts["revision"], verdict=verdict,
            repository=repository, say=say,
        )  # fmt: skip
    run.store.write(run.key(PUBLICATION), to_json(published))
    return published


def publish_here(store: Store, checkout: Path, say: Say) -> dict[str, Any]:
    """Publish what the graph has made in this checkout, if the gate has let it through."""
    from tasks.publish import publish_release

    path = checkout / GATE
    if not path.is_file():
        raise BadInput(f"{path} is missing: `nightshift gate` first")
    verdict = read_json(path)
    _only_blessed(verdict, str(path))
    return publish_release(store, checkout, verdict=verdict, repository=checkout, say=say)


def promote(run: Run, by: str) -> dict[str, Any]:
    """Let the run's version serve: `production` points at it from now on."""
    from tasks.registry.aliases import promote as move

    published = read_record(run.store, run.key(PUBLICATION))
    if published is None:
        raise BadInput(f"run {run.name} has published nothing: there is nothing to promote")
    move(run.store, published["name"], published["version"], by)
    run.store.write(run.key(PUBLICATION), to_json({**published, "promoted": True}))
    return {**published, "promoted": True}


def announce(run: Run, say: Say) -> dict[str, Any]:
    """Write the run's page into its folder, however far it came; what it says and where it is."""
    from tasks.reporting.evidence import read_evidence
    from tasks.reporting.headline import headline
    from tasks.reporting.page import write_page

    with workspace(run, "announce", say) as place, chdir(place.folder):
        run.download("reports", Path("reports"))
        _pull_what_there_is(place)
        run.store.upload(write_page(), run.key("reports/index.html"))
        verdict = headline(read_evidence())
    journal.end(run)
    published = read_record(run.store, run.key(PUBLICATION)) or {}
    return {
        "headline": verdict.sentence,
        "page": f"{run.store.url}/{run.key('reports/index.html')}",
        "version": published.get("version"),
        "promoted": published.get("promoted", False),
    }


def cleanup(run: Run) -> None:
    """Remove what only a run at work needs: its checkpoints, and dead workers' scratch here."""
    for key in run.store.keys(run.key("checkpoints/")):
        run.store.delete(key)
    if scratch_root().is_dir():
        sweep(scratch_root())


@contextmanager
def _finished(run: Run, step: str, paths: tuple[str, ...], say: Say) -> Iterator[Workspace]:
    """A workspace with some of the finished graph's outputs, held against its records."""
    with workspace(run, step, say) as place:
        entries = run.lock(list(place.graph.stages))
        place.write_lock(entries)
        place.pull(paths, entries)
        yield place


def _pull_what_there_is(place: Workspace) -> None:
    """Those of the page's inputs whose stages have come through."""
    records = {stage: place.run.record(stage) for stage in place.graph.stages}
    entries = {
        stage: record.entry
        for stage, record in records.items()
        if record and record.status == "ok" and record.entry
    }
    place.write_lock(entries)
    paths = [path for path in FOR_THE_PAGE if place.graph.producer(path) in entries]
    place.pull(paths, entries)


def _verdict(run: Run) -> dict[str, Any]:
    found: dict[str, Any] | None = read_record(run.store, run.key(GATE))
    if found is None:
        raise BadInput(f"run {run.name} has not been through the gate: `nightshift gate` first")
    return found


def _only_blessed(verdict: dict[str, Any], where: str) -> None:
    if verdict.get("verdict") != "blessed":
        raise BadInput(f"{where}: the gate says {verdict.get('verdict')}: nothing to publish")
