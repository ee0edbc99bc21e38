"""Publishing: a release becomes an immutable version, whole or not at all.

A publisher takes the next number by creating its claim, which holds all that the version will be
but the files: the card with its version, and the manifest. Whoever comes with the same release
later, be it the same publisher after a crash, goes on with that claim and so makes the very same
version; of many at once each writes the same bytes. The manifest comes last.
"""

from __future__ import annotations

import hashlib
import tempfile
import uuid
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tasks.inference.release import CARD, MANIFEST, Release, verify
from tasks.registry.manifest import (
    Facts,
    File,
    Manifest,
    need_manifest,
    now,
    number,
    place,
    read_manifest,
    room,
    together,
)
from tasks.stage.errors import StageError
from tasks.stage.outputs import finite
from tasks.store.store import Store, read_record, to_json


@dataclass(frozen=True)
class Publication:
    """A version that is there now."""

    name: str
    version: str
    digest: str
    created: bool
    """Whether this call made it; False when it was there already."""


def publish(store: Store, name: str, major: int, folder: Path, facts: Facts) -> Publication:
    """Publish the release in `folder` as the next version vMAJOR.N.0 of `name`.

    The same release (`Release.digest`) published again, also after a crash in the middle, gives
    the version that it got the first time. Aliases stay where they are. Raises BadInput when the
    folder holds no release or a file of it has changed, Unavailable when the store is away.
    """
    release = verify(folder)
    claim = _claim(store, name, major, release, folder, facts)
    version, digest = str(claim["manifest"]["version"]), release.digest
    if read_manifest(store, name, version) is None:
        _upload(store, claim, folder)
        made = {**claim["manifest"], "created": now(), "token": uuid.uuid4().hex}
        if store.create(f"{place(name, version)}/{MANIFEST}", to_json(made)):
            return Publication(name, version, digest, created=True)
    if need_manifest(store, name, version).digest != digest:
        raise StageError(
            f"{store.url}/{place(name, version)} holds another release than its claim says: "
            "somebody wrote there by other means; remove it or raise publish.major"
        )
    return Publication(name, version, digest, created=False)


def _claim(
    store: Store, name: str, major: int, release: Release, folder: Path, facts: Facts
) -> dict[str, Any]:
    """The claim on a version for this release: one that is there, or a new one."""
    digest, taken = release.digest, _claims(store, name, major)
    for claim in taken.values():
        if claim["digest"] == digest and _can_be_finished(store, claim, release):
            return claim
    free = max(taken, default=-1) + 1
    while True:
        version = f"v{major}.{free}.0"
        claim = _draft(name, version, release, folder, facts)
        key = f"{room(name)}/claims/{version}.json"
        if store.create(key, to_json(claim)):
            return claim
        theirs: dict[str, Any] = read_record(store, key)
        if theirs["digest"] == digest and _can_be_finished(store, theirs, release):
            return theirs
        free += 1


def _can_be_finished(store: Store, claim: dict[str, Any], release: Release) -> bool:
    """Whether a claim's version is there, or can be made of this release's files.

    Equal releases may come with different descriptions of their data.
    """
    manifest = claim["manifest"]
    claimed = {path: file["sha256"] for path, file in manifest["files"].items() if path != CARD}
    if claimed == release.files:
        return True
    return read_manifest(store, manifest["name"], manifest["version"]) is not None


def _claims(store: Store, name: str, major: int) -> dict[int, dict[str, Any]]:
    """All claims within a major version, by N."""
    keys = store.keys(f"{room(name)}/claims/v{major}.")
    found = together(lambda key: read_record(store, key), keys)
    return {number(Path(key).stem)[1]: claim for key, claim in zip(keys, found, strict=True)}


def _draft(name: str, version: str, release: Release, folder: Path, facts: Facts) -> dict[str, Any]:
    """A claim: digest, run, token, time, the card's text, and the manifest that is to be."""
    card = replace(release, version=version).text
    sizes = {path: (folder / path).stat().st_size for path in release.files}
    files = {path: File(digest, sizes[path]) for path, digest in release.files.items()}
    files[CARD] = File(hashlib.sha256(card.encode()).hexdigest(), len(card.encode()))
    manifest = Manifest(
        **asdict(facts),
        name=name,
        version=version,
        digest=release.digest,
        files=files,
        created="",
        token="",
    )
    return {
        "digest": release.digest,
        "run": facts.run,
        "token": uuid.uuid4().hex,
        "at": now(),
        "card": card,
        "manifest": finite(manifest.to_json()),
    }


def _upload(store: Store, claim: dict[str, Any], folder: Path) -> None:
    """All files, the card last: a folder with a card has the rest."""
    manifest = claim["manifest"]
    start = place(manifest["name"], manifest["version"])
    with tempfile.TemporaryDirectory() as scratch:
        card = Path(scratch, CARD)
        card.write_text(claim["card"], encoding="utf-8")
        for path in sorted(manifest["files"], key=lambda path: (path == CARD, path)):
            source = card if path == CARD else folder / path
            if store.upload(source, f"{start}/{path}") != manifest["files"][path]["sha256"]:
                raise StageError(f"{source} changed while it was being published: publish again")
