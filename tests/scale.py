"""A million rows through snapshot, ingest and validate, beside a tenth of that: `python -m
tests.scale`.

Prints seconds, peak memory and bytes a row, and ends with code 1 when a limit is broken. The data
are made here: 200 characters a text, 60 % of the rows in one file, the others in dated partitions,
some rows repeated, some broken.
"""

from __future__ import annotations

import csv
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated

import psutil
import typer
import yaml

from tasks.sources.package import cache_folder
from tests.made import environment

STAGES = ("snapshot", "ingest", "validate")
ROWS = (100_000, 1_000_000)
MOST_SECONDS = 60.0
MOST_MEGABYTES = 1500.0
"""Of all stages together, and of the largest, for the larger of the sizes above on two cores."""
MOST_BYTES_A_ROW = 100.0
NIGHTS = 28
SHARE_OF_FIRST_NIGHT = 0.6
CLASSES = ("calm", "glad", "sad", "angry")
WORDS_A_TEXT = 31
REPEATED, BROKEN = 0.02, 0.001
SECONDS_BETWEEN_LOOKS = 0.02


@dataclass(frozen=True)
class Cost:
    """What one stage took: seconds by the clock and of all cores, peak memory in MB.

    `largest` is that of its largest process, `together` of all its processes at a time.
    """

    seconds: float
    cores: float
    largest: float
    together: float


