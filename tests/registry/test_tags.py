"""Real git, a bare repository for a remote, and a small DVC project."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.registry.manifest import need_manifest
from tasks.registry.publishing import publish
from tasks.registry.tags import Tagged, tag_version
from tasks.store.store import Store
from tests.made import environment
from tests.registry.made import NAME, facts, release

DATA = b"text,label\na fine film,good\n"
MD5 = hashlib.md5(DATA).hexdigest()
LOCK = {
    "schema": "2.0",
    "stages": {
        "ingest": {
            "cmd": "true",
            "outs": [{"path": "data.csv", "hash": "md5", "md5": MD5, "size": len(DATA)}],
        }
    },
}
PARAMS = {"ingest": {"salt": "12e3", "rate": 1e-5, "yes": "no", "day": "2026-01-31"}}


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=a person", "-c", "user.email=person@localhost")
    return run(folder, "git", *who, *arguments)


def commit(project: Path, message: str) -> str:
    git(project, "add", "--all")
    git(project, "commit", "-q", "-m", message)
    return git(project, "rev-parse", "HEAD")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A DVC project in git, with one committed revision and no remote."""
    folder = tmp_path / "project"
    (folder / ".dvc").mkdir(parents=True)
    (folder / ".dvc" / "config").write_text("[core]\n    analytics = false\n")
    (folder / ".dvc" / ".gitignore").write_text("/cache\n/tmp\n/config.local\n")
    (folder / ".gitignore").write_text("/data.csv\n")
    (folder / "dvc.yaml").write_text("stages: {ingest: {cmd: 'true', outs: [data.csv]}}\n")
    (folder / "params.yaml").write_text("ingest: {}\n")
    git(folder, "init", "-q", "-b", "main")
    commit(folder, "begin")
    return folder


@pytest.fixture
def remote(project: Path, tmp_path: Path) -> Path:
    """A bare repository, the project's `origin`."""
    folder = tmp_path / "remote.git"
    git(project, "clone", "-q", "--bare", str(project), str(folder))
    git(project, "remote", "add", "origin", str(folder))
    git(project, "push", "-q", "origin", "main")
    return folder


def version_of(store: Store, project: Path, folder: Path, graph: str = "a", **more: Any) -> str:
    """A graph published as if a run had made it with the project's code as it is now."""
    told: dict[str, Any] = {"lock": LOCK, "params": PARAMS}
    told |= {"revision": git(project, "rev-parse", "HEAD"), **more}
    return publish(store, NAME, 1, release(folder / graph, graph), facts(**told)).version


def tagged(store: Store, project: Path, version: str = "v1.0.0") -> Tagged:
    found = tag_version(store, NAME, version, project)
    assert found.problem is None
    assert found.commit == git(project, "rev-parse", f"{NAME}@{version}^{{commit}}")
    return found


def tip(repository: Path) -> str:
    return git(repository, "rev-parse", f"nightshift/{NAME}")


def test_a_fresh_clone_at_the_tag_gets_that_version_s_data(
    store: Store, project: Path, remote: Path, tmp_path: Path
) -> None:
    store.write(f"dvc/files/md5/{MD5[:2]}/{MD5[2:]}", DATA)  # as `dvc push` leaves it
    version_of(store, project, tmp_path)
    assert tagged(store, project).pushed

    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "-b", f"{NAME}@v1.0.0", str(remote), str(clone))
    run(clone, sys.executable, "-m", "dvc", "pull", "-q")
    assert (clone / "data.csv").read_bytes() == DATA
    assert git(clone, "status", "--porcelain") == ""
    assert "secret" not in (clone / ".dvc" / "config").read_text()


def test_gto_sees_the_version(
    folder_store: Store, project: Path, remote: Path, tmp_path: Path
) -> None:
    version_of(folder_store, project, tmp_path)
    tagged(folder_store, project)

    assert git(remote, "cat-file", "-t", f"{NAME}@v1.0.0") == "tag"
    gto = str(Path(sys.executable).with_name("gto"))
    assert run(project, gto, "show", f"{NAME}@latest", "--ref") == f"{NAME}@v1.0.0"


