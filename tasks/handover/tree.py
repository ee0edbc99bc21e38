"""Ending a process with everything below it, in whatever session it lives."""

from __future__ import annotations

from contextlib import suppress
from types import TracebackType
from typing import Self

import psutil

SECONDS_TO_LEAVE = 5.0


class Tree:
    """A child process and its descendants; they are gone when the block is left."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        kill_tree(self._pid)


def kill_tree(pid: int) -> None:
    """Kill a process and all its descendants: they are listed first, since killing a parent
    hides its children. What is gone already is fine."""
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        found = [*root.children(recursive=True), root]
        for process in found:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(found, SECONDS_TO_LEAVE)
