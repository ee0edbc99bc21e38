"""Runs at work while objects are removed: real stages, real `dvc push`, the same store.

A push leaves out what the store has already. If that is garbage, and goes before the run has said
that it needs it, the run's record leads to nothing: this is what the lock is there to prevent.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tasks.handover.dvc import run_dvc
from tasks.handover.prepare import prepare
from tasks.handover.run import Record, Run
from tasks.handover.worker import work
from tasks.handover.workspace import workspace, write_config
from tasks.housekeeping.garbage import collect
from tasks.housekeeping.retention import expire
from tasks.store.lock import shared
from tasks.store.store import Store, open_store
from tests.handover.project import make_project
from tests.housekeeping.made import (
    Content,
    begun,
    entry_of,
    long_after,
    lost_of,
    push,
    recorded,
)
from tests.made import ROOT

GRAPH = """
stages:
  ingest:
    cmd: python -m tasks.shout
    deps: [tasks/shout.py]
    params: [ingest]
    outs: [models/model, reports/ingest.json]
"""
SHOUT = """
from tasks.params.ingest import Ingest
from tasks.stage.outputs import whole
from tasks.stage.run import run_stage

def shout(params):
    with whole("models/model") as draft:
        draft.mkdir()
        (draft / "weights").write_text(params.salt)
        (draft / "vocabulary").write_text("words of " + params.salt)
    return {"metrics": {}}

