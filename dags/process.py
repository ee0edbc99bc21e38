"""A command as a child process that can be followed line by line and ended with all it started."""

from __future__ import annotations

import os
import re
import select
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tasks.stage.tree import Tree

SECONDS_BETWEEN_LOOKS = 0.2
BYTES_AT_ONCE = 65536


class Child:
    """A command in a session of its own, its output in one stream."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], folder: Path
    ) -> None:
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._tree = Tree(self._process.pid)

    def lines(self) -> Iterator[str]:
        """What it prints, until it ends, without line ends; a redrawn bar is a line a drawing.

        A grandchild that keeps the stream open does not hold it up.
        """
        rest = b""
        for piece in self._pieces():
            *whole, rest = re.split(rb"\r\n|\n|\r", rest + piece)
            yield from (line.decode(errors="replace") for line in whole if line.strip())
        if rest.strip():
            yield rest.decode(errors="replace")

    def wait(self) -> int:
        """Its exit code; negative for the signal that killed it."""
        return self._process.wait()

    def end(self) -> None:
        """End it and all it started; what has ended already is fine."""
        self._tree.end()
        self._process.wait()

    def _pieces(self) -> Iterator[bytes]:
        assert self._process.stdout is not None
        stream = self._process.stdout.fileno()
        os.set_blocking(stream, False)
        while True:
            over = self._process.poll() is not None
            readable, _, _ = select.select([stream], [], [], 0 if over else SECONDS_BETWEEN_LOOKS)
            piece = os.read(stream, BYTES_AT_ONCE) if readable else b""
            if piece:
                yield piece
            elif over:
                return
            elif readable:  # closed, but not over
                time.sleep(SECONDS_BETWEEN_LOOKS)
