"""DVC's objects in the store: where they lie, and which of them an entry of `dvc.lock` needs."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any

ROOM = "dvc/files/md5/"
RUN_CACHE = "dvc/runs/"
FOLDER = ".dir"
"""What the hash of a folder ends with: its object lists its files."""
_KEY = re.compile(rf"{ROOM}([0-9a-f]{{2}})/([0-9a-f]{{30}}(?:\.dir)?)")
_HASH = re.compile(r"[0-9a-f]{32}(?:\.dir)?")


def key_of(md5: str) -> str:
    """Where the object of a hash lies in the store."""
    return f"{ROOM}{md5[:2]}/{md5[2:]}"


def hash_at(key: str) -> str | None:
    """The hash of the object at a key; None for what is none of DVC's objects."""
    found = _KEY.fullmatch(key)
    return found[1] + found[2] if found else None


def outputs(content: Any) -> Iterator[tuple[str, str]]:
    """(hash, path) of every output in a `dvc.lock`, a stage's entry or a `.dvc` file."""
    if isinstance(content, list):
        for each in content:
            yield from outputs(each)
    elif isinstance(content, dict):
        for name, value in content.items():
            if name == "outs":
                yield from _named(value)
            elif name != "deps":
                yield from outputs(value)


def _named(outs: Any) -> Iterator[tuple[str, str]]:
    for out in outs if isinstance(outs, list) else []:
        md5 = str(out.get("md5")) if isinstance(out, dict) else ""
        if _HASH.fullmatch(md5):
            yield md5, str(out.get("path"))


def members(md5: str, listing: bytes) -> list[str] | None:
    """The hashes of a folder's files; None when `listing` is not the object that `md5` names."""
    whole = hashlib.md5(listing, usedforsecurity=False).hexdigest() + FOLDER == md5
    return [str(entry["md5"]) for entry in json.loads(listing)] if whole else None
