"""Old runs go, and none that anything leads to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tasks.handover import journal
from tasks.handover.run import Run, set_latest
from tasks.housekeeping.retention import LOGS, expire, folders
from tasks.params.housekeeping import Housekeeping
from tasks.registry.publishing import publish
from tasks.stage.errors import StageError
from tasks.store.store import Store
from tests.housekeeping.made import begun, finished, long_after
from tests.registry.made import NAME, facts, release


def quiet(_: str) -> None:
    pass


def nights(store: Store, count: int) -> list[Run]:
    return [finished(store, f"night-{at}", {"data/rows": str(at)}) for at in range(count)]


def left(store: Store) -> list[str]:
    return sorted(folder.run for folder in folders(store))


def test_the_newest_stay_and_the_rest_goes(folder_store: Store) -> None:
    nights(folder_store, 5)
    found = expire(folder_store, long_after(keep_runs=3), quiet, apply=True)
    assert left(folder_store) == ["night-2", "night-3", "night-4"]
    assert found["runs"] == ["night-1", "night-0"]
    assert (found["rooms"]["runs/"]["kept"], found["rooms"]["runs/"]["removed"]) == (3, 2)


def test_airflows_logs_go_when_they_are_old(folder_store: Store) -> None:
    folder_store.write(f"{LOGS}dag_id=nightly/task_id=gate/attempt=1.log", b"gate: blessed")
    assert expire(folder_store, Housekeeping(), quiet, apply=True)["rooms"][LOGS]["kept"] == 1
    told = expire(folder_store, long_after(), quiet)["rooms"][LOGS]
    assert told == {"kept": 0, "kept_bytes": 0, "removed": 1, "removed_bytes": 13}
    assert folder_store.keys(LOGS)
    assert expire(folder_store, long_after(), quiet, apply=True)["rooms"][LOGS] == told
    assert not folder_store.keys(LOGS)


def test_in_a_bucket_too(store: Store) -> None:
    (first,) = nights(store, 1)
    set_latest(finished(store, "second", {"data/rows": "2"}))
    expire(store, long_after(keep_runs=0), quiet, apply=True)
    assert left(store) == ["second"]
    assert store.keys(first.key("")) == []
    assert store.keys("runs/latest.json")


def test_a_dry_run_says_the_same_and_removes_nothing(folder_store: Store) -> None:
    nights(folder_store, 5)
    before = folder_store.keys("")
    told = expire(folder_store, long_after(keep_runs=3), quiet)
    assert folder_store.keys("") == before
    assert told == expire(folder_store, long_after(keep_runs=3), quiet, apply=True)


def test_by_default_nothing_of_today_goes(folder_store: Store) -> None:
    nights(folder_store, 40)
    assert expire(folder_store, Housekeeping(), quiet, apply=True)["runs"] == []


def test_what_the_next_run_starts_from_stays(folder_store: Store) -> None:
    runs = nights(folder_store, 4)
    set_latest(runs[0])
    found = expire(folder_store, long_after(keep_runs=1), quiet, apply=True)
    assert found["why"]["night-0"] == "what the next run starts from"
    assert left(folder_store) == ["night-0", "night-3"]


def test_the_run_that_a_version_came_from_stays(folder_store: Store, tmp_path: Path) -> None:
    nights(folder_store, 4)
    publish(folder_store, NAME, 1, release(tmp_path / "r"), replace(facts(lock={}), run="night-1"))
    found = expire(folder_store, long_after(keep_runs=1), quiet, apply=True)
    assert found["why"]["night-1"] == f"version {NAME}@v1.0.0"
    assert left(folder_store) == ["night-1", "night-3"]


def test_a_run_that_may_be_at_work_stays_and_what_it_began_from(folder_store: Store) -> None:
    base = finished(folder_store, "old", {"learn": "x"})
    nights(folder_store, 3)
    begun(folder_store, "at-work", base)
    settings = long_after(keep_runs=1, grace_hours=1)
    assert expire(folder_store, settings, quiet, apply=True)["runs"] == []
    why = expire(folder_store, settings, quiet)["why"]
    assert (why["at-work"], why["old"]) == ("may be at work", "may be at work")


def test_a_run_that_is_touched_while_it_is_looked_at_stays(
    folder_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody clears a stage of an old run: the listing was made a moment before."""
    from tasks.housekeeping import retention

    nights(folder_store, 3)
    stale = folders(folder_store)
    Run(folder_store, "night-0").claim("learn")
    assert not retention._remove(folder_store, stale[-1], quiet)
    assert Run(folder_store, "night-0").facts()
    assert retention._remove(folder_store, stale[-2], quiet)


def test_half_a_removal_is_finished_the_next_time(folder_store: Store) -> None:
    runs = nights(folder_store, 3)
    folder_store.delete(runs[0].key("run.json"))
    expire(folder_store, long_after(keep_runs=1), quiet, apply=True)
    assert left(folder_store) == ["night-2"]


def test_what_is_no_runs_folder_stays(folder_store: Store) -> None:
    folder_store.write(f"{journal.FOLDER}{NAME}.json", b"[]")
    folder_store.write("runs/.probe-1", b"")
    nights(folder_store, 3)
    expire(folder_store, long_after(keep_runs=1), quiet, apply=True)
    assert left(folder_store) == ["night-2"]
    assert folder_store.keys(journal.FOLDER)
    assert folder_store.keys("runs/.probe-1")


def test_a_manifest_that_can_t_be_read_stops_it(folder_store: Store) -> None:
    nights(folder_store, 3)
    folder_store.write(f"registry/{NAME}/v1.0.0/manifest.json", b"{}")
    with pytest.raises(StageError, match="is no manifest that is understood"):
        expire(folder_store, long_after(keep_runs=1), quiet, apply=True)
    assert len(left(folder_store)) == 3
