"""Nothing that a run, a version, a branch or a tag needs is ever removed; the rest goes."""

from __future__ import annotations

import json
import random
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.handover.run import Run
from tasks.housekeeping.garbage import collect
from tasks.housekeeping.objects import hash_at, key_of, members, outputs
from tasks.housekeeping.retention import expire
from tasks.registry.aliases import promote
from tasks.registry.manifest import whole_versions
from tasks.registry.publishing import publish
from tasks.stage.errors import BadInput, StageError, Unavailable
from tasks.store.store import Store, to_json
from tests.housekeeping.made import (
    Content,
    begun,
    entry_of,
    finished,
    listing,
    long_after,
    lost_of,
    md5_of,
    push,
)
from tests.registry.made import NAME, facts, release

MODEL = {"weights": "w1", "vocabulary": "words"}
OTHER = {"weights": "w2", "vocabulary": "words"}


def quiet(_: str) -> None:
    pass


def published(store: Store, folder: Path, graph: str, run: str | None, lock: Any) -> str:
    made = facts(lock=lock, revision="r1")
    return publish(store, NAME, 1, release(folder / graph, graph), replace(made, run=run)).version


def lock_of(run: Run) -> dict[str, Any]:
    return {"schema": "2.0", "stages": run.lock(["learn"])}


def test_what_a_run_recorded_stays_and_what_nobody_did_goes(store: Store) -> None:
    finished(store, "first", {"models/model": MODEL, "data/rows": "rows"})
    push(store, OTHER)
    push(store, "half a night")
    store.write("code/r9.tar.gz", b"old code")

    found = collect(store, long_after(), quiet, apply=True)

    left = {hash_at(key) for key in store.keys("dvc/")}
    assert left == {md5_of(each) for each in (MODEL, "w1", "words", "rows")}
    assert store.keys("code/") == ["code/r1.tar.gz"]
    room = found["rooms"]["dvc/files/md5/"]
    assert (room["kept"], room["removed"]) == (4, 3), "a listing, its weights, half a night"
    assert room["removed_bytes"] == len("half a night") + len("w2") + len(listing(OTHER))
    assert json.loads(store.read(found["record"]).content) == [  # type: ignore[union-attr]
        key_of(md5_of(OTHER)),
        *sorted([key_of(md5_of("w2")), key_of(md5_of("half a night"))]),
        "code/r9.tar.gz",
    ]
    assert store.keys("locks/") == []


def test_a_dry_run_says_the_same_and_removes_nothing(folder_store: Store) -> None:
    finished(folder_store, "first", {"models/model": MODEL})
    push(folder_store, OTHER)
    before = folder_store.keys("")
    told = collect(folder_store, long_after(), quiet)
    assert folder_store.keys("") == before
    assert told["record"] is None
    assert told["rooms"] == collect(folder_store, long_after(), quiet, apply=True)["rooms"]


def test_what_is_young_stays_whole_though_nobody_needs_it(folder_store: Store) -> None:
    """A listing that stays keeps its files: DVC would not send them again."""
    push(folder_store, OTHER)
    before = folder_store.keys("dvc/")
    collect(folder_store, long_after(grace_hours=1), quiet, apply=True)
    assert folder_store.keys("dvc/") == before


def test_what_a_run_starts_from_stays_though_that_run_is_gone(folder_store: Store) -> None:
    base = finished(folder_store, "first", {"models/model": MODEL})
    begun(folder_store, "second", base)
    for key in folder_store.keys(base.key("")):
        folder_store.delete(key)
    collect(folder_store, long_after(), quiet, apply=True)
    assert lost_of(folder_store, Run(folder_store, "second").base_entries()["learn"]["outs"]) == []


def test_what_a_version_names_stays_for_ever(store: Store, tmp_path: Path) -> None:
    run = finished(store, "first", {"models/model": MODEL})
    lock = lock_of(run)
    published(store, tmp_path, "graph", "first", lock)
    for key in store.keys("runs/"):
        store.delete(key)
    collect(store, long_after(), quiet, apply=True)
    assert lost_of(store, lock["stages"]["learn"]["outs"]) == []
    assert store.keys("code/") == ["code/r1.tar.gz"]


def test_a_version_published_by_hand_whose_data_were_never_sent_stops_nothing(
    folder_store: Store, tmp_path: Path
) -> None:
    lock = {"stages": {"learn": entry_of({"models/model": MODEL})}}
    published(folder_store, tmp_path, "graph", None, lock)
    assert collect(folder_store, long_after(), quiet, apply=True)["lost"] == []


