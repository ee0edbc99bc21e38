"""How much of the machine a process may use."""

from __future__ import annotations

import math
import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def cores(cgroup: Path = _CGROUP) -> int:
    """The cores this process may use, which in a container are fewer than the machine has.

    A container's limit is a share of time on all of the machine's cores, not some of them: the
    affinity does not show it, and as many threads as the machine has cores would be held up. A
    share that is no whole number counts as the next one.
    """
    seen = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(seen, _quota(cgroup) or seen)


def _quota(cgroup: Path) -> int | None:
    """`cpu.max` of cgroup v2: microseconds of CPU time, and of the clock; None without a limit."""
    try:
        time, clock = (cgroup / "cpu.max").read_text(encoding="ascii").split()
        return max(1, math.ceil(int(time) / int(clock)))
    except (OSError, ValueError):  # none, `max`, or a kernel that has another form
        return None
