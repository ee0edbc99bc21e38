"""A store of files by key on this machine, beside the graph: it saves time and decides nothing."""

from __future__ import annotations

import os
import shutil
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from tasks.stage.outputs import sha256

PRIVATE = 0o700  # it holds people's texts
SECONDS_UNTIL_A_DRAFT_IS_LEFT_OVER = 3600.0


@dataclass(frozen=True)
class Cache:
    """Files below `folder`, of `limit` bytes in all: what was used longest ago goes first.

    A file's name carries the sha256 of its content, so one that is damaged is noticed. What is
    taken out is a link or a copy of the caller's own: another process may clear the cache at any
    time. A folder that can't be used costs time only, and is said once.
    """

    folder: Path
    limit: int

    def take(self, key: str, target: Path) -> bool:
        """Make `target` the file kept under `key`; False when there is none, or it is damaged."""
        for entry in self._entries(key):
            try:
                _link_or_copy(entry, target)
                if sha256(target) == entry.suffix.removeprefix("."):
                    with suppress(OSError):
                        os.utime(entry)
                    return True
                entry.unlink()
            except OSError:
                pass  # another process removed it, or the folder may not be changed
            target.unlink(missing_ok=True)
        return False

    def keep(self, key: str, source: Path) -> None:
        """Keep the file `source` under `key`."""
        home = self.folder / key[:2]
        draft = home / f"draft-{uuid4().hex}"
        try:
            home.mkdir(parents=True, exist_ok=True, mode=PRIVATE)
            _link_or_copy(source, draft)
            draft.replace(home / f"{key}.{sha256(source)}")
        except OSError as error:
            _say_once(f"{self.folder} can't be used ({error.strerror}): files are parsed each time")
            _remove(draft)

    def trim(self) -> None:
        """Remove what was used longest ago until the rest is within the limit."""
        found: list[tuple[float, int, Path]] = []
        for path in self.folder.glob("??/*"):
            try:
                status = path.stat()
            except OSError:
                continue
            if not path.name.startswith("draft-"):
                found.append((status.st_mtime, status.st_size, path))
            elif time.time() - status.st_ctime > SECONDS_UNTIL_A_DRAFT_IS_LEFT_OVER:
                _remove(path)
        left = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if left <= self.limit:
                return
            _remove(path)
            left -= size

    def _entries(self, key: str) -> list[Path]:
        try:
            return sorted((self.folder / key[:2]).glob(f"{key}.*"))
        except OSError:
            return []


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)


def _remove(path: Path) -> None:
    with suppress(OSError):  # gone already, or the folder may not be changed
        path.unlink()


_said: set[str] = set()


def _say_once(line: str) -> None:
    if line not in _said:
        _said.add(line)
        print(f"nightshift: {line}", file=sys.stderr, flush=True)
