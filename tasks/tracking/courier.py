"""Carries a run's numbers to a sender without ever keeping the training waiting."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tasks.stage.tree import Tree
from tasks.tracking.backend import Opening
from tasks.tracking.sender import GAVE_UP

CODE = Path(__file__).parents[2]
WAITING = 1000
"""Messages kept for a tracker that is slow; what comes when there are so many is dropped."""


class Courier:
    """A queue, a thread and a sender's process for one tracker. Nothing in it raises or blocks."""

    def __init__(self, tracker: str, opening: Opening, warn: Callable[[str], None]) -> None:
        self.tracker, self._warn = tracker, warn
        self._queue: queue.Queue[dict[str, Any]] = queue.Queue(WAITING)
        self._dropped = 0
        self._process = self._start()
        self.put(asdict(opening))
        threading.Thread(target=self._deliver, daemon=True, name=f"tracking-{tracker}").start()

    def _start(self) -> subprocess.Popen[bytes] | None:
        path = os.pathsep.join(filter(None, (str(CODE), os.environ.get("PYTHONPATH"))))
        try:
            return subprocess.Popen(
                [sys.executable, "-m", "tasks.tracking.sender", self.tracker],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": path},
                start_new_session=True,  # Ctrl-C is for the training, which tells us
            )
        except OSError as error:
            self._warn(f"{self.tracker}: could not be started: {error}")
            return None

    def put(self, message: Mapping[str, Any]) -> None:
        """Leave a message to be sent, or drop it when too many wait."""
        if self._process is None:
            return
        try:
            self._queue.put_nowait(dict(message))
        except queue.Full:
            self._dropped += 1

    def _deliver(self) -> None:
        """Until the end is passed on, or the sender is gone; the thread's own."""
        if self._process is None or self._process.stdin is None:
            return
        pipe = self._process.stdin
        with suppress(OSError, ValueError):
            while True:
                message = self._queue.get()
                pipe.write(json.dumps(message).encode() + b"\n")
                pipe.flush()
                if "end" in message:
                    break
            pipe.close()

    def finish(self, deadline: float) -> None:
        """Wait for the sender until `deadline` (of time.monotonic), then end it, and tell."""
        if self._process is None:
            return
        try:
            code = self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            Tree(self._process.pid).end(patience=0.0)
            self._process.wait()
            self._warn(f"{self.tracker}: not everything was sent in time")
            return
        if code not in (0, GAVE_UP):
            self._warn(f"{self.tracker}: its sender ended with code {code}")
        elif self._dropped:
            self._warn(f"{self.tracker}: too slow, {self._dropped} steps were left out")
