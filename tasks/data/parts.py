"""Many files parsed, each at most once for as long as it does not change."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from tasks.data.cache import Cache
from tasks.data.counts import Counts
from tasks.data.parsing import parse
from tasks.data.reading import DataFile, Reading, parsed_key
from tasks.sources.package import cache_folder
from tasks.stage import parent
from tasks.stage.cores import cores
from tasks.stage.errors import Unavailable
from tasks.stage.outputs import sha256

CACHE_BYTES = 4 * 2**30
BYTES_WORTH_PROCESSES = 32 * 2**20
"""Starting processes takes a second: less than this is parsed sooner without."""
SECONDS_UNTIL_A_BAR = 2.0


@dataclass(frozen=True)
class Part:
    """What one file came to: `path` holds its rows in the schema `tasks.data.parsed.PARSED`."""

    file: DataFile
    path: Path
    counts: Counts

    def batches(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """The rows, a few MB at a time, in file order."""
        with pq.ParquetFile(self.path, pre_buffer=False) as content:
            for number in range(content.num_row_groups):
                yield content.read_row_group(number, list(columns), use_threads=False)


def parsed(files: Sequence[DataFile], reading: Reading, folder: Path) -> list[Part]:
    """Every file's rows, judged and measured, in the order of `files`; they lie in `folder`.

    A file that was parsed before, with the same settings by the same code, comes from the cache.
    Raises BadInput as `parse` does, for the first file that has something wrong.
    """
    cache = Cache(cache_folder() / "parsed", CACHE_BYTES)
    keys = [parsed_key(file, reading) for file in files]
    targets = [folder / f"{len(files)}-{at}-{key[:16]}" for at, key in enumerate(keys)]
    missing = [at for at, key in enumerate(keys) if not cache.take(key, targets[at])]
    with tqdm(unit=" rows", unit_scale=True, delay=SECONDS_UNTIL_A_BAR) as bar:
        jobs = [_Job(files[at], reading, targets[at]) for at in missing]
        for at, _ in zip(missing, _done(jobs, bar.update), strict=True):
            cache.keep(keys[at], targets[at])
    if missing:
        cache.trim()
    return [Part(f, path, Counts.noted_in(path)) for f, path in zip(files, targets, strict=True)]


@dataclass(frozen=True)
class _Job:
    file: DataFile
    reading: Reading
    target: Path

    @property
    def size(self) -> int:
        return self.file.path.stat().st_size if self.file.path.exists() else 0

    def run(self, progress: Callable[[int], object]) -> None:
        """Parse the file. Raises Unavailable when it changed meanwhile, whatever it said then."""
        try:
            parse(self.file.path, self.file.name, self.reading, self.target, progress)
        finally:
            _check_unchanged(self.file)

    def count(self) -> int:
        """Run in another process: progress comes when the file is done."""
        rows: list[int] = []
        self.run(rows.append)
        return sum(rows)


def _check_unchanged(file: DataFile) -> None:
    try:
        same = sha256(file.path) == file.sha256
    except OSError:
        same = False
    if not same:
        raise Unavailable(
            f"{file.name} changed while it was read: run again when nothing writes to it"
        )


def _done(jobs: Sequence[_Job], progress: Callable[[int], object]) -> Iterator[None]:
    """Do every job and yield in their order, so that the same error is met whatever is faster."""
    workers = min(cores(), len(jobs))
    if workers < 2 or sum(job.size for job in jobs) < BYTES_WORTH_PROCESSES:
        for job in jobs:
            job.run(progress)
            yield
        return
    with ExitStack() as stack:
        pool = stack.enter_context(
            ProcessPoolExecutor(workers, get_context("spawn"), _die_with, (os.getpid(),))
        )
        stack.callback(pool.shutdown, cancel_futures=True)
        futures: list[Future[int]] = [pool.submit(job.count) for job in jobs]
        try:
            for future in futures:
                progress(future.result())
                yield
        except BrokenProcessPool:
            raise Unavailable(
                "a process that reads was killed (out of memory?): run again, what was read is kept"
            ) from None


def _die_with(process: int) -> None:
    try:
        parent.watch(psutil.Process(process))
    except psutil.NoSuchProcess:
        os._exit(1)
