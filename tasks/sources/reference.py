"""The release that new data are held against: usually the one in production."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from tasks.inference.release import CARD, PROFILE
from tasks.sources.resolve import resolve
from tasks.stage.errors import BadInput

IN_STORE = "store://"
"""Begins the URI of a release in the store, wherever a machine has that: a key follows."""
NOTHING = dict.fromkeys(("labels", "task", "version", "sha256", "profile", "release"))


def pin_reference(uri: str) -> dict[str, Any]:
    """`{"labels", "task", "version", "sha256", "profile", "release"}` of a release's folder.

    `profile` is what its `profile.json` holds, or null; `release` is where to load it from. Raises
    BadInput when the folder has no `release.json`, or one without a list of labels.
    """
    source = resolve(uri)
    files = {file.path: file for file in source.files()}
    if CARD not in files:
        raise BadInput(f"snapshot.reference: {uri} has no {CARD}; takes a release's folder")
    profile = source.fetch(files[PROFILE]).read_bytes() if PROFILE in files else None
    return pin_release(source.fetch(files[CARD]).read_bytes(), profile, uri, uri)


def pin_release(card: bytes, profile: bytes | None, where: str, uri: str) -> dict[str, Any]:
    """The same, of the bytes of its two files; it lies at `where`, and `uri` is to say so."""
    release = _object(card, f"{where}/{CARD}")
    labels = release.get("labels")
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise BadInput(f"snapshot.reference: {where}/{CARD} has no list of labels")
    return {
        "labels": sorted(labels),
        "task": release.get("task", "classification"),
        "version": release.get("version"),
        "sha256": hashlib.sha256(card).hexdigest(),
        "profile": None if profile is None else _object(profile, f"{where}/{PROFILE}"),
        "release": uri,
    }


def _object(content: bytes, where: str) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError as error:
        raise BadInput(f"snapshot.reference: {where} is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise BadInput(f"snapshot.reference: {where} must hold a JSON object")
    return found
