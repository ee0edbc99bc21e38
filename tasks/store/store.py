"""The store: the one place that all workers, nights and servers of a project share.

`NIGHTSHIFT_STORE` is a folder or `s3://bucket/prefix`. Keys are paths with `/` below it; the rooms
are `dvc/` (the DVC remote), `code/`, `runs/` and `registry/`, and two small ones: `locks/` and
`housekeeping/` (what the weekly one has found and removed). Small records are read and written
whole, and moved on by compare-and-set; files of any size are uploaded and downloaded under
checksums.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Protocol

from tasks.stage.errors import BadInput, StageError
from tasks.stage.outputs import STATE
from tasks.store.entries import Entry, Found

VARIABLE = "NIGHTSHIFT_STORE"
TRIES_TO_MOVE_ON = 200


class Store(Protocol):
    """A folder or a bucket. Every method raises BadInput for what no second try will mend (no
    such bucket, not allowed) and Unavailable for what may pass (no network, disk full)."""

    @property
    def url(self) -> str:
        """The store's own URL, without a slash at the end."""
        ...

    def read(self, key: str) -> Found | None:
        """A record, or None when there is none."""
        ...

    def write(self, key: str, content: bytes) -> None:
        """Write a record, whole, whatever was there."""
        ...

    def create(self, key: str, content: bytes) -> bool:
        """Write a record if there is none; whether it did. Of many at once, exactly one does."""
        ...

    def replace(self, key: str, content: bytes, tag: str) -> bool:
        """Write a record if it still is the one that `tag` came with; whether it did."""
        ...

    def upload(self, path: Path, key: str) -> str:
        """Put a file there, whole or not at all; the sha256 of what was sent."""
        ...

    def download(self, key: str, path: Path) -> str:
        """Write what lies under `key` to `path`, checked against its checksum; its sha256.

        Raises BadInput when there is nothing.
        """
        ...

    def keys(self, prefix: str) -> list[str]:
        """The keys of all objects that begin with `prefix`, sorted."""
        ...

    def tags(self, prefix: str) -> dict[str, str]:
        """As `keys`, each with the tag that `read` gives: who knows it need not read it again.

        Raises Unavailable for a folder that is not there at all, which a disk may be.
        """
        ...

    def listing(self, prefix: str) -> list[Entry]:
        """The same objects with sizes and times, sorted by key."""
        ...

    def delete(self, key: str) -> None:
        """Remove an object; what is not there is fine."""
        ...


def open_store(url: str | None = None, patience: float | None = None) -> Store:
    """The store at `url`: by default what `NIGHTSHIFT_STORE` names, else `.nightshift/store`.

    `patience`: seconds that a bucket which can't be reached is asked again; None means the usual.
    """
    where = url or os.environ.get(VARIABLE) or str(STATE / "store")
    if where.startswith("s3://"):
        from tasks.store.bucket import BucketStore

        return BucketStore(where) if patience is None else BucketStore(where, patience)
    scheme, colon, _ = where.partition("://")
    if colon:
        raise BadInput(
            f"{VARIABLE}: got {where}; takes a folder or s3://bucket/prefix, not {scheme}://"
        )
    from tasks.store.folder import FolderStore

    return FolderStore(Path(where).expanduser().resolve())


def to_json(content: Any) -> bytes:
    """Canonical JSON: sorted keys, two spaces, a newline at the end."""
    return (json.dumps(content, sort_keys=True, indent=2, ensure_ascii=False) + "\n").encode()


def read_record(store: Store, key: str) -> Any:
    """A JSON record, or None when there is none; raises StageError naming a key that is broken."""
    found = store.read(key)
    if found is None:
        return None
    try:
        return found.json()
    except ValueError as error:
        raise StageError(f"{store.url}/{key} is not JSON: {error}") from None