def test_the_tagged_tree_is_the_code_with_the_run_s_lock_and_parameters(
    folder_store: Store, project: Path, tmp_path: Path
) -> None:
    version_of(folder_store, project, tmp_path)
    commit_of_tag = tagged(folder_store, project).commit
    assert commit_of_tag is not None

    changed = git(project, "diff", "--name-only", "main", commit_of_tag).split()
    assert changed == [".dvc/config", "dvc.lock", "params.yaml"]
    assert yaml.safe_load(git(project, "show", f"{commit_of_tag}:dvc.lock")) == LOCK
    assert yaml.safe_load(git(project, "show", f"{commit_of_tag}:params.yaml")) == PARAMS
    config = git(project, "show", f"{commit_of_tag}:.dvc/config")
    assert "analytics = false" in config
    assert f"url = {folder_store.url}/dvc" in config


def test_dvc_reads_the_parameters_as_we_do(
    folder_store: Store, project: Path, tmp_path: Path
) -> None:
    from ruamel.yaml import YAML

    version_of(folder_store, project, tmp_path)
    text = git(project, "show", f"{tagged(folder_store, project).commit}:params.yaml")

    assert YAML(typ="safe", pure=True).load(text) == yaml.safe_load(text) == PARAMS


def test_work_tree_and_index_are_left_alone(
    folder_store: Store, project: Path, remote: Path, tmp_path: Path
) -> None:
    version_of(folder_store, project, tmp_path)
    (project / "params.yaml").write_text("ingest: {text: staged}\n")
    git(project, "add", "params.yaml")
    (project / "params.yaml").write_text("ingest: {text: at work}\n")
    before = git(project, "status", "--porcelain"), git(project, "diff", "--cached")
    tagged(folder_store, project)

    assert (git(project, "status", "--porcelain"), git(project, "diff", "--cached")) == before
    assert (project / "params.yaml").read_text() == "ingest: {text: at work}\n"
    assert git(project, "rev-parse", "--abbrev-ref", "HEAD") == "main"


def test_tagging_again_changes_nothing(
    folder_store: Store, project: Path, remote: Path, tmp_path: Path
) -> None:
    version_of(folder_store, project, tmp_path)
    first = tagged(folder_store, project)
    refs = git(project, "show-ref"), git(remote, "show-ref")

    assert tagged(folder_store, project) == first
    assert (git(project, "show-ref"), git(remote, "show-ref")) == refs


def test_the_branch_holds_one_commit_a_version_and_follows_the_code(
    folder_store: Store, project: Path, remote: Path, tmp_path: Path
) -> None:
    code = git(project, "rev-parse", "HEAD")
    version_of(folder_store, project, tmp_path, "a")
    first = tagged(folder_store, project).commit
    version_of(folder_store, project, tmp_path, "b")
    second = tagged(folder_store, project, "v1.1.0").commit
    (project / "code.py").write_text("new = True\n")
    newer = commit(project, "go on")
    version_of(folder_store, project, tmp_path, "c")
    third = tagged(folder_store, project, "v1.2.0").commit

    lines = git(remote, "log", "--format=%H %P", f"nightshift/{NAME}", "--first-parent")
    assert lines.splitlines() == [
        f"{third} {second} {newer}",
        f"{second} {first}",
        f"{first} {code}",
        code,
    ]
    assert git(project, "show", f"{third}:code.py") == "new = True"


def test_without_a_remote_the_tag_is_made_here(
    folder_store: Store, project: Path, tmp_path: Path
) -> None:
    version_of(folder_store, project, tmp_path)
    found = tagged(folder_store, project)

    assert not found.pushed
    assert tip(project) == found.commit


