"""What a run is to do is pinned before it begins."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from tasks.handover.names import run_slug
from tasks.handover.package import pack_code, unpack_code
from tasks.handover.prepare import prepare
from tasks.stage.errors import BadInput
from tasks.store.store import Store, open_store
from tests.handover.project import make_project


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "store"))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "source.txt").write_text("x")
    return make_project(tmp_path / "project", tmp_path / "source.txt")


def test_changes_are_laid_over_the_parameters_and_recorded(store: Store, project: Path) -> None:
    run = prepare(store, "first", project, ["finetune.epochs=3", "benchmark.preset=fast"])
    params = yaml.safe_load(run.text("params.yaml") or "")
    assert params["finetune"]["epochs"] == 3
    assert params["benchmark"]["preset"] == "fast"
    assert run.facts()["changes"] == {"finetune.epochs": 3, "benchmark.preset": "fast"}
    assert run.facts()["base"] is None


def test_a_change_that_says_what_holds_already_is_none(store: Store, project: Path) -> None:
    plain = prepare(store, "first", project).text("params.yaml")
    present = ["finetune.epochs=1", "finetune.learning_rate=3e-4", "export.fusion=null"]
    run = prepare(store, "second", project, [*present, "finetune.seed=18"])
    assert run.facts()["changes"] == {"finetune.learning_rate": "3e-4", "finetune.seed": 18}
    again = prepare(store, "third", project, present[:1])
    assert again.text("params.yaml") == plain


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("finetune.epochs=none", "finetune.epochs: got 'none'; takes a valid integer"),
        ("finetune.epoch=3", "finetune.epoch: unknown key"),
        ("epochs=3", "takes section.key=VALUE"),
        ("finetune.epochs", "takes section.key=VALUE"),
        ("publish.promotion=maybe", "takes 'auto', 'approval' or 'never'"),
    ],
)
def test_a_change_that_can_t_be_is_refused_before_anything_is_written(
    store: Store, project: Path, change: str, message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        prepare(store, "first", project, [change])
    assert store.keys("") == []


def test_a_file_beside_the_parameters_is_found_from_elsewhere(store: Store, project: Path) -> None:
    (project / "mine.csv").write_text("text,label\n")
    run = prepare(store, "first", project, ["ingest.source=mine.csv"])
    params = yaml.safe_load(run.text("params.yaml") or "")
    assert params["ingest"]["source"] == str(project / "mine.csv")
    assert params["finetune"]["model"] == "sample:minilm"


def test_equal_code_is_packed_once_and_comes_back_whole(
    store: Store, project: Path, tmp_path: Path
) -> None:
    revision = pack_code(project, store)
    assert pack_code(project, store) == revision
    unpack_code(revision, store, tmp_path / "out")
    assert (tmp_path / "out/tasks/look.py").read_bytes() == (project / "tasks/look.py").read_bytes()
    (project / "tasks/look.py").write_text("# changed\n")
    assert pack_code(project, store) != revision


def test_a_revision_is_the_commit_where_files_are_as_committed(store: Store, project: Path) -> None:
    def git(*arguments: str) -> str:
        named = ["-c", "user.name=t", "-c", "user.email=t@t"]
        done = subprocess.run(
            ["git", *named, *arguments], cwd=project, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "-m", "all")
    commit = git("rev-parse", "HEAD")
    assert pack_code(project, store) == commit
    (project / "README.md").write_text("not part of what runs")
    (project / "tasks/__pycache__").mkdir()
    (project / "tasks/__pycache__/look.cpython-311.pyc").write_bytes(b"byte code")
    assert pack_code(project, store) == commit
    (project / "tasks/new.py").write_text("x = 1\n")
    assert pack_code(project, store).startswith(f"{commit}-")


def test_a_folder_that_is_no_project(store: Store, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(json.dumps({}))
    with pytest.raises(BadInput, match=r"dvc\.yaml is missing"):
        prepare(store, "first", tmp_path)


def test_ids_of_other_systems_become_slugs_and_stay_apart() -> None:
    one = run_slug("manual__2026-11-24T02:00:00+00:00")
    other = run_slug("manual__2026-11-24T02-00-00-00:00")
    assert one.startswith("manual-2026-11-24t02-00-00-00-00-")
    assert one != other
    assert run_slug("scheduled__Ä") != run_slug("scheduled__Ö")
    assert len(run_slug("x" * 500)) < 100