run_stage("ingest", Ingest, shout)
"""


def quiet(_: str) -> None:
    pass


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of one stage, which makes a folder of what `ingest.salt` says."""
    (tmp_path / "source").write_text("x")
    project = make_project(tmp_path / "project", tmp_path / "source")
    (project / "dvc.yaml").write_text(GRAPH)
    (project / "tasks" / "shout.py").write_text(SHOUT)
    monkeypatch.setenv("NIGHTSHIFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return project


def night(store: Store, project: Path, name: str, salt: str) -> Run:
    run = prepare(store, name, project, [f"ingest.salt={salt}"], quiet)
    work(run, "ingest", quiet)
    return run


def pulled(run: Run, cache: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a machine that has never seen it gets of the run's model, through `dvc pull`."""
    monkeypatch.setenv("NIGHTSHIFT_CACHE", str(cache))
    with workspace(run, "look", quiet) as place:
        entries = run.lock(["ingest"])
        place.write_lock(entries)
        place.pull(["models/model"], entries)
        return (place.folder / "models/model/weights").read_text()


class Slow(Run):
    """A run whose worker is held up between its push and its record."""

    def __init__(self, store: Store, name: str) -> None:
        super().__init__(store, name)
        self.pushed, self.go_on = threading.Event(), threading.Event()

    def finish(self, mine: Record, outcome: Record) -> None:
        self.pushed.set()
        assert self.go_on.wait(60)
        super().finish(mine, outcome)


def garbage_of(store: Store, project: Path) -> None:
    """A night whose run is gone: its objects lie there, and nobody needs them."""
    run = night(store, project, "gone", "same")
    for key in [*store.keys(run.key("")), "runs/latest.json"]:
        store.delete(key)


def test_what_a_run_at_work_found_there_is_not_removed_before_it_says_so(
    folder_store: Store, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    garbage_of(folder_store, project)
    before = folder_store.keys("dvc/")
    run = Slow(
        folder_store, prepare(folder_store, "second", project, ["ingest.salt=same"], quiet).name
    )
    said: list[str] = []
    with ThreadPoolExecutor(2) as pool:
        at_work = pool.submit(work, run, "ingest", quiet)
        assert run.pushed.wait(60)
        sweep = pool.submit(collect, folder_store, long_after(), said.append, True)
        time.sleep(0.5)
        assert not sweep.done()
        assert folder_store.keys("dvc/") == before, "all of it was there: nothing was sent"
        run.go_on.set()
        at_work.result()
        assert sweep.result()["rooms"]["dvc/files/md5/"]["removed"] == 0
    assert said[0] == "waiting: 1 at work, ingest of run second among them"
    assert pulled(run, tmp_path / "other", monkeypatch) == "same"


def test_without_the_lock_it_would_be(folder_store: Store) -> None:
    """The trap, sprung: so the test above and the one below can fail."""
    outputs: dict[str, Content] = {"models/model": {"weights": "same"}}
    push(folder_store, outputs["models/model"])
    run = begun(folder_store, "second")
    mine = run.claim("learn")
    push(folder_store, outputs["models/model"])
    collect(folder_store, long_after(), quiet, apply=True)
    run.finish(mine, replace(mine, status="ok", entry=entry_of(outputs)))
    assert lost_of(folder_store, run.lock(["learn"])["learn"]["outs"]) == ["models/model"]


def test_many_runs_at_once_and_removals_all_the_time(folder_store: Store) -> None:
    """Runs push the same few folders again and again while all that is not recorded is removed."""
    over = threading.Event()

    def nights(worker: int) -> list[Run]:
        return [one_night(worker, number) for number in range(6)]

    def one_night(worker: int, number: int) -> Run:
        run = begun(folder_store, f"night-{worker}-{number}")
        outputs: dict[str, Content] = {"models/model": {"a": str(number % 3), "b": "words"}}
        with shared(folder_store, run.name, quiet):
            recorded(run, outputs)
        if number % 2:
            for key in folder_store.keys(run.key("")):
                folder_store.delete(key)
        return run

    def sweeps() -> int:
        done = 0
        while not over.is_set():
            found = collect(folder_store, long_after(), quiet, apply=True)
            done += found["rooms"]["dvc/files/md5/"]["removed"]
        return done

    with ThreadPoolExecutor(4) as pool:
        sweeping = pool.submit(sweeps)
        try:
            runs = [run for each in pool.map(nights, range(3)) for run in each]
        finally:
            over.set()
        assert sweeping.result() > 0, "it had something to remove"
    kept = [run for run in runs if folder_store.keys(run.key("run.json"))]
    assert len(kept) == 9
    for run in kept:
        assert lost_of(folder_store, run.lock(["learn"])["learn"]["outs"]) == []


def test_a_laptop_need_not_run_what_a_worker_has_run(
    folder_store: Store, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither `dvc.lock` nor outputs are there: DVC's run-cache leads to them."""
    night(folder_store, project, "first", "same")
    params = yaml.safe_load((project / "params.yaml").read_text())
    params["ingest"]["salt"] = "same"
    (project / "params.yaml").write_text(yaml.safe_dump(params))
    monkeypatch.setenv("NIGHTSHIFT_CACHE", str(tmp_path / "laptop"))
    write_config(project, folder_store, scratch=True)
    said: list[str] = []
    for arguments in (["fetch", "--run-cache"], ["repro", "--pull"]):
        assert run_dvc(project, folder_store.url, said.append, *arguments) == 0, said
    assert "Stage 'ingest' is cached - skipping run, checking out outputs" in said
    assert (project / "models/model/weights").read_text() == "same"


@pytest.mark.slow
def test_real_nights_while_everything_old_is_removed_all_the_time(
    bucket: str, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same content comes back after four, when it is garbage already or about to go."""
    store = open_store(f"s3://{bucket}/team")
    over = threading.Event()

    def sweeps() -> int:
        done = 0
        while not over.is_set():
            expire(store, long_after(keep_runs=3), quiet, apply=True)
            found = collect(store, long_after(), quiet, apply=True)
            done += found["rooms"]["dvc/files/md5/"]["removed"]
        return done

    with ThreadPoolExecutor(1) as pool:
        sweeping = pool.submit(sweeps)
        try:
            runs = [night(store, project, f"night-{at}", "abcd"[at % 4]) for at in range(6)]
        finally:
            over.set()
        assert sweeping.result() > 0
    kept = [run for run in runs if store.keys(run.key("run.json"))]
    assert kept[-1].name == "night-5"
    assert 3 <= len(kept) <= 4, "the fourth may have become old after the last look"
    for run in kept:
        assert pulled(run, tmp_path / run.name, monkeypatch) in "abcd"