def test_a_remote_that_is_away_is_a_warning_and_is_made_up_for(
    folder_store: Store, project: Path, remote: Path, tmp_path: Path
) -> None:
    version_of(folder_store, project, tmp_path)
    remote.rename(tmp_path / "away.git")
    found = tag_version(folder_store, NAME, "v1.0.0", project)
    assert not found.pushed
    assert found.problem is not None
    assert f"git push origin refs/tags/{NAME}@v1.0.0 refs/heads/nightshift/{NAME}" in found.problem
    assert tip(project) == found.commit

    (tmp_path / "away.git").rename(remote)
    assert tagged(folder_store, project) == Tagged(found.tag, found.commit, True, None)
    assert tip(remote) == found.commit


def test_clones_that_publish_at_once_end_up_on_one_branch(
    folder_store: Store, project: Path, remote: Path, tmp_path: Path
) -> None:
    clones = [tmp_path / f"clone-{each}" for each in "abcd"]
    versions = [version_of(folder_store, project, tmp_path, each) for each in "abcd"]
    for clone in clones:
        git(tmp_path, "clone", "-q", str(remote), str(clone))
    with ThreadPoolExecutor(len(clones)) as pool:
        found = list(pool.map(lambda *pair: tagged(folder_store, *pair), clones, versions))

    assert all(each.pushed for each in found)
    on_branch = git(remote, "log", "--format=%H", f"nightshift/{NAME}").splitlines()
    assert {each.commit for each in found} < set(on_branch)
    assert len(on_branch) == len(clones) + 1


def test_a_clone_that_was_offline_joins_the_branch_again(
    folder_store: Store, project: Path, remote: Path, tmp_path: Path
) -> None:
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(remote), str(clone))
    for each in "abc":
        version_of(folder_store, project, tmp_path, each)
    git(clone, "remote", "set-url", "origin", str(tmp_path / "nowhere"))
    assert not tag_version(folder_store, NAME, "v1.0.0", clone).pushed
    git(clone, "remote", "set-url", "origin", str(remote))
    tagged(folder_store, project, "v1.1.0")  # from elsewhere, meanwhile

    assert tagged(folder_store, clone, "v1.0.0").pushed  # the tag alone: the branch has gone on
    assert tagged(folder_store, clone, "v1.2.0").pushed
    tags = git(remote, "tag", "--merged", f"nightshift/{NAME}").split()
    assert tags == [f"{NAME}@v1.0.0", f"{NAME}@v1.1.0", f"{NAME}@v1.2.0"]


def test_a_project_in_a_folder_of_its_repository_is_tagged_there(
    folder_store: Store, project: Path, tmp_path: Path
) -> None:
    inner = project / "models" / "mood"
    inner.mkdir(parents=True)
    (inner / "dvc.yaml").write_text("stages: {}\n")
    commit(project, "another project")
    version_of(folder_store, project, tmp_path)
    found = tagged(folder_store, inner)

    changed = git(project, "diff", "--name-only", "main", str(found.commit)).split()
    assert changed == [f"models/mood/{each}" for each in (".dvc/config", "dvc.lock", "params.yaml")]


@pytest.mark.parametrize(
    ("revision", "problem"),
    [(None, "its code is no commit"), ("0" * 40, "its code is no commit of this repository")],
)
def test_what_cannot_be_tagged_is_said(
    folder_store: Store, project: Path, tmp_path: Path, revision: str | None, problem: str
) -> None:
    version_of(folder_store, project, tmp_path, revision=revision)
    found = tag_version(folder_store, NAME, "v1.0.0", project)

    assert found.commit is None
    assert problem in str(found.problem)
    assert git(project, "tag") == ""


def test_outside_of_git_nothing_is_tagged_and_that_is_said(
    folder_store: Store, project: Path, tmp_path: Path
) -> None:
    version_of(folder_store, project, tmp_path)
    (tmp_path / "plain").mkdir()
    found = tag_version(folder_store, NAME, "v1.0.0", tmp_path / "plain")

    assert found.commit is None
    assert "not a git repository" in str(found.problem)
    assert need_manifest(folder_store, NAME, "v1.0.0").version == "v1.0.0"
