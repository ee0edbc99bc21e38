"""What each role needs works: a night's real steps, on SeaweedFS, which enforces the policies."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.handover import after
from tasks.handover.prepare import prepare
from tasks.handover.run import Run, latest, set_latest
from tasks.handover.worker import work
from tasks.housekeeping.drill import drill
from tasks.housekeeping.garbage import collect
from tasks.housekeeping.retention import LOGS, expire
from tasks.inference import Predictor
from tasks.inference.release import Release
from tasks.registry.aliases import production, promote, rollback
from tasks.registry.publishing import publish
from tasks.registry.versions import fetch_version
from tasks.stage.errors import BadInput
from tasks.store.lock import shared
from tasks.store.store import to_json
from tests.housekeeping import test_drill
from tests.housekeeping.made import finished, long_after, push
from tests.infra.bucket.conftest import As
from tests.infra.bucket.installed import Installation
from tests.infra.bucket.made import NAME, make_project_of, make_release
from tests.made import environment
from tests.registry.made import NAME as MOOD
from tests.registry.made import facts

RUN = "first"


def quietly(_: str) -> None:
    """Where a step's progress goes."""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache, and the environment that our commands have."""
    more = {"NIGHTSHIFT_CACHE": str(tmp_path / "cache"), "XDG_CACHE_HOME": str(tmp_path / "xdg")}
    for name, value in environment(**more).items():
        monkeypatch.setenv(name, value)


def answers(installation: Installation) -> list[str]:
    """What serves, asked about two texts."""
    serving = Predictor.load(f"{installation.store}/registry/{NAME}/production")
    return [found.label for found in serving(["superb", "dull"])]


@pytest.mark.slow
def test_seaweedfs_lets_each_role_do_its_part_of_a_night(
    machine: None, installation: Installation, as_role: As, tmp_path: Path
) -> None:
    release = make_release(tmp_path / "release", ("bad", "good"))

    store = as_role("Worker")
    assert latest(store) is None
    assert production(store, NAME) is None
    run = prepare(store, RUN, make_project_of(tmp_path / "project", release))
    assert work(run, "export", quietly).ran
    verdict = {"verdict": "blessed", "candidate": {"digest": Release.read(release).digest}}
    store.write(run.key(after.GATE), to_json(verdict))

    store = as_role("Publisher")
    assert after.publish(Run(store, RUN), tmp_path, quietly)["version"] == "v1.0.0"
    after.promote(Run(store, RUN), by="tests")

    store = as_role("Worker")
    assert production(store, NAME) == "v1.0.0"
    fetch_version(store, NAME, "v1.0.0", tmp_path / "champion")
    store.write(f"runs/{RUN}/checkpoints/left.tar", b"by a worker that died")
    after.cleanup(Run(store, RUN))
    assert store.keys(f"runs/{RUN}/checkpoints/") == []

    as_role("Reader")
    assert answers(installation) == ["good", "bad"]


def test_seaweedfs_lets_a_worker_share_the_lock_and_nobody_else(as_role: As) -> None:
    store = as_role("Worker")
    with shared(store, "a worker", quietly):
        assert len(store.keys("locks/")) == 1
    assert store.keys("locks/") == []
    for role in ("Publisher", "Reader"):  # housekeeping has all of `locks/`
        with pytest.raises(BadInput, match="access denied"), shared(as_role(role), role, quietly):
            pytest.fail(f"a {role} holds it")


def test_seaweedfs_lets_whoever_runs_a_task_send_its_log(as_role: As, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("what was said")
    for role in ("Worker", "Publisher", "Housekeeper", "Launcher"):
        as_role(role).upload(tmp_path / "log", f"{LOGS}{role}/attempt=1.log")
    assert len(as_role("Worker").keys(LOGS)) == 4


@pytest.mark.slow
def test_seaweedfs_lets_housekeeping_remove_and_try_out_and_a_worker_neither(
    as_role: As, tmp_path: Path
) -> None:
    for name in ("old", "last"):
        finished(as_role("Worker"), name, {"data/rows": name})
    worker = as_role("Worker")
    set_latest(Run(worker, "last"))
    push(worker, "half a night")
    with pytest.raises(BadInput, match=r"locks/exclusive\.json: access denied"):
        collect(worker, long_after(), quietly, apply=True)
    with pytest.raises(BadInput, match="access denied"):
        expire(worker, long_after(), quietly, apply=True)

    store = as_role("Housekeeper")
    assert "old" in expire(store, long_after(), quietly, apply=True)["runs"]
    assert store.keys("runs/old/") == []
    assert store.keys("runs/latest.json")
    found = collect(store, long_after(), quietly, apply=True)
    assert found["rooms"]["dvc/files/md5/"]["removed"] == 2, "half a night, and the old run's rows"
    assert store.keys(found["record"])
    assert store.keys("locks/") == []
    with pytest.raises(BadInput, match=r"dvc/.*: access denied"):
        push(store, "housekeeping makes nothing")

    entry = test_drill.sent(as_role("Worker"), tmp_path)
    test_drill.published(as_role("Publisher"), tmp_path, entry, forgets=1, accuracy=0.9375)
    assert drill(as_role("Housekeeper"), MOOD, test_drill.SECTION, quietly)["ok"]


def test_seaweedfs_lets_a_publisher_take_a_version_back_and_a_worker_do_nothing_like_it(
    machine: None, installation: Installation, as_role: As, tmp_path: Path
) -> None:
    store = as_role("Publisher")
    for labels in (("low", "high"), ("poor", "fine")):
        release = make_release(tmp_path / labels[0], labels)
        promote(store, NAME, publish(store, NAME, 2, release, facts()).version, by="tests")
    as_role("Reader")
    assert answers(installation) == ["fine", "poor"]

    store = as_role("Worker")
    release = make_release(tmp_path / "theirs", ("their", "own"))
    with pytest.raises(BadInput, match=r"claims/v2\.2\.0\.json: access denied"):
        publish(store, NAME, 2, release, facts())
    with pytest.raises(BadInput, match=r"model\.onnx: access denied"):
        store.upload(release / "model.onnx", f"registry/{NAME}/v2.1.0/model.onnx")
    with pytest.raises(BadInput, match=r"aliases\.json: access denied"):
        promote(store, NAME, "v2.0.0", by="a worker")
    with pytest.raises(BadInput, match=r"aliases\.json: access denied"):
        rollback(store, NAME, by="a worker")
    assert production(store, NAME) == "v2.1.0"

    rollback(as_role("Publisher"), NAME, by="tests")
    as_role("Reader")
    assert answers(installation) == ["high", "low"]
