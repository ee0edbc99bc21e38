from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

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


@pytest.mark.parametrize(
    ("folder", "advice"),
    [
        ("date=2026-1-5", "rename the folder to date=2026-01-05$"),
        ("date=20260105", "rename the folder to date=2026-01-05$"),
        ("date=2026-01-05T00:00Z", "to date=2026-01-05, a partition is a whole day, without time"),
        ("date=2026-01-05 00%3A00%3A00", "to date=2026-01-05, a partition is a whole day"),
        ("Date=2026-01-05", "rename the folder to date=2026-01-05$"),
        ("date =2026-01-05", "rename the folder to date=2026-01-05$"),
        ("date%3D2026-01-05", "rename the folder to date=2026-01-05$"),
        ("date=2026-02-30", "rename the folder to date=YYYY-MM-DD$"),
        ("date=__HIVE_DEFAULT_PARTITION__", "rename the folder to date=YYYY-MM-DD$"),
    ],
)
def test_what_is_nearly_a_partition_says_what_to_call_it(folder: str, advice: str) -> None:
    with pytest.raises(BadInput, match=f"is not a date; .*{advice}"):
        partition_date(f"{folder}/rows.csv")


def test_one_partition_inside_another() -> None:
    with pytest.raises(BadInput, match="in two partitions, date=2026-01-01 and date=2026-01-02"):
        partition_date("date=2026-01-01/date=2026-01-02/rows.csv")


def test_a_night_that_has_not_come_yet_is_read_only_when_asked_for() -> None:
    today = datetime.now(UTC).date()
    tomorrow, later = (Pinned(f"date={today + timedelta(days)}/rows.csv", 1) for days in (1, 3))
    assert up_to([tomorrow], None, "here") == [tomorrow]  # it is tomorrow already, somewhere
    with pytest.raises(BadInput, match=r"rows\.csv is of a day to come, .* snapshot\.data_date"):
        up_to([tomorrow, later], None, "here")
    assert up_to([tomorrow, later], today + timedelta(2), "here") == [tomorrow]


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
