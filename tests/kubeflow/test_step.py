"""What a pod does, without Kubeflow; `python -m tests.kubeflow_proof` runs it with its runner."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tasks.handover.run import Run
from tasks.kubeflow.step import step
from tasks.store.store import open_store
from tests.handover.project import make_project
from tests.made import ROOT, environment

TYPES = {"ingest.salt": "text", "finetune.epochs": "integer", "prune.keep": "other"}


def nightshift(folder: Path, body: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A command of that name, first on the path."""
    folder.mkdir()
    path = folder / "nightshift"
    path.write_text(f"#!{sys.executable}\n{body}")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return path


def test_prepare_takes_what_kubeflow_makes_of_the_parameters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "source.txt").write_text("x")
    project = make_project(tmp_path / "project", tmp_path / "source.txt")
    monkeypatch.chdir(project)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    ours = "import tasks.cli\ntasks.cli.app()\n"
    nightshift(tmp_path / "bin", ours, monkeypatch)
    store = str(tmp_path / "store")
    settings = "ingest.salt=1.0 # a text\nfinetune.epochs=3.0\nprune.keep="
    promotion = step(["prepare"], "first", store, settings, TYPES)
    assert promotion == "auto"
    changes = Run(open_store(store), "first").facts()["changes"]
    assert changes == {"ingest.salt": "1.0 # a text", "finetune.epochs": 3}


def test_what_may_pass_is_tried_again_and_the_gates_word_is_handed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = """
import json, pathlib, sys
tries = pathlib.Path(sys.argv[0]).with_name("tries")
count = len(tries.read_text()) if tries.exists() else 0
tries.write_text("x" * (count + 1))
pathlib.Path(sys.argv[-1]).write_text(json.dumps({"verdict": "refused"}))
sys.exit(75 if count < 2 else 3)
"""
    path = nightshift(tmp_path / "bin", body, monkeypatch)
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    assert step(["gate"], "first", "store", "", {}) == "refused"
    assert path.with_name("tries").read_text() == "xxx"
    assert waited == [30, 120]


def test_what_wont_pass_ends_the_pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nightshift(tmp_path / "bin", "import sys\nsys.exit(1)\n", monkeypatch)
    with pytest.raises(SystemExit) as caught:
        step(["stage", "ingest"], "first", "store", "", {})
    assert caught.value.code == 1


def test_without_the_sdk_it_says_what_to_install() -> None:
    code = "from tasks.cli import app; app()"
    command = [sys.executable, "-c", code, "compile", "kubeflow", "--image", "nightshift:1"]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True)
    assert done.returncode == 1
    assert "install nightshift[kubeflow] in an environment of its own" in done.stderr
