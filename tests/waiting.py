"""Waiting for what another process does, and seeing which of them are at work."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

SECONDS_BETWEEN_LOOKS = 0.02


def wait_for(condition: Callable[[], Any], seconds: float = 90) -> None:
    """Return when the condition holds; an AssertionError when it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(SECONDS_BETWEEN_LOOKS)


def working_below(folder: Path, word: str = "") -> list[psutil.Process]:
    """The processes that work in a folder or below it, with that word in their command."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(folder) and word in " ".join(process.cmdline()):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found
