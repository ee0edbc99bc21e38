"""A bucket that somebody writes to while a night is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tasks.ingest import ingest
from tasks.params.ingest import Ingest
from tasks.stage.errors import BadInput, Unavailable
from tests.broken.case import csv_of
from tests.broken.inputs import pin

KEY = "night/date=2026-01-01/rows.csv"


@pytest.fixture
def source(s3: Any, bucket: str, workspace: Path) -> str:
    """A pinned night of one object."""
    s3.put_object(Bucket=bucket, Key=KEY, Body=csv_of())
    uri = f"s3://{bucket}/night"
    pin(uri)
    return uri


def test_an_object_that_changes_between_listing_and_reading(
    s3: Any, bucket: str, source: str
) -> None:
    s3.put_object(Bucket=bucket, Key=KEY, Body=csv_of().swapcase())
    with pytest.raises(Unavailable, match=r"rows\.csv has changed since the snapshot was taken"):
        ingest(Ingest(source=source))
    assert not list(Path("data").rglob("*.parquet"))


def test_an_object_that_vanishes_between_listing_and_reading(
    s3: Any, bucket: str, source: str
) -> None:
    s3.delete_object(Bucket=bucket, Key=KEY)
    with pytest.raises(Unavailable, match=r"rows\.csv has changed since the snapshot was taken"):
        ingest(Ingest(source=source))
    assert not list(Path("data").rglob("*.parquet"))


def test_an_object_that_comes_later_waits_for_the_next_night(
    s3: Any, bucket: str, source: str
) -> None:
    later = KEY.replace("01-01", "01-02")
    s3.put_object(Bucket=bucket, Key=later, Body=csv_of("later,a"))
    assert ingest(Ingest(source=source))["metrics"]["rows_read"] == 100
    pin(source)
    assert ingest(Ingest(source=source))["metrics"]["rows_read"] == 201


def test_a_broken_object_is_named_as_it_is_in_the_bucket(s3: Any, bucket: str, source: str) -> None:
    s3.put_object(Bucket=bucket, Key=KEY, Body="text,label\ncafé,a\n".encode("latin-1"))
    pin(source)
    with pytest.raises(BadInput, match=r"^date=2026-01-01/rows\.csv, line 2: byte 4"):
        ingest(Ingest(source=source))


def test_a_night_that_is_none(s3: Any, bucket: str, source: str) -> None:
    s3.put_object(Bucket=bucket, Key="night/date=2026-1-2/rows.csv", Body=csv_of())
    with pytest.raises(BadInput, match="date=2026-1-2 is not a date; rename the folder to date="):
        pin(source)
