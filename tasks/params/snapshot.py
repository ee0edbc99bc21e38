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

    name: ClassVar[str] = "snapshot"

    data_date: Annotated[date | None, BeforeValidator(_iso_date)] = Field(
        None, description="read `date=YYYY-MM-DD` partitions up to this day; null reads all"
    )
    reference: str | None = Field(
        None, description="a release folder (or its s3:// URI) whose labels the data must match"
    )
