"""The parent's side of a contender's process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from multiprocessing.connection import Pipe
from pathlib import Path
from typing import Any, Self

from tasks.measuring.contender import Answer, Contender, Text
from tasks.stage.errors import BadInput, StageError, Unavailable

ROOT = Path(__file__).resolve().parents[2]
LINES_OF_LAST_WORDS = 15


class Process:
    """A contender, loaded in a child process that computes only while it is asked something.

    A process of its own gives each contender its own start-up time, peak memory and thread pools;
    it is a new interpreter, not a fork, so that it inherits nothing from the parent. It dies with
    the parent. Raises BadInput when the contender can't be loaded, StageError with the child's
    traceback when it breaks, Unavailable when something kills it; the error's findings name it as
    `contender`.
    """

    def __init__(self, contender: Contender, first: Text) -> None:
        self.contender = contender
        self._connection, theirs = Pipe()
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        start = time.perf_counter()
        with theirs:
            python = contender.python or sys.executable
            command = [python, "-m", "tasks.measuring.child", str(theirs.fileno())]
            self._child = subprocess.Popen(
                [*command, str(os.getpid())],
                pass_fds=[theirs.fileno()],
                env=_environment(contender.threads),
                stdin=subprocess.DEVNULL,
                stdout=self._stderr,
                stderr=self._stderr,
            )
        try:
            self._send((contender, first))
            self.environment: dict[str, Any] = self._receive()
        except BaseException:
            self.close()
            raise
        self.start_seconds = time.perf_counter() - start
        """From the start of the process to its first prediction."""

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._child.pid

    def each(self, texts: Sequence[Text]) -> tuple[list[float], list[Answer]]:
        """One call a text: the seconds of each, and the answers."""
        return self._ask("each", texts)  # type: ignore[no-any-return]

    def together(self, texts: Sequence[Text], batch: int) -> tuple[float, list[Answer]]:
        """One call for all texts: its seconds, and the answers."""
        return self._ask("together", texts, batch)  # type: ignore[no-any-return]

    def answers(self, texts: Sequence[Text], batch: int) -> list[Answer]:
        """All that is said of some texts, which nobody times."""
        return self._ask("answers", texts, batch)  # type: ignore[no-any-return]

    def peak_memory(self) -> int:
        """Bytes of physical memory the child held at most, so far."""
        return self._ask("peak_memory")  # type: ignore[no-any-return]

    def close(self) -> None:
        """End the child; nothing happens when it has gone already."""
        self._child.kill()
        self._child.wait()
        self._connection.close()
        self._stderr.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, command: str, *arguments: Any) -> Any:
        self._send((command, arguments))
        return self._receive()

    def _send(self, message: Any) -> None:
        try:
            self._connection.send(message)
        except OSError:
            raise self._gone() from None

    def _receive(self) -> Any:
        try:
            outcome, content = self._connection.recv()
        except (EOFError, OSError):
            raise self._gone() from None
        if outcome == "done":
            return content
        explained, trace = content
        name = self.contender.name
        if explained:
            raise BadInput(f"{name} can't be measured: {explained}", {"contender": name})
        raise StageError(f"{name} broke while it was measured:\n{trace}", {"contender": name})

    def _gone(self) -> StageError:
        code = self._child.wait()
        name = self.contender.name
        if code < 0:
            return Unavailable(
                f"{name}: its process was killed ({signal.Signals(-code).name}) while it was "
                f"measured: look whether memory ran out, then run again{self._last_words()}",
                {"contender": name},
            )
        return StageError(
            f"{name}: its process ended with exit code {code}{self._last_words()}",
            {"contender": name},
        )

    def _last_words(self) -> str:
        self._stderr.seek(0)
        lines = self._stderr.read().decode(errors="replace").splitlines()
        return "\n".join(["", *lines[-LINES_OF_LAST_WORDS:]]) if lines else ""


def _environment(threads: int) -> dict[str, str]:
    """The same number of threads for whatever the child computes with, and no network."""
    search = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    count = str(threads)
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(search),
        "OMP_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "RAYON_NUM_THREADS": count,
        "TOKENIZERS_PARALLELISM": "true",
        "HF_HUB_OFFLINE": "1",
    }
