from __future__ import annotations

from datetime import date

import pytest

from tasks.sources.partitions import partition_date, up_to
from tasks.sources.source import Pinned
from tasks.stage.errors import BadInput

NIGHTS = [Pinned(f"date=2026-01-0{day}/rows.csv", 1) for day in (1, 2, 3)]


def test_the_date_is_in_the_folder_not_in_the_file() -> None:
    assert partition_date("region=eu/date=2026-01-31/rows.csv") == date(2026, 1, 31)
    assert partition_date("date=2026-01-31.csv") is None


@pytest.mark.parametrize("name", ["2026-02-30", "20260131", "2026-1-31", "yesterday", ""])
def test_a_bad_date_is_an_error_not_a_night_that_is_never_read(name: str) -> None:
    with pytest.raises(BadInput, match=f"date={name} is not a date"):
        partition_date(f"date={name}/rows.csv")


def test_only_nights_up_to_the_date_are_read() -> None:
    assert up_to(NIGHTS, date(2026, 1, 2), "here") == NIGHTS[:2]
    assert up_to(NIGHTS, None, "here") == NIGHTS


def test_a_date_before_the_first_night() -> None:
    with pytest.raises(
        BadInput, match="2025-12-31, before the first partition of here, 2026-01-01"
    ):
        up_to(NIGHTS, date(2025, 12, 31), "here")


def test_a_date_for_a_source_without_nights() -> None:
    with pytest.raises(BadInput, match=r"here has files outside date=.* \(all\.csv\)"):
        up_to([Pinned("all.csv", 1)], date(2026, 1, 1), "here")
