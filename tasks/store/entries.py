"""What lies in a store: an object's bytes under its key, and its line in a listing."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

PROBE = "runs/.probe-"
"""What keys begin with that a store is tried out under: where whoever writes records may write."""


class Found(NamedTuple):
    """What lies under a key: its bytes, and a tag that is another after every change."""

    content: bytes
    tag: str

    def json(self) -> Any:
        """The content as JSON."""
        return json.loads(self.content)


class Entry(NamedTuple):
    """An object as a listing has it."""

    key: str
    size: int
    """Bytes."""
    modified: float
    """When it was last written, in seconds since 1970 by the store's own clock."""
