"""Fetching many pinned files at once."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

from tasks.sources.source import Pinned, Source

FILES_AT_ONCE = 8
SECONDS_UNTIL_A_BAR = 2.0


def fetch_all(source: Source, pins: Sequence[Pinned]) -> list[Path]:
    """Local files with the pinned contents, in the order of `pins`; raises as `fetch` does."""
    with ThreadPoolExecutor(FILES_AT_ONCE) as pool:
        fetched = pool.map(source.fetch, pins)
        bar = tqdm(fetched, "fetching", len(pins), delay=SECONDS_UNTIL_A_BAR, unit=" files")
        try:
            return list(bar)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
