"""A process with everything below it, in whatever session: training ranks live in their own."""

from __future__ import annotations

import time
from contextlib import suppress
from types import TracebackType
from typing import Self

import psutil

SECONDS_TO_LEAVE = 2.5
"""Between asking and killing: Airflow gives a task 5 s before it kills it."""
SECONDS_BETWEEN_LOOKS = 0.05


class Tree:
    """A process and its descendants; as a context manager, they are gone when it is left."""

    def __init__(self, pid: int) -> None:
        self._seen = {pid: psutil.Process(pid)}

    def alive(self) -> list[psutil.Process]:
        """Whoever is left; once seen, a process is remembered when its parent is gone."""
        for process in list(self._seen.values()):
            with suppress(psutil.NoSuchProcess):
                self._seen |= {child.pid: child for child in process.children(recursive=True)}
        return [process for process in self._seen.values() if is_alive(process)]

    def end(self, patience: float = SECONDS_TO_LEAVE) -> None:
        """Ask all of them to leave, wait `patience` seconds, then kill.

        Nobody is reaped here: an exit code is for whoever started the process.
        """
        for process in self.alive():
            with suppress(psutil.NoSuchProcess):
                process.terminate()
        end = time.monotonic() + patience
        while self.alive() and time.monotonic() < end:
            time.sleep(SECONDS_BETWEEN_LOOKS)
        while left := self.alive():
            for process in left:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            time.sleep(SECONDS_BETWEEN_LOOKS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.end()


def is_alive(process: psutil.Process) -> bool:
    """Also false when the pid has been given to another process, and for a zombie."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
