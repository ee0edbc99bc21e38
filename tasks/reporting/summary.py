"""The closing table of a run: what came out, beside what one would deploy otherwise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tasks.reporting.evidence import read_evidence
from tasks.reporting.headline import headline
from tasks.reporting.measured import Contender, contenders
from tasks.reporting.page import PAGE
from tasks.reporting.wording import count, points, significant, times, unit
from tasks.reporting.yardstick import Yardstick, yardstick

RELEASE = Path("models/release")


def print_summary() -> None:
    """Print the verdict, the release beside the baseline, and where the release and report are.

    Without a release it says what is missing, and nothing else.
    """
    console = Console(highlight=False)
    evidence = read_evidence()
    verdict = headline(evidence)
    console.print(f"\n{verdict.sentence}", style="bold", markup=False)
    if verdict.reason:
        console.print(verdict.reason, markup=False)
    found = contenders(evidence)
    chosen = next((each for each in found if each.kind == "chosen"), None)
    if verdict.mood == "good" and chosen is not None:
        by = yardstick(evidence, evidence.stages["benchmark"].report)
        console.print(_table(found[0], chosen, by))
        for warning in evidence.stages["benchmark"].report.get("warnings") or []:
            console.print(f"warning: {warning}", style="yellow", markup=False)
        console.print(f"release: {RELEASE.resolve()}", markup=False, soft_wrap=True)
    if PAGE.is_file():
        console.print(f"report:  {PAGE.resolve()}", markup=False, soft_wrap=True)


def _table(baseline: Contender, chosen: Contender, by: Yardstick) -> Table:
    table = Table(box=None, padding=(0, 2), pad_edge=False)
    table.add_column("")
    for name in (baseline.name, chosen.name):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    one, other = baseline.row, chosen.row
    ms, mb = unit("ms"), unit("MB")

    def row(name: str, shown: Callable[[Any], str], read: Callable[[Any], Any], gain: str) -> None:
        table.add_row(name, shown(read(one)), shown(read(other)), gain)

    def drop(split: str) -> str:
        return f"{points(other[split]['drop'])} points"

    now = other["speed"]
    for split in ("test", "validation"):
        read = partial(_figure, split=split)
        row(f"{by.name}, {split}", lambda value: by.shown(value, 2), read, drop(split))
    row(
        "latency of one text",
        ms,
        lambda r: r["speed"]["latency"]["mean"],
        f"{times(now['speedup']['median'])} faster",
    )
    row(
        "texts a second",
        count,
        lambda r: r["speed"]["throughput"],
        f"{times(now['throughput_speedup']['median'])}",
    )
    row(
        "weights",
        mb,
        lambda r: r["weights_mb"],
        f"{times(one['weights_mb'] / other['weights_mb'])} smaller",
    )
    row(
        "start",
        unit("s", 2),
        lambda r: r["start_seconds"],
        f"{times(one['start_seconds'] / other['start_seconds'])} faster",
    )
    row(
        "memory",
        unit("MB"),
        lambda r: r["memory_mb"],
        f"{times(one['memory_mb'] / other['memory_mb'])} smaller",
    )
    if baseline.cost and chosen.cost:
        cheaper = f"{times(baseline.cost / chosen.cost)} cheaper"
        table.add_row(
            "a million predictions",
            significant(baseline.cost, 2),
            significant(chosen.cost, 2),
            cheaper,
        )
    return table


def _figure(row: Mapping[str, Any], split: str) -> Any:
    return row[split]["figure"]
