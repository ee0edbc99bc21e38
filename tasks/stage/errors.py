"""The errors a stage may end with, told apart by what the person on call can do about them."""

from __future__ import annotations

import errno
from typing import Any


class StageError(Exception):
    """Something a person can read and act on; ends the stage without a traceback.

    `status` and `retryable` go into the stage's report, which is what an orchestrator decides on:
    an exit code does not survive DVC. `findings` goes there too: what was found until then.
    """

    status = "failed"
    retryable = False

    def __init__(self, message: str, findings: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.findings = findings or {}


class BadInput(StageError):
    """Data, parameters or a model that no second try will mend. Names the file, row or key."""

    status = "stopped"


class Unavailable(StageError):
    """Something outside is away for now (network, bucket, worker, disk): a retry may pass."""

    retryable = True


def reported(status: str, retryable: bool, reason: str) -> StageError:
    """The error that a stage's report or record tells of."""
    if retryable:
        return Unavailable(reason)
    return BadInput(reason) if status == "stopped" else StageError(reason)


def as_stage_error(error: BaseException) -> StageError | None:
    """The error in a person's words, or None for one that nobody foresaw."""
    if isinstance(error, StageError):
        return error
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = f" while writing {error.filename}" if error.filename else ""
        return Unavailable(
            f"the disk is full{where}: free some space and run again; what was finished is kept"
        )
    if isinstance(error, MemoryError):
        return Unavailable("out of memory: lower the batch or the number of processes")
    return None
