"""What a night costs, and a million predictions, at a price an hour for the machine."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tasks.stage.outputs import read_json

SECONDS_AN_HOUR = 3600
MILLION = 1_000_000


def cost_of_a_million(throughput: float, price_per_hour: float) -> float:
    """Of a million predictions at `throughput` texts/s, in the currency of the price."""
    return MILLION / throughput / SECONDS_AN_HOUR * price_per_hour


def cost_of_a_night(reports: Path, stages: Iterable[str], price_per_hour: float) -> dict[str, Any]:
    """Of the stages that left a `NAME.timing.json`: seconds each, their sum, the cost.

    A stage that was skipped tonight counts with what it took when it last ran.
    """
    seconds: dict[str, float] = {}
    for stage in stages:
        path = reports / f"{stage}.timing.json"
        if path.is_file():
            seconds[stage] = read_json(path)["seconds"]
    total = sum(seconds.values())
    return {
        "what": "a night, up to the benchmark",
        "seconds": total,
        "cost": total / SECONDS_AN_HOUR * price_per_hour,
        "stages": [{"stage": name, "seconds": each} for name, each in seconds.items()],
    }
