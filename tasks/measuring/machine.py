"""The machine that was measured on, and whether it was ours while we did."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

CPU_INFO = Path("/proc/cpuinfo")
MATTERS = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16")
"""Instruction sets that decide how fast int8 and bf16 are; ratios don't travel across them."""
LOUD = 0.1
"""Share of the machine's cores in others' hands above which figures are not to be trusted."""


def describe_cpu() -> dict[str, str | list[str]]:
    """The processor's name, and which of the instruction sets that matter here it has."""
    try:
        lines = CPU_INFO.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {"cpu": platform.processor() or platform.machine(), "instructions": []}
    pairs = [line.partition(":") for line in lines]
    facts = {key.strip(): value.strip() for key, _, value in reversed(pairs)}
    flags = set(facts.get("flags", facts.get("Features", "")).split())
    name = facts.get("model name") or platform.machine()
    return {"cpu": name, "instructions": [each for each in MATTERS if each in flags]}


class Others:
    """Counts the processor time that processes other than ours take, from its making on."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._ours = [psutil.Process(pid) for pid in [os.getpid(), *pids]]
        self._start = time.monotonic()
        self._before = _busy_seconds() - self._own_seconds()

    def share(self) -> float:
        """The share of all cores, 0 to 1, that others have taken since the start."""
        elapsed = time.monotonic() - self._start
        others = _busy_seconds() - self._own_seconds() - self._before
        return max(0.0, others / (elapsed * (psutil.cpu_count() or 1)))

    def _own_seconds(self) -> float:
        used = [process.cpu_times() for process in self._ours]
        return sum(times.user + times.system for times in used)


def _busy_seconds() -> float:
    times = psutil.cpu_times()
    elsewhere = getattr(times, "steal", 0.0)  # another guest of the same host had our core
    return float(times.user + times.system + getattr(times, "nice", 0.0) + elsewhere)
