"""Files and folders of this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tasks.sources.source import Pinned
from tasks.stage.errors import BadInput, Unavailable
from tasks.stage.outputs import sha256


@dataclass(frozen=True)
class Local:
    """A file or a folder; `uri` is what the person wrote, `path` is where it lies."""

    uri: str
    path: Path

    def files(self) -> list[Pinned]:
        """Every file, its size and sha256; names that begin with `.` or `_` are left out."""
        if not self.path.exists():
            raise BadInput(f"{self.uri} does not exist (looked in {Path.cwd()})")
        try:
            found = [Pinned(*self._measured(path)) for path in self._paths()]
        except PermissionError as error:
            raise BadInput(f"{error.filename} may not be read: check its permissions") from None
        if not found:
            raise BadInput(f"{self.uri} is a folder without files")
        return sorted(found)

    def fetch(self, pinned: Pinned) -> Path:
        """The file itself, after a check that it still is what was pinned."""
        path = self._root / pinned.path
        if not path.is_file():
            raise Unavailable(f"{path} is gone since the snapshot was taken: run again")
        if path.stat().st_size != pinned.size or sha256(path) != pinned.sha256:
            raise Unavailable(
                f"{path} has changed since the snapshot was taken: "
                "run again when nothing writes to it"
            )
        return path

    @property
    def _root(self) -> Path:
        return self.path if self.path.is_dir() else self.path.parent

    def _paths(self) -> Iterator[Path]:
        if self.path.is_file():
            yield self.path
            return
        for folder, folders, names in os.walk(self.path, followlinks=True):
            folders[:] = [name for name in folders if not name.startswith((".", "_"))]
            yield from (Path(folder, name) for name in names if not name.startswith((".", "_")))

    def _measured(self, path: Path) -> tuple[str, int, str]:
        return path.relative_to(self._root).as_posix(), path.stat().st_size, sha256(path)
