"""Files and folders of this machine."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tasks.sources.names import check_name
from tasks.sources.source import Pinned
from tasks.stage.errors import BadInput, StageError, Unavailable
from tasks.stage.outputs import sha256

DEEPEST = 50
_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


@dataclass(frozen=True)
class Local:
    """A file or a folder; `uri` is what the person wrote, `path` is where it lies."""

    uri: str
    path: Path

    def files(self) -> list[Pinned]:
        """Every file, its size and sha256; names that begin with `.` or `_` are left out.

        Links are followed. Raises BadInput for what has no fixed content (a pipe, a device, a
        link that leads nowhere or in a circle) and for what may not be read: a file left out in
        silence would be rows lost in silence.
        """
        try:
            found = sorted(Pinned(*self._measured(path)) for path in self._paths())
        except OSError as error:
            raise _unreadable(error, self.uri) from None
        if not found:
            raise BadInput(f"{self.uri} is a folder without files")
        return found

    def fetch(self, pinned: Pinned) -> Path:
        """The file itself, after a check that it still is what was pinned."""
        path = self._root / pinned.path
        try:
            same = _plain(path).st_size == pinned.size and sha256(path) == pinned.sha256
        except FileNotFoundError:
            raise Unavailable(f"{path} is gone since the snapshot was taken: run again") from None
        except OSError as error:
            raise _unreadable(error, str(path)) from None
        if not same:
            raise Unavailable(
                f"{path} has changed since the snapshot was taken: "
                "run again when nothing writes to it"
            )
        return path

    @property
    def _root(self) -> Path:
        return self.path if self.path.is_dir() else self.path.parent

    def _paths(self) -> Iterator[Path]:
        if self.path.is_dir():
            yield from _below(self.path, {})
        elif self.path.exists() or self.path.is_symlink():
            yield self.path
        else:
            raise BadInput(f"{self.uri} does not exist (looked in {Path.cwd()})")

    def _measured(self, path: Path) -> tuple[str, int, str]:
        name = path.relative_to(self._root).as_posix()
        try:
            return name, _plain(path).st_size, sha256(path)
        except FileNotFoundError:
            if path.is_symlink():
                raise BadInput(
                    f"{path} is a link to {os.readlink(path)}, which is not there: mend or "
                    "remove it"
                ) from None
            raise Unavailable(
                f"{path} went away while it was looked at: run again when nothing writes there"
            ) from None


def _below(folder: Path, above: Mapping[Path, Path]) -> Iterator[Path]:
    """The files of a folder and of those in it; `above`: the folders passed, by where they lie."""
    lies = folder.resolve()
    if lies in above:
        raise BadInput(
            f"{folder} is {above[lies]} once more, through a link: its files would be read again "
            "and again; remove the link"
        )
    if len(above) == DEEPEST:
        raise BadInput(f"{folder}: more than {DEEPEST} folders inside each other")
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith((".", "_")):
            continue
        check_name(entry.name, str(folder))
        if entry.is_dir():
            yield from _below(entry, {**above, lies: folder})
        else:
            yield entry


def _plain(path: Path) -> os.stat_result:
    """What the system knows of a plain file. Raises BadInput for what can't be read to an end."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "something else")
        raise BadInput(f"{path} is {kind}, not a file: put a file there or remove it")
    return found


def _unreadable(error: OSError, uri: str) -> StageError:
    """Why the system did not let a file be read, and whether another try may help."""
    where = error.filename or uri
    if isinstance(error, PermissionError):
        return BadInput(f"{where} may not be read: check its permissions")
    if error.errno == errno.ELOOP:
        return BadInput(f"{where} is a link that leads back to itself: remove it")
    if error.errno == errno.ENAMETOOLONG:
        return BadInput(f"{uri} is longer than a file's name can be")
    return Unavailable(f"{where} can't be read ({error.strerror}): run again when it can")
