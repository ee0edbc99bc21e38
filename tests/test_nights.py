"""The real graph by nights: two workers that share only a bucket, a gate, versions, a way back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.handover.hashes import dvc_hash
from tasks.handover.run import Run
from tasks.registry.aliases import read_aliases
from tasks.store.store import open_store
from tests.handover.project import Worker
from tests.made import opinions, write_csv
from tests.s3 import settings
from tests.test_end_to_end import STAGES, project, run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


class Team:
    """A repository with a remote, a bucket, and two machines."""

    def __init__(self, folder: Path, store: str, model: Path) -> None:
        self.store, self.remote = store, folder / "remote.git"
        self.project = folder / "project"
        self.project.mkdir()
        source = write_csv(folder / "mine.csv", opinions(), ("review", "verdict"))
        project(self.project, model, source)
        (self.project / ".gitignore").write_text("/data/\n/models/\n/reports/\n/.nightshift/\n")
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("config", "user.name", "Team")
        self.git("config", "user.email", "team@example.com")
        self.git("add", ".")
        self.git("commit", "--quiet", "-m", "the project")
        subprocess.run(["git", "init", "--quiet", "--bare", str(self.remote)], check=True)
        self.git("remote", "add", "origin", str(self.remote))
        self.git("push", "--quiet", "origin", "main")
        self.one, self.two = (Worker(folder / name, store, self.project) for name in ("one", "two"))

    def git(self, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=self.project, check=True, capture_output=True)

    def night(self, name: str, *changes: str) -> list[str]:
        """The graph, its stages by turns on both machines; the stages that computed something."""
        sets = [word for change in changes for word in ("--set", change)]
        self.one("prepare", "--run", name, *sets)
        ran = []
        for number, stage in enumerate(STAGES):
            worker = (self.one, self.two)[number % 2]
            if "nothing had changed" not in worker("stage", stage, "--run", name):
                ran.append(stage)
        return ran


@pytest.fixture(scope="module")
def team(
    tmp_path_factory: pytest.TempPathFactory, tiny_model: Path, s3_endpoint: str
) -> Iterator[Team]:
    folder = tmp_path_factory.mktemp("team")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings(s3_endpoint, folder).items():
            patch.setenv(name, value)
        import boto3

        boto3.Session().client("s3").create_bucket(Bucket="team")
        yield Team(folder, "s3://team/nightshift", tiny_model)


def test_two_workers_give_the_very_hashes_that_a_laptop_gives(team: Team) -> None:
    assert team.night("first") == STAGES
    run(team.project, "-m", "dvc", "repro", "--quiet", "export")
    laptop = yaml.safe_load((team.project / "dvc.lock").read_text())["stages"]
    recorded = Run(open_store(team.store), "first").lock(STAGES)
    for stage in STAGES[:-1]:
        outs = {out["path"]: out["md5"] for out in recorded[stage]["outs"]}
        assert outs == {out["path"]: out["md5"] for out in laptop[stage]["outs"]}, stage


def test_the_first_release_is_judged_published_and_serves(team: Team) -> None:
    output = team.one("gate", "--run", "first")
    assert "gate: blessed" in output
    report = open_store(team.store).read("runs/first/reports/gate.json")
    assert report is not None
    assert "drop, points" in report.json()["waived"]
    assert "reviews@v1.0.0 published" in team.two("publish", "--run", "first")
    assert "reviews@v1.0.0 is in production" in team.one("promote", "--run", "first")
    output = team.two("announce", "--run", "first")
    assert "s3://team/nightshift/runs/first/reports/index.html" in output
    uri = f"{team.store}/registry/reviews/production"
    answer = team.one("predict", "--release", uri, "--json", "the plot is superb")
    assert json.loads(answer)["label"] == "good"


def test_a_night_without_news_computes_nothing_and_publishes_nothing(team: Team) -> None:
    assert team.night("second") == ["snapshot", "validate"], "the reference is new, the data aren't"
    assert "gate: nothing new" in team.one("gate", "--run", "second", code=4)
    assert "the gate says nothing new" in team.one("publish", "--run", "second", code=1)
    team.one("cleanup", "--run", "second")


def test_another_release_takes_over_and_can_be_taken_back(team: Team) -> None:
    assert team.night("third", "export.opset=21") == ["snapshot", "export", "benchmark"]
    team.one("gate", "--run", "third")
    assert "reviews@v1.1.0 published" in team.one("publish", "--run", "third")
    assert "is there already" in team.two("publish", "--run", "third")
    team.one("promote", "--run", "third")
    rows = json.loads(team.two("versions", "--json"))
    assert {row["version"]: row["aliases"] for row in rows} == {
        "v1.1.0": ["production"],
        "v1.0.0": ["previous"],
    }
    output = team.one("rollback", "--reason", "answers too slowly")
    assert "v1.1.0 is revoked; v1.0.0 is in production" in output
    assert "revoked" in team.one("gate", "--run", "third", code=3)
    assert "the gate says refused" in team.one("publish", "--run", "third", code=1)
    assert read_aliases(open_store(team.store), "reviews").production == "v1.0.0"


def test_a_fresh_clone_at_the_tag_has_that_versions_data_and_model(
    team: Team, tmp_path: Path
) -> None:
    clone = tmp_path / "clone"
    subprocess.run(
        ["git", "clone", "--quiet", "--branch", "reviews@v1.0.0", str(team.remote), str(clone)],
        check=True, capture_output=True,
    )  # fmt: skip
    subprocess.run(
        [sys.executable, "-m", "dvc", "pull", "--quiet"],
        cwd=clone,
        check=True,
        env=dict(os.environ),
    )
    lock: dict[str, Any] = yaml.safe_load((clone / "dvc.lock").read_text())["stages"]
    recorded = Run(open_store(team.store), "first").lock(STAGES)
    assert {stage: entry["outs"] for stage, entry in lock.items()} == {
        stage: entry["outs"] for stage, entry in recorded.items()
    }
    for entry in lock.values():
        for out in entry["outs"]:
            assert dvc_hash(clone / out["path"]) == out["md5"]
    assert (clone / "params.yaml").is_file()
