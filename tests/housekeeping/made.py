"""Runs and versions with real objects in a store, as DVC puts them there, but in no time."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

from tasks.handover.run import Run
from tasks.housekeeping.objects import key_of
from tasks.params.housekeeping import Housekeeping
from tasks.store.store import Store, to_json

Content = str | dict[str, str]
"""A file's text, or a folder's by path."""


def long_after(**more: Any) -> Housekeeping:
    """Settings by which everything that is there is old; no person may set them so."""
    given = {"keep_days": -1, "keep_runs": 1, "grace_hours": -1, "repository": None, **more}
    return Housekeeping.model_construct(**{**Housekeeping().model_dump(), **given})


def md5_of(content: Content) -> str:
    if isinstance(content, str):
        return hashlib.md5(content.encode()).hexdigest()
    return hashlib.md5(listing(content)).hexdigest() + ".dir"


def listing(files: dict[str, str]) -> bytes:
    entries = [{"md5": md5_of(files[path]), "relpath": path} for path in sorted(files)]
    return json.dumps(entries).encode()


def push(store: Store, content: Content) -> str:
    """Send what is not there, and believe as DVC does that a listing's files are."""
    md5 = md5_of(content)
    if store.keys(key_of(md5)):
        return md5
    if isinstance(content, str):
        store.write(key_of(md5), content.encode())
    else:
        for text in content.values():
            push(store, text)
        store.write(key_of(md5), listing(content))
    return md5


def begun(store: Store, name: str, base: Run | None = None, revision: str = "r1") -> Run:
    """A run as `prepare` leaves it."""
    run = Run(store, name)
    entries = base.lock(["learn"]) if base else {}
    store.write(run.key("base.lock"), json.dumps({"schema": "2.0", "stages": entries}).encode())
    store.write(f"code/{revision}.tar.gz", b"code")
    facts = {"run": name, "revision": revision, "base": base.name if base else None}
    store.write(run.key("run.json"), to_json(facts))
    return run


def entry_of(outputs: dict[str, Content]) -> dict[str, Any]:
    outs = [{"path": path, "md5": md5_of(content)} for path, content in outputs.items()]
    return {"cmd": "x", "deps": [{"path": "tasks", "md5": "0" * 32 + ".dir"}], "outs": outs}


def recorded(run: Run, outputs: dict[str, Content]) -> Run:
    """Its one stage has come through, and its outputs were pushed."""
    mine = run.claim("learn")
    for content in outputs.values():
        push(run.store, content)
    run.finish(mine, replace(mine, status="ok", entry=entry_of(outputs)))
    return run


def finished(store: Store, name: str, outputs: dict[str, Content], **more: Any) -> Run:
    return recorded(begun(store, name, **more), outputs)


def lost_of(store: Store, outs: list[dict[str, Any]]) -> list[str]:
    """Which outputs of a lock entry can't be had whole, by reading every byte of them."""
    return [out["path"] for out in outs if not _is_whole(store, out["md5"])]


def _is_whole(store: Store, md5: str) -> bool:
    found = store.read(key_of(md5))
    if found is None or hashlib.md5(found.content).hexdigest() != md5.removesuffix(".dir"):
        return False
    below = found.json() if md5.endswith(".dir") else []
    return all(_is_whole(store, each["md5"]) for each in below)
