"""The section `housekeeping:`."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from tasks.params.base import Number, Section

LONGEST_RUN_HOURS = 24
"""A run takes at most 23 hours (dags/nightly_retraining.py)."""
FEWEST_RUNS = 3
"""The last one, the one that the next may just have begun from, and one to compare with."""


class Housekeeping(Section):
    """What the store keeps, and how closely an old version must give its figures again."""

    section: ClassVar[str] = "housekeeping"

    keep_days: int = Field(60, ge=1, description="days that a run is kept; published ones stay")
    keep_runs: int = Field(
        30, ge=FEWEST_RUNS, description="newest runs that are kept, however old they are"
    )
    grace_hours: int = Field(
        48, ge=LONGEST_RUN_HOURS, description="nothing younger is removed; longer than any run"
    )
    repository: str | None = Field(
        ".",
        description="git repository whose branches and tags keep the data they name; null: none",
    )
    drill_tolerance: Number = Field(
        0.5, ge=0, le=100, description="points that a figure may be off when measured again"
    )
