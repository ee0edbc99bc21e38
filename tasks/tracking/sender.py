"""The process that talks to one tracker: `python -m tasks.tracking.sender NAME`, fed by a courier.

A process of its own, so that neither a library's import, nor its threads, nor a server that does
not answer, nor what it does at exit can touch the training. Lines of JSON come in: the opening,
then steps, then the end. When they stop without one, the training was killed, and the run is left
open for the day it goes on.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from tasks.stage import parent
from tasks.tracking.backend import Backend, Memory, Opening

TRACKERS = {
    "dvclive": ("tasks.tracking.dvclive", "DVCLive"),
    "tensorboard": ("tasks.tracking.tensorboard", "TensorBoard"),
    "mlflow": ("tasks.tracking.mlflow", "MLflow"),
    "wandb": ("tasks.tracking.wandb", "WandB"),
}
GAVE_UP = 3
"""The exit code of a sender that could not open its run, and has said so."""
LONGEST_REASON = 200

Warn = Callable[[str], None]


def main(tracker: str) -> int:
    """Send what comes in until it ends; the exit code."""
    warn = _alone_on_stderr(tracker)
    opening = Opening(**json.loads(sys.stdin.readline()))
    memory = Memory.of(tracker, opening)
    try:
        backend = _open(tracker, opening, memory)
    except BaseException as error:  # a library's own exit, too
        warn(reason(tracker, error))
        return GAVE_UP
    memory.run = backend.run
    memory.write(tracker, opening)
    ended = _pass_on(tracker, backend, opening, memory, warn)
    try:
        backend.close(ended)
    except Exception as error:
        warn(reason(tracker, error))
    if ended:
        memory.forget(tracker, opening)
    return 0


def _open(tracker: str, opening: Opening, memory: Memory) -> Backend:
    module, name = TRACKERS[tracker]
    backend: Backend = getattr(import_module(module), name)(opening, memory.run)
    return backend


def _pass_on(tracker: str, backend: Backend, opening: Opening, memory: Memory, warn: Warn) -> bool:
    """Whether the end came. A run that goes on repeats what came after its checkpoint: the same
    numbers, which are not sent twice."""
    failed = False
    sent = memory.step
    for line in sys.stdin:
        message: dict[str, Any] = json.loads(line)
        if "end" in message:
            return bool(message["end"])
        step = int(message["step"])
        if step <= sent:
            continue
        try:
            backend.log(step, message["values"])
        except Exception as error:
            if not failed:
                warn(reason(tracker, error))
            failed = True
            continue
        memory.step = step
        memory.write(tracker, opening)
    return False


def reason(tracker: str, error: BaseException) -> str:
    """What went wrong, in one line without what an address may hold of secrets."""
    if isinstance(error, ModuleNotFoundError):
        missing = (error.name or tracker).partition(".")[0]
        return f"the package {missing} is not installed: pip install {missing}"
    said = " ".join(f"{type(error).__name__}: {error}".split())
    return said if len(said) <= LONGEST_REASON else said[:LONGEST_REASON] + "…"


def _alone_on_stderr(tracker: str) -> Warn:
    """What writes our one line, while the libraries' own talk goes nowhere."""
    ours = os.fdopen(os.dup(2), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)

    def warn(line: str) -> None:
        ours.write(f"tracking: {tracker}: {line}; training goes on without it\n")
        ours.flush()

    return warn


if __name__ == "__main__":
    code = main(sys.argv[1])
    parent.kill_descendants()
    os._exit(code)  # past whatever a library would wait for at exit
