"""A contender in a process of its own: loads it, then does what the parent asks, and idles.

Started by `tasks.measuring.process.Process` as `python -m tasks.measuring.child FD PARENT`. What it
imports is measured too (start-up, memory), so it imports little.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

import psutil

from tasks.measuring.contender import Answer, Contender, Loaded, Text
from tasks.stage import parent
from tasks.stage.errors import StageError


def main() -> None:
    """Answer commands until the parent hangs up."""
    connection: Connection[Any, Any] = Connection(int(sys.argv[1]))
    try:
        parent.watch(psutil.Process(int(sys.argv[2])))
        _serve(connection)
    except psutil.NoSuchProcess:
        os._exit(1)
    except (EOFError, BrokenPipeError):
        pass
    except Exception as error:
        known = str(error) if isinstance(error, StageError) else None
        connection.send(("error", (known, traceback.format_exc())))


def _serve(connection: Connection[Any, Any]) -> None:
    contender, first = connection.recv()
    loaded = _loaded(contender, first)
    connection.send(("done", loaded.environment))
    while True:
        command, arguments = connection.recv()
        connection.send(("done", COMMANDS[command](loaded, *arguments)))


def _loaded(contender: Contender, first: Text) -> Loaded:
    """Ready is who has answered once: what is loaded lazily belongs to the start."""
    loaded = contender.load()
    loaded.one(first)
    return loaded


def each(loaded: Loaded, texts: Sequence[Text]) -> tuple[list[float], list[Answer]]:
    """One call a text; the seconds of each, and the answers."""
    seconds, answers = [], []
    for text in texts:
        start = time.perf_counter()
        answer = loaded.one(text)
        seconds.append(time.perf_counter() - start)
        answers.append(answer)
    return seconds, answers


def together(loaded: Loaded, texts: Sequence[Text], batch: int) -> tuple[float, list[Answer]]:
    """One call for all texts; its seconds, and the answers."""
    start = time.perf_counter()
    answers = loaded.many(texts, batch)
    return time.perf_counter() - start, answers


def answers(loaded: Loaded, texts: Sequence[Text], batch: int) -> list[Answer]:
    """All that is said of some texts."""
    return loaded.answers(texts, batch)


def peak_memory(_: Loaded) -> int:
    """Bytes of physical memory this process held at most."""
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            kilobytes = next(line.split()[1] for line in status if line.startswith("VmHWM"))
            return int(kilobytes) * 1024
    except (OSError, StopIteration):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


COMMANDS: dict[str, Any] = {
    "each": each,
    "together": together,
    "answers": answers,
    "peak_memory": peak_memory,
}

if __name__ == "__main__":
    main()
