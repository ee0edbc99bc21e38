"""The release that new data are held against: usually the one in production."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from tasks.sources.resolve import resolve
from tasks.stage.errors import BadInput

CARD = "release.json"


def pin_reference(uri: str | None) -> dict[str, Any]:
    """`{"labels", "version", "sha256"}` of a release folder's `release.json`; nulls without one.

    Raises BadInput when the folder has none, or one without a list of labels.
    """
    if uri is None:
        return {"labels": None, "version": None, "sha256": None}
    source = resolve(uri)
    card = next((file for file in source.files() if file.path == CARD), None)
    if card is None:
        raise BadInput(f"snapshot.reference: {uri} has no {CARD}; takes a release's folder")
    content = source.fetch(card).read_bytes()
    try:
        release = json.loads(content)
    except ValueError as error:
        raise BadInput(f"snapshot.reference: {uri}/{CARD} is not JSON: {error}") from None
    labels = release.get("labels") if isinstance(release, dict) else None
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise BadInput(f"snapshot.reference: {uri}/{CARD} has no list of labels")
    return {
        "labels": sorted(labels),
        "version": release.get("version"),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