def make_rows(folder: Path, rows: int, seed: int = 17) -> None:
    """CSV files of texts whose class shows in some of their words, as partitions by date."""
    chance = random.Random(seed)
    letters = "etaoinshrdlucmfw"
    words = ["".join(chance.choices(letters, k=chance.randint(3, 9))) for _ in range(20_000)]
    often = list(range(2000)) + [at // 7 for at in range(len(words))]
    own = {label: chance.sample(words, 400) for label in CLASSES}
    first = int(rows * SHARE_OF_FIRST_NIGHT)
    sizes = [first, *((rows - first) // NIGHTS for _ in range(NIGHTS - 1))]
    sizes.append(rows - sum(sizes))
    number, last = 0, ["", "", ""]
    for night, size in enumerate(sizes):
        home = folder / f"date={date(2026, 1, 1) + timedelta(days=night)}"
        home.mkdir(parents=True)
        with open(home / "rows.csv", "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "text", "label"])
            for _ in range(size):
                number += 1
                label = CLASSES[number % len(CLASSES)]
                said = own[label if chance.random() < 0.9 else chance.choice(CLASSES)]
                text = [*(words[at] for at in chance.choices(often, k=WORDS_A_TEXT - 4))]
                row = [f"row-{number}", " ".join([*text, *chance.choices(said, k=4)]), label]
                luck = chance.random()
                row = [row[0], *last[1:]] if luck < REPEATED and last[0] else row
                writer.writerow([row[0], "", label] if luck > 1 - BROKEN else row)
                last = row


def measure(stage: str, workspace: Path) -> Cost:
    """Run one stage as a process of its own. Raises RuntimeError when it fails."""
    started = time.monotonic()
    log = workspace / f"{stage}.log"
    with open(log, "w", encoding="utf-8") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", f"tasks.{stage}"],
            cwd=workspace,
            env=environment(
                NIGHTSHIFT_CACHE=str(workspace / "cache"), NIGHTSHIFT_STORE=str(workspace / "store")
            ),
            stdout=file,
            stderr=file,
        )
        together = [0.0]
        watcher = threading.Thread(target=_watch, args=(process.pid, together))
        watcher.start()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        watcher.join()
    seconds = time.monotonic() - started
    if process.returncode:
        raise RuntimeError(f"{stage} failed:\n{log.read_text()[-3000:]}")
    largest = usage.ru_maxrss / 1024
    busy = usage.ru_utime + usage.ru_stime
    return Cost(seconds, busy, largest, max(together[0], largest))


def _watch(pid: int, together: list[float]) -> None:
    """The highest sum of the resident memory of a process and all below it, in MB."""
    try:
        process = psutil.Process(pid)
        while process.status() != psutil.STATUS_ZOMBIE:
            family = [process, *process.children(recursive=True)]
            together[0] = max(together[0], sum(map(_resident, family)))
            time.sleep(SECONDS_BETWEEN_LOOKS)
    except psutil.NoSuchProcess:
        return


def _resident(process: psutil.Process) -> float:
    try:
        return float(process.memory_info().rss) / 2**20
    except psutil.NoSuchProcess:
        return 0.0


def run_size(rows: int, stages: list[str], folder: Path) -> dict[str, Cost]:
    """All stages once on that many rows, and `ingest` a second time, when nothing has changed."""
    make_rows(folder / "rows", rows)
    samples = cache_folder() / "samples"
    (folder / "cache").mkdir()
    if samples.is_dir():
        (folder / "cache" / "samples").symlink_to(samples)
    (folder / "params.yaml").write_text(yaml.safe_dump({"ingest": {"source": "rows"}}))
    costs: dict[str, Cost] = {}
    for stage in stages:
        costs[stage] = measure(stage, folder)
        if stage == "ingest":
            costs["ingest again"] = measure(stage, folder)
    return costs


def table(found: dict[int, dict[str, Cost]]) -> list[str]:
    """A line a stage: seconds and MB by size, and the bytes that a row more costs."""
    head = f"{'':14}" + "".join(f"{rows:>22,} rows{'':>12}" for rows in found)
    names = f"{'seconds':>9}{'of cores':>10}{'MB':>7}{'MB in all':>11}  "
    lines = [head, f"{'stage':14}{names * len(found)}"]
    for stage in next(iter(found.values())):
        costs = [found[rows][stage] for rows in found]
        cells = (
            f"{c.seconds:9.1f}{c.cores:10.1f}{c.largest:7.0f}{c.together:11.0f}  " for c in costs
        )
        each = f"{bytes_a_row(found, stage):8.0f} bytes a row" if len(found) > 1 else ""
        lines.append(f"{stage:14}{''.join(cells)}{each}")
    return lines


def bytes_a_row(found: dict[int, dict[str, Cost]], stage: str) -> float:
    """By how much the largest process grew from the smallest to the largest size."""
    small, large = min(found), max(found)
    grown = found[large][stage].largest - found[small][stage].largest
    return grown * 2**20 / max(large - small, 1)


def broken_limits(found: dict[int, dict[str, Cost]]) -> list[str]:
    """What costs more than it may."""
    costs = {stage: cost for stage, cost in found[max(found)].items() if stage in STAGES}
    seconds = sum(cost.seconds for cost in costs.values())
    most = max(cost.together for cost in costs.values())
    broken = [f"{seconds:.1f} s in all; at most {MOST_SECONDS}"] if seconds > MOST_SECONDS else []
    if most > MOST_MEGABYTES:
        broken.append(f"{most:.0f} MB; at most {MOST_MEGABYTES:.0f}")
    for stage in costs if len(found) > 1 else ():
        each = bytes_a_row(found, stage)
        if each > MOST_BYTES_A_ROW:
            broken.append(f"{stage}: {each:.0f} bytes a row; at most {MOST_BYTES_A_ROW:.0f}")
    return broken


def main(
    rows: Annotated[list[int] | None, typer.Option(help="sizes to measure")] = None,
    stage: Annotated[list[str] | None, typer.Option(help="stages to run, in order")] = None,
    folder: Annotated[Path | None, typer.Option(help="where to work; kept")] = None,
) -> None:
    """Measure, print the table, and fail when a limit is broken."""
    found: dict[int, dict[str, Cost]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for size in rows or ROWS:
            workspace = (folder or Path(scratch)) / str(size)
            found[size] = run_size(size, stage or list(STAGES), workspace)
    print("\n".join(table(found)))
    broken = broken_limits(found)
    print("\n".join(f"over the limit: {line}" for line in broken) or "within the limits")
    raise SystemExit(1 if broken else 0)


if __name__ == "__main__":
    typer.run(main)
