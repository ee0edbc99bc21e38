"""A file's or folder's hash as DVC computes it, to hold inputs against what made them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from tasks.stage.errors import BadInput


def dvc_hash(path: Path) -> str:
    """The md5 of a file, or DVC's `….dir` hash of a folder (over its files' md5s and paths).

    Raises BadInput when there is nothing.
    """
    if path.is_file():
        return _md5(path)
    if not path.is_dir():
        raise BadInput(f"{path} is missing")
    files = [each for each in path.rglob("*") if each.is_file()]
    entries = [{"md5": _md5(each), "relpath": each.relative_to(path).as_posix()} for each in files]
    entries.sort(key=lambda entry: entry["relpath"])
    return hashlib.md5(json.dumps(entries).encode(), usedforsecurity=False).hexdigest() + ".dir"


def _md5(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
