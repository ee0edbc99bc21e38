"""What is in the registry, as a table; and a version's files, fetched and verified."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tasks.inference.release import MANIFEST, verify
from tasks.registry.aliases import Aliases, read_aliases
from tasks.registry.manifest import (
    Manifest,
    need_manifest,
    number,
    place,
    read_manifest,
    together,
    whole_versions,
)
from tasks.stage.errors import BadInput, StageError
from tasks.stage.outputs import remove
from tasks.store.store import Store, to_json


@dataclass(frozen=True)
class VersionRow:
    """A version as a person asks for it."""

    version: str
    created: str
    aliases: list[str]
    metric: str
    """What its figure is called: accuracy, f1, spearman, mean."""
    share: bool
    """Whether that is a share, which readers want in per cent."""
    figure: float | None
    """On the test split of its day, at most 1."""
    latency_ms: float | None
    """Median of one text, on the machine that measured it."""
    size_mb: float
    """All its files."""
    revoked: str | None
    """Why it must not serve again, or None."""
    run: str | None
    digest: str


def versions(store: Store, name: str) -> list[VersionRow]:
    """Every whole version, the newest first."""
    record = read_aliases(store, name)
    return [_row(each, record) for each in _manifests(store, name, whole_versions(store, name))]


def best_ever(store: Store, name: str, metric: str) -> VersionRow | None:
    """Of all versions that ever served and were not revoked, the one with the best figure.

    Of equals the newest. None when there is none whose figure is of this `metric`.
    """
    record = read_aliases(store, name)
    rows = [_row(each, record) for each in _manifests(store, name, sorted(record.promoted))]
    able = [
        (row.figure, row)
        for row in rows
        if row.figure is not None and row.metric == metric and row.revoked is None
    ]
    best = max(able, key=lambda each: each[0], default=None)
    return best[1] if best else None


def fetch_version(store: Store, name: str, version: str, folder: Path) -> Path:
    """Download a version into `folder`, each file verified against the manifest; the folder.

    What was in `folder` goes, unless it is that very version. Raises BadInput when the version is
    not whole, StageError when a file in the store is not the one that was published.
    """
    manifest = need_manifest(store, name, version)
    if _is(folder, manifest):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".draft-"))
    try:
        _download(store, manifest, draft)
        remove(folder)
        os.replace(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def _download(store: Store, manifest: Manifest, folder: Path) -> None:
    start = place(manifest.name, manifest.version)

    def fetch(path: str) -> None:
        if store.download(f"{start}/{path}", folder / path) != manifest.files[path].sha256:
            raise StageError(
                f"{store.url}/{start}/{path} is not the file that was published: its sha256 is not "
                f"the one in {MANIFEST}; roll back, or put the right file there"
            )

    together(fetch, manifest.files)
    (folder / MANIFEST).write_bytes(_bytes(manifest))


def _is(folder: Path, manifest: Manifest) -> bool:
    path = folder / MANIFEST
    if not path.is_file() or path.read_bytes() != _bytes(manifest):
        return False
    try:
        verify(folder)
    except BadInput:
        return False
    return True


def _bytes(manifest: Manifest) -> bytes:
    return to_json(manifest.to_json())


def _manifests(store: Store, name: str, wanted: list[str]) -> list[Manifest]:
    """Of the versions in `wanted`, those that are whole, the newest first."""
    found = together(lambda version: read_manifest(store, name, version), wanted)
    whole = [manifest for manifest in found if manifest is not None]
    return sorted(whole, key=lambda each: number(each.version), reverse=True)


def _row(manifest: Manifest, record: Aliases) -> VersionRow:
    revoked = record.revoked_as(manifest.digest, manifest.version)
    task = manifest.task
    return VersionRow(
        version=manifest.version,
        created=manifest.created,
        aliases=record.of(manifest.version),
        metric=task.metric,
        share=task.is_share(task.metric),
        figure=manifest.figure,
        latency_ms=manifest.measured("latency_ms"),
        size_mb=manifest.megabytes,
        revoked=record.revoked[revoked]["reason"] if revoked else None,
        run=manifest.run,
        digest=manifest.digest,
    )
