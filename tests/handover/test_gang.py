"""Two workers that work on one stage together, and share nothing but the store."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tasks.handover import gang
from tasks.handover.run import Run
from tasks.stage.errors import BadInput
from tasks.store.store import open_store
from tests.handover.project import Worker, make_project
from tests.waiting import wait_for, working_below

pytestmark = pytest.mark.timeout(900)
MEET = """
import os, socket, time
from pathlib import Path
from tasks.params.finetune import Finetune
from tasks.stage.errors import BadInput, Unavailable
from tasks.stage.outputs import whole
from tasks.stage.run import run_stage
from tasks.training.hosts import meeting

def reach(place):
    while True:
        try:
            return socket.create_connection((place.address, place.port))
        except ConnectionRefusedError:
            time.sleep(0.1)

def meet(params):
    place = meeting(params.hosts)
    if place.host == 1 and params.seed == 1:
        raise BadInput("the hosts differ in the data")
    if place.host == 0:
        with socket.create_server((place.address, place.port)) as server:
            server.settimeout(60)
            other = server.accept()[0]
    else:
        other = reach(place)
    rows = Path("data/rows.txt").read_bytes()
    for step in range(params.epochs):  # in step, as ranks are
        other.sendall(rows)
        if other.recv(len(rows)) != rows:
            raise Unavailable("lost the connection to another rank")
        print(f"step {step} with the other host", flush=True)
        time.sleep(0.2)
    if place.host == 0:
        with whole("models/model") as draft:
            draft.mkdir()
            (draft / "weights").write_bytes(rows)
    return {"metrics": {}}

run_stage("finetune", Finetune, meet)
"""


@pytest.fixture
def workers(tmp_path: Path) -> list[Worker]:
    """Two machines, at one address here, and a run of theirs that is ready for `finetune`."""
    source = tmp_path / "source.txt"
    source.write_text("one night")
    project = make_project(tmp_path / "project", source)
    (project / "tasks/learn.py").write_text(MEET)
    store = str(tmp_path / "store")
    found = [Worker(tmp_path / name, store, project) for name in ("one", "two")]
    for worker in found:
        worker.more["NIGHTSHIFT_ADDRESS"] = "127.0.0.1"
    return found


def begin(worker: Worker, *changes: str) -> Run:
    sets = [word for change in changes for word in ("--set", change)]
    worker("prepare", "--run", "first", "--set", "finetune.hosts=2", *sets)
    for stage in ("snapshot", "ingest"):
        worker("stage", stage, "--run", "first")
    return Run(open_store(worker.store), "first")


def record(run: Run) -> Any:
    return run.record("finetune")


def test_two_hosts_make_one_model_which_host_0_owns(workers: list[Worker]) -> None:
    one, two = workers
    run = begin(one)
    other = two.start("stage", "finetune", "--run", "first", "--host", "1")
    output = one("stage", "finetune", "--run", "first")
    said, _ = other.communicate()
    assert (other.returncode, record(run).status) == (0, "ok"), said
    assert "the other hosts are told to come to 127.0.0.1:" in output
    assert "step 0 with the other host" in output
    assert "host 1 took part 1 time(s)" in said
    assert run.store.keys(run.key("logs/finetune-host1-1.log"))
    again = two("stage", "finetune", "--run", "first", "--host", "1")
    assert "host 1 took part 0 time(s)" in again, "the stage has come through: nothing to wait for"


@pytest.mark.slow
def test_host_0_is_killed_and_the_other_host_follows_its_next_attempt(
    workers: list[Worker],
) -> None:
    one, two = workers
    run = begin(one, "finetune.epochs=20")
    other = two.start("stage", "finetune", "--run", "first", "--host", "1")
    killed = one.start("stage", "finetune", "--run", "first")
    wait_for(lambda: working_below(two.home, "tasks.learn"))
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert other.poll() is None, "host 1 does not leave with it"
    one("stage", "finetune", "--run", "first")
    said, _ = other.communicate()
    assert (other.returncode, record(run).attempt) == (0, 2), said
    assert "host 1 took part 2 time(s)" in said


@pytest.mark.slow
def test_the_other_host_is_killed_and_a_retry_of_both_comes_through(workers: list[Worker]) -> None:
    one, two = workers
    run = begin(one, "finetune.epochs=20")
    killed = two.start("stage", "finetune", "--run", "first", "--host", "1")
    first = one.start("stage", "finetune", "--run", "first")
    wait_for(lambda: working_below(two.home, "tasks.learn"))
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    said, _ = first.communicate()
    assert first.returncode == 75, said
    assert (record(run).status, record(run).retryable) == ("failed", True)
    other = two.start("stage", "finetune", "--run", "first", "--host", "1")
    one("stage", "finetune", "--run", "first")
    said, _ = other.communicate()
    assert (other.returncode, record(run).status) == (0, "ok"), said


def test_what_no_retry_mends_ends_the_other_host_too(workers: list[Worker]) -> None:
    one, two = workers
    begin(one, "finetune.seed=1")
    first = one.start("stage", "finetune", "--run", "first")
    said = two("stage", "finetune", "--run", "first", "--host", "1", code=1)
    assert "the hosts differ in the data" in said
    first.kill()
    first.communicate()


@pytest.mark.slow
def test_a_host_that_the_run_has_not_has_nothing_to_do(workers: list[Worker]) -> None:
    one, two = workers
    begin(one)
    said = two("stage", "finetune", "--run", "first", "--host", "2")
    assert "finetune.hosts of run first is 2: there is no host 2 to be" in said
    said = two("stage", "ingest", "--run", "first", "--host", "1")
    assert "ingest.hosts of run first is 1: there is no host 1 to be" in said


def test_an_address_at_which_nobody_arrives_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(gang.ADDRESS, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:8333")
    with pytest.raises(BadInput, match="the store is on this machine alone: set NIGHTSHIFT_ADDR"):
        gang.own_address()
    monkeypatch.setenv(gang.ADDRESS, "10.0.0.7")
    assert gang.own_address() == "10.0.0.7"
