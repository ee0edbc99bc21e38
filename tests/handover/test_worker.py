"""A stage on a worker that shares nothing with the others but the store."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from infra.s3 import Server
from tasks.handover.run import Run
from tasks.handover.workspace import workspace
from tasks.stage.errors import StageError, Unavailable
from tasks.store.store import open_store
from tests.handover.project import Worker, make_project
from tests.s3 import KEYS, settings
from tests.waiting import wait_for, working_below

STAGES = ("snapshot", "ingest", "finetune")
pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.txt"
    path.write_text("one night")
    return path


@pytest.fixture
def project(tmp_path: Path, source: Path) -> Path:
    return make_project(tmp_path / "project", source)


@pytest.fixture
def store(bucket: str) -> str:
    """A store in a bucket."""
    return f"s3://{bucket}/team"


@pytest.fixture
def here(tmp_path: Path) -> str:
    """A store in a folder, for what does not depend on its kind."""
    return str(tmp_path / "store")


@pytest.fixture
def worker(tmp_path: Path, here: str, project: Path) -> Worker:
    return Worker(tmp_path / "worker", here, project)


def night(run: str, *workers: Worker, changes: tuple[str, ...] = ()) -> list[str]:
    """A run whose stages go to the workers by turns; the stages that computed something."""
    sets = [word for change in changes for word in ("--set", change)]
    workers[0]("prepare", "--run", run, *sets)
    ran = []
    for number, stage in enumerate(STAGES):
        output = workers[number % len(workers)]("stage", stage, "--run", run)
        if "nothing had changed" not in output:
            ran.append(stage)
    return ran


def outputs(store: str, run: str) -> dict[str, str]:
    """Every output's hash as the run's stages recorded it."""
    entries = Run(open_store(store), run).lock(list(STAGES))
    return {out["path"]: out["md5"] for entry in entries.values() for out in entry["outs"]}


def in_remote(store: Path, md5: str) -> Path:
    return store / "dvc" / "files" / "md5" / md5[:2] / md5[2:]


@pytest.mark.slow
def test_two_workers_give_the_hashes_of_one_laptop(
    tmp_path: Path, store: str, project: Path
) -> None:
    workers = [Worker(tmp_path / name, store, project) for name in ("one", "two")]
    assert night("first", *workers) == list(STAGES)

    laptop = shutil.copytree(project, tmp_path / "laptop")
    for arguments in (["init", "--no-scm", "--quiet"], ["repro", "--quiet"]):
        subprocess.run(
            [sys.executable, "-m", "dvc", *arguments],
            cwd=laptop, env=workers[0].environment, check=True,
        )  # fmt: skip
    lock = yaml.safe_load((laptop / "dvc.lock").read_text())["stages"]
    entries = Run(open_store(store), "first").lock(list(STAGES))
    assert entries == lock


@pytest.mark.slow
def test_what_need_not_run_does_not_on_a_worker_that_never_saw_it(
    tmp_path: Path, store: str, project: Path, source: Path
) -> None:
    night("first", Worker(tmp_path / "one", store, project))
    new = Worker(tmp_path / "two", store, project)
    assert night("second", new) == ["snapshot"]
    assert outputs(store, "second") == outputs(store, "first")
    assert not (tmp_path / "two/cache/dvc/files/md5/models").exists()
    assert night("third", new, changes=("finetune.epochs=2",)) == ["snapshot", "finetune"]
    source.write_text("another night")
    assert night("fourth", new, changes=("finetune.epochs=2",)) == list(STAGES)


@pytest.mark.slow
def test_a_skipped_stages_reports_are_carried_forward(worker: Worker, here: str) -> None:
    night("first", worker)
    night("second", worker)
    found = open_store(here).keys("runs/second/reports/")
    assert [key.removeprefix("runs/second/reports/") for key in found] == [
        "docs/index.html",
        *(f"{stage}{kind}" for stage in sorted(STAGES) for kind in (".json", ".timing.json")),
    ]


def test_the_page_says_which_code_made_it(worker: Worker, here: str) -> None:
    worker("prepare", "--run", "first")
    worker("announce", "--run", "first")
    page = open_store(here).read("runs/first/reports/index.html")
    assert page is not None
    assert Run(open_store(here), "first").facts()["revision"][:12] in page.content.decode()


def test_a_stage_waits_for_the_ones_before_it_in_this_run(
    worker: Worker, here: str, source: Path
) -> None:
    """The naive way (`dvc repro --single-item --pull`) takes last night's rows and is content."""
    night("first", worker)
    source.write_text("another night")
    worker("prepare", "--run", "second")
    worker("stage", "snapshot", "--run", "second")
    output = worker("stage", "finetune", "--run", "second", code=1)
    assert "run second: ingest has not begun: it must come through first" in output
    record = Run(open_store(here), "second").record("finetune")
    assert record is not None
    assert record.entry is None


