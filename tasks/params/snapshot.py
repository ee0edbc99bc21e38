"""The section `snapshot:`."""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field

from tasks.params.base import Section


def _iso_date(value: object) -> object:
    """YAML reads 2026-01-31 as a date and "2026-01-31" as text: both are meant."""
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise ValueError("takes a date as YYYY-MM-DD") from None
    return value


class Snapshot(Section):
    """What to look at outside."""

    section: ClassVar[str] = "snapshot"

    data_date: Annotated[date | None, BeforeValidator(_iso_date)] = Field(
        None, description="read `date=YYYY-MM-DD` partitions up to this day; null reads all"
    )
    reference: str | None = Field(
        "production",
        description="whose labels the data must match: production, a release folder or s3:// URI",
    )
