"""The commands by hand: nothing is removed unless asked for, and what was found is left behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tasks.housekeeping.objects import key_of
from tasks.store.store import open_store
from tests.housekeeping.made import finished, md5_of, push
from tests.housekeeping.test_drill import version
from tests.made import ROOT, environment
from tests.registry.made import NAME


@pytest.fixture
def project(workspace: Path) -> Path:
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["publish"]["name"] = NAME
    (workspace / "params.yaml").write_text(yaml.safe_dump(params))
    return workspace


def nightshift(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tasks.cli", *arguments],
        cwd=folder,
        env=environment(NIGHTSHIFT_STORE=str(folder / "store")),
        capture_output=True,
        text=True,
    )


def test_gc_says_what_would_go_and_does_it_when_told_to(project: Path) -> None:
    store = open_store(str(project / "store"))
    finished(store, "first", {"data/rows": "rows"})
    push(store, "garbage")
    settings = ("--set", "housekeeping.repository=null")

    told = nightshift(project, "gc", *settings)
    assert (told.returncode, told.stderr) == (0, "")
    assert "dvc/files/md5/     2  0.0 MB         0  0.0 MB" in told.stdout
    assert "nothing was removed: --apply does it" in told.stdout

    result = project / "result.json"
    done = nightshift(project, "gc", "--apply", "--json", "--result", str(result), *settings)
    left = json.loads(result.read_text())
    assert json.loads(done.stdout).items() <= left.items()
    assert (left["applied"], left["status"], left["ran"]) == (True, "ok", True)
    assert store.keys(key_of(md5_of("garbage"))), "it is young"


def test_without_a_repository_it_says_what_to_do(project: Path) -> None:
    told = nightshift(project, "gc")
    assert told.returncode == 1
    assert "housekeeping.repository" in told.stderr
    assert "or null if no branch names data of this store" in told.stderr


def test_a_setting_that_can_t_be_is_refused(project: Path) -> None:
    told = nightshift(project, "expire", "--apply", "--set", "housekeeping.keep_runs=1")
    assert told.returncode == 1
    assert "housekeeping.keep_runs: got 1; takes 3 or more" in told.stderr


def test_a_drill_that_fails_ends_with_1_and_leaves_its_figures(
    project: Path, tmp_path: Path
) -> None:
    version(open_store(str(project / "store")), tmp_path, forgets=1, accuracy=0.95)
    result = project / "result.json"
    told = nightshift(project, "drill", "--result", str(result))
    assert told.returncode == 1
    assert f"drill of {NAME}@v1.0.0: its figures are not the recorded ones" in told.stderr
    left = json.loads(result.read_text())
    assert (left["status"], left["retryable"], left["ok"]) == ("failed", False, False)
    assert left["figures"][0]["now"] == 0.9375
    told = nightshift(project, "drill", "--set", "housekeeping.drill_tolerance=2")
    assert told.returncode == 0
    assert "accuracy     0.9500    0.9375  1.25" in told.stdout
