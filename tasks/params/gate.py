"""The section `gate:`."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from tasks.params.base import Number, Section


class Gate(Section):
    """What a candidate must be like to be published. Drops are in points of the metric on test."""

    section: ClassVar[str] = "gate"

    max_drop: Number = Field(
        0.5, ge=0, le=100, description="points it may lose against the version in production"
    )
    max_total_drop: Number = Field(
        1.0, ge=0, le=100, description="points it may lose against the best version ever promoted"
    )
    significance: Number = Field(
        0.05, gt=0, lt=1, description="refused when worse at this level, one-sided"
    )
    min_slice: int = Field(50, ge=1, description="fewest examples of a slice that is judged")
    max_slice_drop: Number = Field(
        5.0, ge=0, le=100, description="points a slice may lose, if it is more than chance"
    )
    max_slowdown: Number | None = Field(
        1.25, gt=0, description="times production's latency, at one text; null: no limit"
    )
    min_figure: Number | None = Field(
        None, ge=0, le=1, description="of the task's metric, 0 to 1; null: no limit"
    )
    max_latency_ms: Number | None = Field(None, gt=0, description="median of one text")
    max_megabytes: Number | None = Field(None, gt=0, description="of the weights")
    max_start_seconds: Number | None = Field(
        60.0, gt=0, description="from the start of its process to the first answer; null: no limit"
    )
    golden: str | None = Field(
        None, description="JSONL of requests that must be answered so: text, label; task, within"
    )
    rounds: int = Field(3, ge=2, description="times every model is timed, interleaved")
    texts: int = Field(100, ge=1, description="texts a round")
    threads: int | None = Field(None, ge=1, description="null: all cores")
    seed: int = Field(17, ge=0)
