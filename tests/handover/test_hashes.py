from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tasks.handover.hashes import dvc_hash
from tasks.stage.errors import BadInput


def test_a_hash_is_the_one_that_dvc_computes(tmp_path: Path) -> None:
    (tmp_path / "folder/deep").mkdir(parents=True)
    for name in ("folder/b", "folder/a.txt", "folder/deep/ü", "file"):
        (tmp_path / name).write_text(name)
    dvc = [sys.executable, "-m", "dvc"]
    subprocess.run([*dvc, "init", "--no-scm", "--quiet"], cwd=tmp_path, check=True)
    subprocess.run([*dvc, "add", "--quiet", "folder", "file"], cwd=tmp_path, check=True)
    for name in ("folder", "file"):
        recorded = yaml.safe_load((tmp_path / f"{name}.dvc").read_text())["outs"][0]["md5"]
        assert dvc_hash(tmp_path / name) == recorded


def test_nothing_has_no_hash(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="none is missing"):
        dvc_hash(tmp_path / "none")
