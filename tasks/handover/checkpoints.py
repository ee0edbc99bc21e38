"""A stage's checkpoints, kept in the store while it works: another worker goes on from them.

Each entry of `.nightshift/checkpoints/<stage>-<key>/` (a file, or a folder that appeared whole)
becomes one object, so that half of one is never found. The key is made of everything that the
result depends on: a checkpoint of other inputs is never taken for this one's.
"""

from __future__ import annotations

import tarfile
import tempfile
import threading
from pathlib import Path
from typing import Self

from tasks.handover.dvc import Say
from tasks.handover.run import Record, Run
from tasks.stage.errors import StageError
from tasks.stage.outputs import STATE

FOLDER = STATE / "checkpoints"
SECONDS_BETWEEN_LOOKS = 2.0


class Checkpoints:
    """Brings a stage's checkpoints into a workspace, and sends new ones to the store as they come.

    Sending is best effort: a checkpoint that can't be sent is said, and costs time at worst. A
    worker whose attempt was overtaken sends and removes none, since they are its successor's: it
    sets `overtaken`.
    """

    def __init__(self, run: Run, mine: Record, workspace: Path, say: Say) -> None:
        self._run, self._say = run, say
        self._mine, self._stage, self._workspace = mine, mine.stage, workspace
        self._sent: dict[str, tuple[int, int]] = {}
        self.overtaken = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True, name="checkpoints")

    def __enter__(self) -> Self:
        for key in self._run.store.keys(self._prefix):
            with tempfile.TemporaryDirectory(dir=self._workspace) as scratch:
                archive = Path(scratch) / "checkpoint.tar"
                self._run.store.download(key, archive)
                with tarfile.open(archive) as content:
                    content.extractall(self._workspace / FOLDER, filter="data")
            self._say(f"checkpoint {key.removeprefix(self._prefix)} fetched from the store")
        for name, path in self._entries():
            self._sent[name] = _state(path)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._send()

    def forget(self) -> None:
        """Remove what the store has: the stage has come through."""
        if self._is_overtaken():
            return
        for key in self._run.store.keys(self._prefix):
            self._run.store.delete(key)

    @property
    def _prefix(self) -> str:
        return self._run.key(f"checkpoints/{self._stage}-")

    def _watch(self) -> None:
        while not self._over.wait(SECONDS_BETWEEN_LOOKS):
            self._send()

    def _send(self) -> None:
        for name, path in self._entries():
            try:
                now = _state(path)
                if self._sent.get(name) != now and not self._is_overtaken():
                    self._send_one(name, path)
                    self._sent[name] = now
            except FileNotFoundError:
                continue  # the stage has come through and removed it
            except (StageError, OSError) as error:
                self._say(f"checkpoint {name} could not be sent: {error}")

    def _is_overtaken(self) -> bool:
        record = self._run.record(self._stage)
        if record is None or record.token != self._mine.token:
            self.overtaken.set()
        return self.overtaken.is_set()

    def _send_one(self, name: str, path: Path) -> None:
        with tempfile.TemporaryDirectory(dir=self._workspace) as scratch:
            archive = Path(scratch) / "checkpoint.tar"
            with tarfile.open(archive, "w") as content:
                content.add(path, arcname=name)
            self._run.store.upload(archive, self._run.key(f"checkpoints/{name}.tar"))

    def _entries(self) -> list[tuple[str, Path]]:
        root = self._workspace / FOLDER
        return [
            (path.relative_to(root).as_posix(), path)
            for path in sorted(root.glob(f"{self._stage}-*/*"))
        ]


def _state(path: Path) -> tuple[int, int]:
    """Changes whenever an entry is replaced."""
    found = path.stat()
    return found.st_mtime_ns, found.st_ino
