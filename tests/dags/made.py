"""What several tests of this room ask."""

from __future__ import annotations

import psutil


def is_gone(pid: int) -> bool:
    """Whether a process has ended, reaped by its parent or not."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
