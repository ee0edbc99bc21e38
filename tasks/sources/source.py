"""What a source of data or of a model can do, whatever kind it is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True, order=True)
class Pinned:
    """One file as it was when it was looked at.

    `path` is relative to the source's root, with `/`; `size` is in bytes. `sha256` (hex) is known
    for local files, `etag` and `version` for objects in a bucket, `revision` for files of a hub.
    """

    path: str
    size: int
    sha256: str | None = None
    etag: str | None = None
    version: str | None = None
    revision: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The fields that are known, as plain JSON."""
        return {key: value for key, value in asdict(self).items() if value is not None}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Pinned:
        """The reverse of `to_json`."""
        return cls(**content)


class Source(Protocol):
    """A file, or a folder of files, that can be listed and fetched."""

    @property
    def uri(self) -> str:
        """What the person wrote."""
        ...

    def files(self) -> list[Pinned]:
        """Everything there is now, sorted by path.

        Raises BadInput when there is nothing, Unavailable when it can't be reached.
        """
        ...

    def fetch(self, pinned: Pinned) -> Path:
        """A local file with exactly the pinned content.

        Raises Unavailable when it is not the same any more: a new snapshot mends that.
        """
        ...