def test_what_a_publisher_has_begun_to_publish_stays(folder_store: Store, tmp_path: Path) -> None:
    run = finished(folder_store, "first", {"models/model": MODEL})
    version = published(folder_store, tmp_path, "graph", "first", lock_of(run))
    outs = lock_of(run)["stages"]["learn"]["outs"]
    folder_store.delete(f"registry/{NAME}/{version}/manifest.json")
    for key in folder_store.keys("runs/"):
        folder_store.delete(key)
    collect(folder_store, long_after(), quiet, apply=True)
    assert lost_of(folder_store, outs) == []


def git(folder: Path, *arguments: str) -> None:
    named = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *named, *arguments], cwd=folder, check=True, capture_output=True)


def committed(folder: Path, content: Content, path: str = "dvc.lock") -> None:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    entry = entry_of({"models/model": content})
    text = {"schema": "2.0", "stages": {"learn": entry}} if path.endswith("lock") else entry
    (folder / path).write_text(yaml.safe_dump(text))
    git(folder, "add", ".")
    git(folder, "commit", "-m", "x")


def test_what_branches_and_tags_name_stays_here_and_on_the_remote(
    folder_store: Store, tmp_path: Path
) -> None:
    remote, mine = tmp_path / "remote", tmp_path / "mine"
    remote.mkdir()
    git(remote, "init")
    contents: list[Content] = [{"weights": str(at)} for at in range(6)]
    committed(remote, contents[0])
    git(tmp_path, "clone", str(remote), str(mine))
    committed(mine, contents[1], "more/model.dvc")
    git(mine, "tag", "-a", "-m", "x", "tried@v1.0.0")
    committed(mine, contents[2], "more/model.dvc")
    git(remote, "checkout", "-b", "theirs")
    committed(remote, contents[3])
    entry = entry_of({"models/model": contents[4]})
    (mine / "dvc.lock").write_text(yaml.safe_dump({"stages": {"learn": entry}}))
    for content in contents:
        push(folder_store, content)

    collect(folder_store, long_after(repository=str(mine)), quiet, apply=True)

    assert [each for each in contents if not folder_store.keys(key_of(md5_of(each)))] == contents[
        5:
    ]
    assert all(folder_store.keys(key_of(md5_of(str(at)))) for at in range(5))


def test_without_the_repository_nothing_is_removed(folder_store: Store, tmp_path: Path) -> None:
    push(folder_store, OTHER)
    with pytest.raises(BadInput, match="what its branches need can't be told: put a repository"):
        collect(folder_store, long_after(repository=str(tmp_path)), quiet, apply=True)
    assert folder_store.keys(key_of(md5_of(OTHER)))