@pytest.mark.slow
def test_the_naive_way_is_the_trap_it_is_said_to_be(
    tmp_path: Path, worker: Worker, here: str
) -> None:
    """Why every input is pulled and held against its producer: DVC takes a missing one for one
    that has not changed, and a stage whose inputs are new would be skipped."""
    night("first", worker)
    entries = Run(open_store(here), "first").lock(list(STAGES))
    place = shutil.copytree(worker.project, tmp_path / "naive")
    (place / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": entries}))
    dvc = [sys.executable, "-m", "dvc"]
    subprocess.run([*dvc, "init", "--no-scm", "--quiet"], cwd=place, check=True)
    done = subprocess.run(
        [*dvc, "repro", "--single-item", "--allow-missing", "finetune"],
        cwd=place, env=worker.environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert not (place / "data/rows.txt").exists()
    assert "didn't change, skipping" in done.stdout


@pytest.mark.slow
def test_a_damaged_input_is_not_worked_on(worker: Worker, here: str, tmp_path: Path) -> None:
    worker("prepare", "--run", "first")
    for stage in STAGES[:2]:
        worker("stage", stage, "--run", "first")
    rows = in_remote(Path(here), outputs_of(here, "first", "ingest")["data/rows.txt"])
    rows.chmod(0o644)
    rows.write_text("nightshift ONE NIGH")
    other = Worker(tmp_path / "other", here, worker.project)
    output = other("stage", "finetune", "--run", "first", code=75)
    assert "the store has lost or damaged it: remove dvc/files/md5/" in output
    rows.unlink(missing_ok=True)  # DVC has removed it from a folder itself
    shutil.rmtree(worker.home / "cache")
    worker("stage", "ingest", "--run", "first", "--force")
    other("stage", "finetune", "--run", "first")


@pytest.mark.slow
def test_a_damaged_object_in_a_bucket_is_not_worked_on(
    tmp_path: Path, s3: Any, bucket: str, project: Path
) -> None:
    """DVC believes what a bucket sends: it is our own check that finds it out."""
    store = f"s3://{bucket}/team"
    worker = Worker(tmp_path / "one", store, project)
    worker("prepare", "--run", "first")
    for stage in STAGES[:2]:
        worker("stage", stage, "--run", "first")
    md5 = outputs_of(store, "first", "ingest")["data/rows.txt"]
    key = f"team/dvc/files/md5/{md5[:2]}/{md5[2:]}"
    s3.put_object(Bucket=bucket, Key=key, Body=b"nightshift ONE NIGH")
    other = Worker(tmp_path / "other", store, project)
    output = other("stage", "finetune", "--run", "first", code=75)
    assert "data/rows.txt is not what ingest made in run first" in output


@pytest.mark.slow
def test_half_an_upload_is_not_taken_for_a_whole_one(
    worker: Worker, here: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    night("first", worker)
    model = outputs(here, "first")["models/model"]
    listing = in_remote(Path(here), model).read_text()
    lost = in_remote(Path(here), yaml.safe_load(listing)[0]["md5"])
    lost.unlink()
    monkeypatch.setenv("NIGHTSHIFT_CACHE", str(tmp_path / "empty"))
    run = Run(open_store(here), "first")
    entries = run.lock(list(STAGES))
    with workspace(run, "look", lambda _: None) as place:
        place.write_lock(entries)
        with pytest.raises(Unavailable, match="dvc pull models/model"):
            place.pull(["models/model"], entries)


def outputs_of(store: str, run: str, stage: str) -> dict[str, str]:
    entry = Run(open_store(store), run).lock([stage])[stage]
    return {out["path"]: out["md5"] for out in entry["outs"]}


@pytest.mark.parametrize(
    ("seed", "code", "status", "retryable", "reason"),
    [
        (1, 1, "stopped", False, "rows.txt: row 7: no label"),
        (2, 75, "failed", True, "the bucket is away"),
        (3, 75, "failed", True, "ended without a report"),
    ],
)
def test_how_a_stage_ended_is_recorded(
    worker: Worker, here: str, seed: int, code: int, status: str, retryable: bool, reason: str
) -> None:
    worker("prepare", "--run", "first", "--set", f"finetune.seed={seed}")
    for stage in STAGES[:2]:
        worker("stage", stage, "--run", "first")
    result = worker.home / "result.json"
    arguments = ("stage", "finetune", "--run", "first", "--result", str(result))
    output = worker(*arguments, code=code)
    assert reason in output
    told = yaml.safe_load(result.read_text())
    record = Run(open_store(here), "first").record("finetune")
    assert record is not None
    for found in (told["status"], record.status):
        assert found == status
    assert (told["retryable"], record.retryable) == (retryable, retryable)
    assert reason in str(record.reason)
    assert not list((worker.home / "cache/scratch").iterdir()), "nothing is left behind"
    assert open_store(here).keys("runs/first/logs/finetune-1")


@pytest.mark.slow
@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_worker_leaves_no_orphan_and_another_goes_on_from_its_checkpoint(
    tmp_path: Path, store: str, project: Path, blow: signal.Signals
) -> None:
    one, two = (Worker(tmp_path / name, store, project) for name in ("one", "two"))
    one("prepare", "--run", "first", "--set", "finetune.epochs=40")
    for stage in STAGES[:2]:
        one("stage", stage, "--run", "first")
    started = one.start("stage", "finetune", "--run", "first")
    shared = open_store(store)
    wait_for(lambda: shared.keys("runs/first/checkpoints/"))
    os.kill(started.pid, blow)
    started.communicate()
    wait_for(lambda: not working_below(one.home), 30)
    output = two("stage", "finetune", "--run", "first")
    assert "checkpoint" in output
    assert "fetched from the store" in output
    report = shared.read("runs/first/reports/finetune.json")
    assert report is not None
    assert 0 < report.json()["metrics"]["began"] < 40
    assert not shared.keys("runs/first/checkpoints/")
    one("cleanup", "--run", "first")
    assert not list((one.home / "cache/scratch").iterdir()), "the dead worker's folder is gone"


@pytest.mark.slow
def test_a_worker_back_from_the_dead_overwrites_nothing(worker: Worker, here: str) -> None:
    night("first", worker)
    run = Run(open_store(here), "first")
    late = run.claim("finetune")
    worker("stage", "finetune", "--run", "first")
    after = run.record("finetune")
    with pytest.raises(StageError, match="attempt 2 of run first was overtaken by a later one"):
        run.finish(late, late)
    assert run.record("finetune") == after
    assert after is not None
    assert (after.attempt, after.status) == (3, "ok")


@pytest.mark.slow
def test_a_worker_that_was_given_up_stops_and_leaves_the_checkpoints_alone(
    worker: Worker, here: str
) -> None:
    worker("prepare", "--run", "first", "--set", "finetune.epochs=500")
    for stage in STAGES[:2]:
        worker("stage", stage, "--run", "first")
    given_up = worker.start("stage", "finetune", "--run", "first")
    store = open_store(here)
    wait_for(lambda: store.keys("runs/first/checkpoints/"))
    run = Run(store, "first")
    successor = run.claim("finetune")
    (key,) = store.keys("runs/first/checkpoints/")
    found = store.read(key)
    output, _ = given_up.communicate(timeout=200)
    assert given_up.returncode == 1
    assert "attempt 1 of run first was overtaken by a later one while it worked" in output
    now = store.read(key)
    assert found is not None
    assert now is not None
    assert now.content == found.content, "they are the successor's"
    assert run.record("finetune") == successor


@pytest.mark.slow
def test_clearing_a_stage_does_not_compute_it_again(worker: Worker) -> None:
    night("first", worker)
    assert "nothing had changed" in worker("stage", "finetune", "--run", "first")


def test_another_environment_than_the_runs_is_refused(worker: Worker) -> None:
    path = worker.project / "pyproject.toml"
    path.write_text(path.read_text().replace('"pyyaml==', '"pyyaml==0.'))
    worker("prepare", "--run", "first")
    output = worker("stage", "snapshot", "--run", "first", code=1)
    assert "this worker's environment is not the run's: pyyaml" in output


def test_wrong_keys_are_said(
    tmp_path: Path, bucket: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Worker(tmp_path / "one", f"s3://{bucket}/team", project)
    worker("prepare", "--run", "first")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-one")
    output = worker("stage", "snapshot", "--run", "first", code=1)
    assert "access denied" in output
    assert "not-the-one" not in output


def test_no_such_run_and_no_such_stage(worker: Worker) -> None:
    assert "has no run 'nine'" in worker("stage", "ingest", "--run", "nine", code=1)
    assert "takes lower-case letters" in worker("stage", "ingest", "--run", "../x", code=1)
    worker("prepare", "--run", "first")
    output = worker("stage", "train", "--run", "first", code=1)
    assert "no stage 'train'; it has snapshot, ingest, finetune" in output


@pytest.mark.slow
def test_killed_during_a_push_nothing_half_sent_is_believed(
    tmp_path: Path, store: str, project: Path
) -> None:
    one, two = (Worker(tmp_path / name, store, project) for name in ("one", "two"))
    one("prepare", "--run", "first")
    for stage in STAGES[:2]:
        one("stage", stage, "--run", "first")
    started = one.start("stage", "finetune", "--run", "first")
    wait_for(lambda: working_below(one.home, " push"))
    os.kill(started.pid, signal.SIGKILL)
    started.communicate()
    wait_for(lambda: not working_below(one.home), 30)
    record = Run(open_store(store), "first").record("finetune")
    assert record is not None
    assert (record.status, record.entry) == ("running", None)
    two("stage", "finetune", "--run", "first")
    assert night("second", Worker(tmp_path / "three", store, project)) == ["snapshot"]


@pytest.mark.slow
def test_a_server_that_is_away_for_half_a_minute_costs_time_alone(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = (KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"])
    with Server(tmp_path / "s3", keys) as server:
        for name, value in settings(server.endpoint, tmp_path).items():
            monkeypatch.setenv(name, value)
        boto3.Session().client("s3").create_bucket(Bucket="team")
        worker = Worker(tmp_path / "one", "s3://team/x", project)
        worker("prepare", "--run", "first", "--set", "finetune.epochs=20")
        for stage in STAGES[:2]:
            worker("stage", stage, "--run", "first")
        started = worker.start("stage", "finetune", "--run", "first")
        wait_for(lambda: working_below(worker.home, " repro"))
        server.stop()
        time.sleep(30)
        assert started.poll() is None, "it waits"
        server.start()
        output, _ = started.communicate()
        assert started.returncode == 0, output
        assert "asking again" in output
        assert outputs("s3://team/x", "first")["models/model"].endswith(".dir")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_full_disk_is_said_and_a_retry_passes(worker: Worker, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)], check=True)
    try:
        worker("prepare", "--run", "first")
        worker.more["NIGHTSHIFT_SCRATCH"] = str(small)
        output = worker("stage", "snapshot", "--run", "first", code=75)
        assert "the disk is full" in output
        assert not list(small.iterdir())
    finally:
        subprocess.run(["umount", str(small)], check=True)
    del worker.more["NIGHTSHIFT_SCRATCH"]
    worker("stage", "snapshot", "--run", "first")
