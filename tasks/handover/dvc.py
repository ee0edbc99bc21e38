"""DVC as a child process of ours: it dies with us, and what it says is passed on."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from tasks.stage.errors import Unavailable
from tasks.stage.tree import Tree
from tasks.store.store import VARIABLE, Store

CHILD = Path(__file__).with_name("dvc_child.py")
SECONDS_BETWEEN_PROGRESS = 10.0
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


def run_dvc(workspace: Path, store: str, say: Say, *arguments: str) -> int:
    """Run `dvc ARGUMENTS` in `workspace`; every line goes to `say`. Returns the exit code.

    Whatever ends this process or raises here ends the whole tree below it.
    """
    command = [sys.executable, "-P", str(CHILD), *arguments]
    child = subprocess.Popen(
        command,
        cwd=workspace,
        env=environment(workspace, store),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    with Tree(child.pid):
        assert child.stdout is not None
        for line in _lines(child.stdout):
            say(line)
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


def _lines(stream: IO[bytes]) -> Iterator[str]:
    """Lines as they come; of a progress bar, which redraws itself, one every ten seconds."""
    waiting, shown = b"", 0.0
    while chunk := os.read(stream.fileno(), 65536):
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
