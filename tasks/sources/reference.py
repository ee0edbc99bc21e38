"""The release that new data are held against: usually the one in production."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from tasks.sources.resolve import resolve
from tasks.stage.errors import BadInput

CARD = "release.json"
NOTHING = {"labels": None, "version": None, "sha256": None}


def pin_reference(uri: str) -> dict[str, Any]:
    """`{"labels", "version", "sha256"}` of a release folder's `release.json`.

    Raises BadInput when the folder has none, or one without a list of labels.
    """
    source = resolve(uri)
    card = next((file for file in source.files() if file.path == CARD), None)
    if card is None:
        raise BadInput(f"snapshot.reference: {uri} has no {CARD}; takes a release's folder")
    return pin_card(source.fetch(card).read_bytes(), f"{uri}/{CARD}")


def pin_card(content: bytes, where: str) -> dict[str, Any]:
    """The same, of the bytes of a `release.json` that lies at `where`."""
    try:
        release = json.loads(content)
    except ValueError as error:
        raise BadInput(f"snapshot.reference: {where} is not JSON: {error}") from None
    labels = release.get("labels") if isinstance(release, dict) else None
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise BadInput(f"snapshot.reference: {where} has no list of labels")
    return {
        "labels": sorted(labels),
        "version": release.get("version"),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
