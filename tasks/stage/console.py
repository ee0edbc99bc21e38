"""How a command of ours ends: one clear line, an exit code that means something, a result file."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from tasks.stage import parent
from tasks.stage.errors import as_stage_error

WONT_PASS = 1
MAY_PASS = os.EX_TEMPFAIL
"""75: what stopped it may pass by itself (network, a lost worker, a full disk): try again."""
INTERRUPTED = 130


@contextmanager
def command(result: Path | None = None) -> Iterator[dict[str, Any]]:
    """Run a command's body; what it puts into the dict goes to the file `result` as JSON.

    A foreseen error is one line on stderr and exit code 1, or 75 when a retry may pass. With
    `result`, status, retryable, reason and seconds are added, whatever happens.
    """
    started = time.monotonic()
    found: dict[str, Any] = {}
    outcome: dict[str, Any] = {"status": "ok", "retryable": False, "reason": None}
    try:
        yield found
    except Exception as error:
        known = as_stage_error(error)
        if known is None:
            outcome.update(status="failed", reason=f"{type(error).__name__}: {error}")
            raise
        outcome.update(status=known.status, retryable=known.retryable, reason=str(known))
        print(f"nightshift: {known}", file=sys.stderr, flush=True)
        raise SystemExit(MAY_PASS if known.retryable else WONT_PASS) from None
    except KeyboardInterrupt:
        outcome.update(status="failed", retryable=True, reason="it was interrupted")
        print("nightshift: interrupted", file=sys.stderr, flush=True)
        raise SystemExit(INTERRUPTED) from None
    finally:
        if result is not None:
            seconds = round(time.monotonic() - started, 3)
            content = {"ran": False, **found, **outcome, "seconds": seconds}
            result.write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")


@contextmanager
def step(result: Path | None = None) -> Iterator[dict[str, Any]]:
    """As `command`, for a step of a run: it dies with who started it, and SIGTERM unwinds it."""
    leave_cleanly_on_sigterm()
    if not parent.started_by_hand():
        parent.watch()
    with command(result) as found:
        yield found


def leave_cleanly_on_sigterm() -> None:
    """Let SIGTERM unwind the stack, so that scratch folders and children go first."""

    def leave(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt("SIGTERM")

    signal.signal(signal.SIGTERM, leave)


def say(line: str) -> None:
    """Pass a line on at once."""
    print(line, file=sys.stdout, flush=True)
