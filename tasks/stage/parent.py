"""Dying with the parent: no process of ours outlives the command that started it.

`kill -9` of dvc leaves its stage running, and training ranks live in sessions of their own, where
killing a process group does not reach them. Such an orphan would go on to overwrite the outputs of
a later run. So every process of ours watches the one it works for, and leaves when that is gone.
"""

from __future__ import annotations

import os
import threading
import time

import psutil

from tasks.stage.tree import is_alive

SECONDS_BETWEEN_LOOKS = 0.5
SHELLS = {"sh", "bash", "dash", "zsh", "ksh", "fish"}

_watched: psutil.Process | None = None


def watch(process: psutil.Process | None = None) -> None:
    """Start to watch `process` (default: the command that started this one, past any shells).

    When it is gone, this process and all its descendants are killed. Nothing is watched under
    init, where a process was detached on purpose.
    """
    global _watched
    _watched = process or _command_above()
    if _watched is None:
        return
    thread = threading.Thread(target=_leave_with, args=(_watched,), daemon=True, name="parent")
    thread.start()


def started_by_hand() -> bool:
    """Whether a person's shell started this process: then it may outlive the shell."""
    above = _command_above()
    return above is None or above.name() in SHELLS


def check() -> None:
    """Leave at once if the watched process is gone: called before an output gets its name."""
    if _watched is not None and not is_alive(_watched):
        _leave()


def _command_above() -> psutil.Process | None:
    try:
        above = psutil.Process().parent()
        while above is not None and above.name() in SHELLS and _runs_one_command(above):
            above = above.parent()
    except psutil.NoSuchProcess:
        return None
    return above if above is not None and above.pid > 1 else None


def _runs_one_command(shell: psutil.Process) -> bool:
    """Whether it is the `sh -c COMMAND` that a program put in between, not a person's terminal."""
    return "-c" in shell.cmdline()[1:]


def _leave_with(process: psutil.Process) -> None:
    while is_alive(process):
        time.sleep(SECONDS_BETWEEN_LOOKS)
    _leave()


def _leave() -> None:
    kill_descendants()
    os._exit(1)


def kill_descendants() -> None:
    """Kill every process below this one, in whatever session it lives."""
    for child in psutil.Process().children(recursive=True):
        try:
            child.kill()
        except psutil.NoSuchProcess:
            continue
