"""The frame around every stage: parameters, workspace lock, report, clear errors."""

from __future__ import annotations

import fcntl
import os
import platform
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from tasks.params.base import Section, load_section
from tasks.stage import parent
from tasks.stage.errors import StageError, Unavailable, as_stage_error
from tasks.stage.outputs import STATE, remove, write_json

SECONDS_FOR_AN_ORPHAN_TO_LEAVE = 15.0

Body = Callable[[Any], dict[str, Any]]


def run_stage(name: str, section: type[Section], body: Body) -> None:
    """Run one stage as a process: `body` gets its checked parameters and returns its findings.

    The findings (a dict with at least `metrics`) become `reports/NAME.json`. An error becomes a
    report too, one line on stderr, and exit code 1; only what nobody foresaw prints a traceback.
    How long it took and where goes to `reports/NAME.timing.json`, which nothing depends on.
    """
    started = time.time()
    try:
        parent.watch()
        with _workspace_lock():
            remove(STATE / "drafts")
            findings = body(load_section(section))
            _write_report(name, "ok", False, None, findings)
    except Exception as error:
        _fail(name, error)
    finally:
        parent.kill_descendants()
        _write_timing(name, started)


def _fail(name: str, error: Exception) -> None:
    known = as_stage_error(error)
    if known is None:
        traceback.print_exc()
        known = StageError(f"{type(error).__name__}: {error}")
    findings = error.findings if isinstance(error, StageError) else {}
    print(f"\n{name} {known.status}: {known}", file=sys.stderr, flush=True)
    try:
        _write_report(name, known.status, known.retryable, str(known), findings)
    except OSError as problem:
        print(f"{name}: the report could not be written: {problem}", file=sys.stderr)
    raise SystemExit(1)


def _write_report(
    name: str, status: str, retryable: bool, reason: str | None, findings: dict[str, Any]
) -> None:
    frame = {"stage": name, "status": status, "retryable": retryable, "reason": reason}
    write_json(Path("reports") / f"{name}.json", {"metrics": {}, **findings, **frame})


def _write_timing(name: str, started: float) -> None:
    timing = {
        "stage": name,
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        "seconds": round(time.time() - started, 3),
        "host": platform.node(),
        "python": platform.python_version(),
        "platform": platform.platform(),
    }
    try:
        write_json(Path("reports") / f"{name}.timing.json", timing)
    except OSError as problem:
        print(f"{name}: the timing could not be written: {problem}", file=sys.stderr)


@contextmanager
def _workspace_lock() -> Iterator[None]:
    """Held by one stage at a time; the kernel gives it back when the holder dies."""
    STATE.mkdir(exist_ok=True)
    with open(STATE / "lock", "a+", encoding="utf-8") as file:
        patience = time.monotonic() + SECONDS_FOR_AN_ORPHAN_TO_LEAVE
        while not _taken(file):
            if time.monotonic() > patience:
                file.seek(0)
                raise Unavailable(
                    f"another stage (process {file.read().strip() or 'unknown'}) is working in "
                    f"{Path.cwd()}: wait for it or end it, then run again"
                )
            time.sleep(0.2)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _taken(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