def test_a_remote_that_is_away_stops_it_for_now(folder_store: Store, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    git(mine, "init")
    git(mine, "remote", "add", "origin", str(tmp_path / "away"))
    push(folder_store, OTHER)
    with pytest.raises(Unavailable, match=r"the branches of .*/mine can't be read"):
        collect(folder_store, long_after(repository=str(mine)), quiet, apply=True)
    assert folder_store.keys(key_of(md5_of(OTHER)))


@pytest.mark.parametrize("damage", ["gone", "changed"])
def test_a_lost_listing_stops_it_since_its_files_can_t_be_told(
    folder_store: Store, damage: str
) -> None:
    run = finished(folder_store, "first", {"models/model": MODEL})
    key = key_of(md5_of(MODEL))
    folder_store.delete(key) if damage == "gone" else folder_store.write(key, b"[]")
    with pytest.raises(StageError, match=r"lost: run first: models/model \(dvc/files"):
        collect(folder_store, long_after(), quiet, apply=True)
    assert folder_store.keys(key_of(md5_of("w1")))
    collect(folder_store, long_after(), quiet, apply=True, despite_loss=True)
    assert lost_of(folder_store, run.lock(["learn"])["learn"]["outs"]) == ["models/model"]


def test_a_lost_file_is_told(folder_store: Store) -> None:
    finished(folder_store, "first", {"models/model": MODEL})
    folder_store.delete(key_of(md5_of("w1")))
    (line,) = collect(folder_store, long_after(), quiet)["lost"]
    assert line == f"run first: models/model ({key_of(md5_of('w1'))})"


@pytest.mark.parametrize(
    ("key", "content"),
    [
        ("runs/first/stages/learn.json", b"{"),
        ("runs/first/base.lock", b"a: ["),
        ("registry/mood/v1.0.0/manifest.json", b"{}"),
        ("registry/mood/claims/v1.0.0.json", b"[]"),
    ],
)
def test_a_record_that_can_t_be_read_stops_it(
    folder_store: Store, key: str, content: bytes
) -> None:
    push(folder_store, OTHER)
    folder_store.write(key, content)
    with pytest.raises(StageError, match=key):
        collect(folder_store, long_after(), quiet, apply=True)
    assert folder_store.keys(key_of(md5_of(OTHER)))


def test_what_is_no_object_of_dvcs_is_left_alone(folder_store: Store) -> None:
    for key in ("dvc/files/md5/ab/README", "dvc/files/sha256/ab/cd", "dvc/ab/" + "c" * 30):
        folder_store.write(key, b"x")
    before = folder_store.keys("dvc/")
    collect(folder_store, long_after(), quiet, apply=True)
    assert folder_store.keys("dvc/") == before


def test_the_run_cache_keeps_what_leads_to_objects_that_stay(folder_store: Store) -> None:
    finished(folder_store, "first", {"models/model": MODEL})
    for name, content in (("kept", MODEL), ("gone", OTHER)):
        text = yaml.safe_dump(entry_of({"models/model": content}))
        folder_store.write(f"dvc/runs/ab/{name}/x", text.encode())
    collect(folder_store, long_after(), quiet, apply=True)
    assert folder_store.keys("dvc/runs/") == ["dvc/runs/ab/kept/x"]


def test_hashes_of_outputs_are_found_and_those_of_inputs_are_not() -> None:
    lock = {"stages": {"a": entry_of({"models/model": MODEL, "data/rows": "rows"})}}
    found = dict(outputs(lock))
    assert found == {md5_of(MODEL): "models/model", md5_of("rows"): "data/rows"}
    assert dict(outputs({"outs": [{"path": "x", "md5": "../../etc"}]})) == {}
    assert members(md5_of(MODEL), b"[]") is None


@pytest.mark.parametrize("seed", range(12))
def test_after_any_history_all_that_is_kept_can_be_had(
    folder_store: Store, tmp_path: Path, seed: int
) -> None:
    """Nights that share files and folders, versions, promotions, lost runs; and both sweeps."""
    draw = random.Random(seed)
    runs: list[Run] = []
    locks: dict[str, Any] = {}
    for night in range(14):
        words = [draw.choice("abcdef") for _ in range(3)]
        outs: dict[str, Content] = {
            "models/model": {f"f{at}": word for at, word in enumerate(words)},
            "data/rows": draw.choice("abcxyz"),
        }
        base = runs[-1] if runs and draw.random() < 0.5 else None
        run = finished(folder_store, f"night-{night}", outs, base=base, revision=f"r{night % 4}")
        runs.append(run)
        folder_store.write("runs/latest.json", to_json({"run": run.name}))
        if draw.random() < 0.3:
            version = published(folder_store, tmp_path, f"g{night}", run.name, lock_of(run))
            locks[version] = lock_of(run)
            if draw.random() < 0.5:
                promote(folder_store, NAME, version, "t")
        if draw.random() < 0.5:
            settings = long_after(keep_runs=draw.randint(1, 4))
            gone = expire(folder_store, settings, quiet, apply=True)["runs"]
            runs = [run for run in runs if run.name not in gone]
            found = collect(folder_store, settings, quiet, apply=True)
            assert found["lost"] == []
            for each in runs:
                assert lost_of(folder_store, each.lock(["learn"])["learn"]["outs"]) == []
                assert folder_store.keys(f"code/{each.facts()['revision']}")
            assert sorted(whole_versions(folder_store, NAME)) == sorted(locks)
            for lock in locks.values():
                assert lost_of(folder_store, lock["stages"]["learn"]["outs"]) == []
    settings = long_after(keep_runs=1)
    expire(folder_store, settings, quiet, apply=True)
    collect(folder_store, settings, quiet, apply=True)
    needed = {md5 for lock in locks.values() for md5, _ in outputs(lock)}
    needed |= {md5 for run in [runs[-1]] for md5, _ in outputs(run.lock(["learn"]))}
    needed |= {md5 for md5, _ in outputs(runs[-1].base_entries())}
    there = {hash_at(key) for key in folder_store.keys("dvc/")}
    kept_runs = {key.split("/")[1] for key in folder_store.keys("runs/night")}
    by_versions = {f"night-{n}" for n in range(14)} & kept_runs
    for name in by_versions:
        needed |= {md5 for md5, _ in outputs(Run(folder_store, name).base_entries())}
    folders = {md5 for md5 in needed if md5.endswith(".dir")}
    files = {each["md5"] for md5 in folders for each in folder_store.read(key_of(md5)).json()}  # type: ignore[union-attr]
    assert there == needed | files, "nothing else is left"
