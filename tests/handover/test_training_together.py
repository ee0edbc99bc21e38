"""A real training on two workers that share nothing but the store, one of which is killed."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from tasks.handover.run import Run
from tasks.store.store import open_store
from tests.handover.project import Worker
from tests.made import opinions, write_csv
from tests.test_end_to_end import project
from tests.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
SETTINGS = ("finetune.hosts=2", "finetune.epochs=6", "finetune.patience=9")


@pytest.fixture
def workers(tmp_path: Path, tiny_model: Path) -> list[Worker]:
    folder = tmp_path / "project"
    folder.mkdir()
    project(folder, tiny_model, write_csv(tmp_path / "mine.csv", opinions(), ("review", "verdict")))
    found = [Worker(tmp_path / name, str(tmp_path / "store"), folder) for name in ("one", "two")]
    for worker in found:
        worker.more["NIGHTSHIFT_ADDRESS"] = "127.0.0.1"
    return found


def begin(worker: Worker, name: str) -> Run:
    sets = [word for setting in SETTINGS for word in ("--set", setting)]
    worker("prepare", "--run", name, *sets)
    for stage in ("snapshot", "ingest", "validate"):
        worker("stage", stage, "--run", name)
    return Run(open_store(worker.store), name)


def train(workers: list[Worker], run: Run, *more: str) -> Any:
    """Both hosts to the end; the report of the training."""
    one, two = workers
    other = two.start("stage", "finetune", "--run", run.name, "--host", "1")
    one("stage", "finetune", "--run", run.name, *more)
    said, _ = other.communicate()
    assert other.returncode == 0, said
    report = run.store.read(run.key("reports/finetune.json"))
    assert report is not None
    return report.json()


def outputs(run: Run) -> dict[str, str]:
    record = run.record("finetune")
    assert record is not None
    assert record.entry is not None
    return {out["path"]: out["md5"] for out in record.entry["outs"]}


def kill(pid: int) -> None:
    """A machine that is gone: everything on it at once."""
    victim = psutil.Process(pid)
    for process in [*victim.children(recursive=True), victim]:
        os.kill(process.pid, signal.SIGKILL)


def test_a_host_is_killed_and_a_retry_of_both_ends_as_if_nothing_had_been(
    workers: list[Worker],
) -> None:
    one, two = workers
    disturbed = begin(one, "disturbed")
    first = one.start("stage", "finetune", "--run", "disturbed")
    other = two.start("stage", "finetune", "--run", "disturbed", "--host", "1")
    wait_for(lambda: disturbed.store.keys("runs/disturbed/checkpoints/"), 240)
    kill(other.pid)
    said, _ = first.communicate()
    assert first.returncode == 75, said
    assert "lost the connection to another rank" in said

    resumed = train(workers, disturbed)
    log = disturbed.text("logs/finetune-2.log")
    assert log is not None
    assert "going on from step" in log
    undisturbed = begin(one, "undisturbed")
    plain = train(workers, undisturbed, "--force")
    assert resumed["plan"]["hosts"] == 2
    assert resumed["metrics"] == plain["metrics"]
    assert resumed["losses"] == plain["losses"]
    assert outputs(disturbed) == outputs(undisturbed)
