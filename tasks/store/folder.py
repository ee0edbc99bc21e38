"""A store in a folder: for a laptop, or a disk that all machines share."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.stage.errors import BadInput, Unavailable
from tasks.stage.outputs import sha256
from tasks.store.entries import Entry, Found

_OWN = ".store"
"""What the store keeps for itself: half-written files, and the lock of compare-and-set."""


class FolderStore:
    """Keys are paths below `root`. Every write is one rename, so nothing is ever half there."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def url(self) -> str:
        return str(self.root)

    def read(self, key: str) -> Found | None:
        try:
            content = self._path(key).read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None
        return Found(content, _tag(content))

    def write(self, key: str, content: bytes) -> None:
        with self._draft(key) as draft:
            draft.write_bytes(content)
            draft.replace(self._path(key))

    def create(self, key: str, content: bytes) -> bool:
        with self._draft(key) as draft:
            draft.write_bytes(content)
            try:
                os.link(draft, self._path(key))
            except FileExistsError:
                return False
            return True

    def replace(self, key: str, content: bytes, tag: str) -> bool:
        with self._alone():
            found = self.read(key)
            if found is None or found.tag != tag:
                return False
            self.write(key, content)
            return True

    def upload(self, path: Path, key: str) -> str:
        with self._draft(key) as draft:
            shutil.copyfile(path, draft)
            digest = sha256(draft)
            draft.replace(self._path(key))
        return digest

    def download(self, key: str, path: Path) -> str:
        source = self._path(key)
        if not source.is_file():
            raise BadInput(f"{self.url}/{key} does not exist")
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, path)
        digest = sha256(path)
        if digest != sha256(source):
            raise Unavailable(f"{source}: what was read is not what lies there: run again")
        return digest

    def keys(self, prefix: str) -> list[str]:
        return [entry.key for entry in self.listing(prefix)]

    def listing(self, prefix: str) -> list[Entry]:
        start = self.root / prefix.rpartition("/")[0]
        paths = (Path(folder, name) for folder, _, names in os.walk(start) for name in names)
        found = ((path.relative_to(self.root).as_posix(), path) for path in paths)
        entries = (
            _entry(key, path)
            for key, path in found
            if key.startswith(prefix) and not key.startswith(_OWN)
        )
        return sorted(entry for entry in entries if entry is not None)

    def tags(self, prefix: str) -> dict[str, str]:
        if not self.root.is_dir():
            raise Unavailable(f"{self.url} is not there: is its disk mounted?")
        found = ((key, self.read(key)) for key in self.keys(prefix))
        return {key: record.tag for key, record in found if record}

    def delete(self, key: str) -> None:
        self._path(key).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        path = (self.root / key).resolve()
        if not path.is_relative_to(self.root):
            raise BadInput(f"{key!r} lies outside the store {self.url}")
        return path

    @contextmanager
    def _draft(self, key: str) -> Iterator[Path]:
        try:
            self._path(key).parent.mkdir(parents=True, exist_ok=True)
            (self.root / _OWN).mkdir(exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self.root / _OWN)
        except PermissionError as error:
            raise BadInput(f"the store {self.url}: {error.filename} may not be written") from None
        os.close(handle)
        os.chmod(name, 0o666 & ~_umask())
        draft = Path(name)
        try:
            yield draft
        finally:
            draft.unlink(missing_ok=True)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        (self.root / _OWN).mkdir(parents=True, exist_ok=True)
        with open(self.root / _OWN / "lock", "a", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _entry(key: str, path: Path) -> Entry | None:
    """None for what has gone meanwhile. A link to an older file is as new as the link."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return Entry(key, found.st_size, max(found.st_mtime, found.st_ctime))


def _tag(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _umask() -> int:
    """mkstemp makes files that only their owner reads; others are to read the store too."""
    current = os.umask(0o022)
    os.umask(current)
    return current
