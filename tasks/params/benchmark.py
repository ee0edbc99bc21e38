"""The section `benchmark:`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from tasks.params.base import Number, Section

PRESETS = {"careful": 0.3, "balanced": 1.0, "fast": 2.0}
"""Points of the task's metric that each preset may be expected to cost new texts."""


class Benchmark(Section):
    """How the variants are measured and which may ship."""

    section: ClassVar[str] = "benchmark"

    max_drop: Number = Field(
        1.0, ge=0, le=100, description="points of the metric that new texts may be expected to lose"
    )
    preset: Literal["careful", "balanced", "fast"] | None = Field(
        None, description="overrides max_drop: 0.3, 1.0 or 2.0 points"
    )
    min_speedup: Number | None = Field(
        None, gt=0, description="times the baseline's speed, one text at a time, at least"
    )
    max_megabytes: Number | None = Field(
        None, gt=0, description="of the release's weights, at most"
    )
    rounds: int = Field(5, ge=2, description="times every contender is measured, interleaved")
    texts: int = Field(
        200, ge=1, description="texts a round, one at a time, for the latency; fewer long ones"
    )
    batch: int = Field(32, ge=1, description="texts at once, for the throughput")
    threads: int | None = Field(None, ge=1, description="null: all cores")
    price_per_hour: Number = Field(0.085, ge=0, description="of this machine, for the costs")
    seed: int = Field(17, ge=0)

    @property
    def allowed_drop(self) -> float:
        """Points that new texts may be expected to lose against the fine-tuned model."""
        return PRESETS[self.preset] if self.preset else self.max_drop
