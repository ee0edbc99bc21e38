"""DVC as a child process of ours: it dies with us, and what it says is passed on."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from tasks.stage.errors import Unavailable
from tasks.stage.tree import Tree
from tasks.store.store import VARIABLE, Store

CHILD = Path(__file__).with_name("dvc_child.py")
SECONDS_BETWEEN_PROGRESS = 10.0
SECONDS_TO_LOOK = 0.5
TRANSFER_TRIES = 3
SECONDS_BETWEEN_TRIES = 2.0
Say = Callable[[str], None]


def environment(workspace: Path, store: str) -> dict[str, str]:
    """What DVC and the stage below it see.

    Airflow's own settings, which hold its secrets, are none of a stage's business.
    """
    kept = {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
    own = workspace / ".nightshift" / "site"
    more = {"PATH": path, "DVC_SITE_CACHE_DIR": str(own), "DVC_NO_ANALYTICS": "1"}
    return {**kept, **more, VARIABLE: store}


def run_dvc(
    workspace: Path,
    store: str,
    say: Say,
    *arguments: str,
    more: Mapping[str, str] = {},
    over: threading.Event | None = None,
) -> int:
    """Run `dvc ARGUMENTS` in `workspace`, as `run_child` does."""
    command = [sys.executable, "-P", str(CHILD), *arguments]
    return run_child(command, workspace, store, say, more, over)


def run_child(
    command: Sequence[str],
    workspace: Path,
    store: str,
    say: Say,
    more: Mapping[str, str] = {},
    over: threading.Event | None = None,
) -> int:
    """Run a command in `workspace`, `more` in its environment; every line that it prints goes to
    `say`. Returns the exit code.

    Whatever ends this process or raises here ends the whole tree below it, and so does `over`.
    """
    child = subprocess.Popen(
        command,
        cwd=workspace,
        env={**environment(workspace, store), **more},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    with Tree(child.pid) as tree:
        assert child.stdout is not None
        for line in _lines(child.stdout, over):
            say(line)
        if over is not None and over.is_set():
            tree.end()
        return child.wait()


def transfer(workspace: Path, store: Store, say: Say, verb: str, *targets: str) -> None:
    """`dvc pull` or `dvc push` of some outputs; tried again, since much of what fails passes.

    Between two tries the store itself is asked, which waits for a server that is away. Raises
    Unavailable with DVC's last words when it keeps failing.
    """
    for attempt in range(1, TRANSFER_TRIES + 1):
        said: list[str] = []
        if run_dvc(workspace, store.url, said.append, verb, "--no-run-cache", *targets) == 0:
            return
        errors = [line for line in said if line.startswith("ERROR")] or said[-3:]
        why = " ".join(line.removeprefix("ERROR: ") for line in errors)[:600]
        if attempt < TRANSFER_TRIES:
            say(f"dvc {verb} failed ({why}): trying again")
            store.read("runs/latest.json")
            time.sleep(SECONDS_BETWEEN_TRIES)
    raise Unavailable(f"dvc {verb} {' '.join(targets)}: {why}")


def _lines(stream: IO[bytes], over: threading.Event | None) -> Iterator[str]:
    """Lines as they come; of a progress bar, which redraws itself, one every ten seconds."""
    waiting, shown = b"", 0.0
    for chunk in _chunks(stream.fileno(), over):
        *ended, waiting = re.split(rb"(?<=[\r\n])", waiting + chunk)
        for part in ended:
            text = part.strip(b"\r\n").decode(errors="replace")
            if part.endswith(b"\r"):
                if not text or time.monotonic() - shown < SECONDS_BETWEEN_PROGRESS:
                    continue
                shown = time.monotonic()
            yield text
    if waiting:
        yield waiting.decode(errors="replace")


def _chunks(stream: int, over: threading.Event | None) -> Iterator[bytes]:
    """What comes, until the stream is closed or `over` is set."""
    while over is None or not over.is_set():
        readable, _, _ = select.select([stream], [], [], None if over is None else SECONDS_TO_LOOK)
        if readable:
            chunk = os.read(stream, 65536)
            if not chunk:
                return
            yield chunk
