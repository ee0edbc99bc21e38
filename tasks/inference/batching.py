"""Which inputs share a batch."""

from __future__ import annotations

from collections.abc import Sequence

TOKENS_AT_ONCE = 1024
"""Most tokens in a batch, padding included: more no longer fits a core's cache and is slower."""


def plan_batches(lengths: Sequence[int], batch_size: int) -> list[list[int]]:
    """Rows that share a batch: of similar length, at most `batch_size` and TOKENS_AT_ONCE.

    The longest come first, so that the last worker to finish has little left to do.
    """
    batches: list[list[int]] = []
    for row in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
        if batches:
            rows = batches[-1]
            tokens = lengths[rows[0]] * (len(rows) + 1)
            if len(rows) < batch_size and tokens <= TOKENS_AT_ONCE:
                rows.append(row)
                continue
        batches.append([row])
    return batches
