"""Dated partitions: folders named `date=YYYY-MM-DD` somewhere below a source's root."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from tasks.sources.source import Pinned
from tasks.stage.errors import BadInput

PREFIX = "date="
_MEANT = re.compile(r"\s*date\s*(=|%3d)", re.IGNORECASE)
_BEGINS_AS_DAY = re.compile(r"\s*([0-9]{4})[-_/.]?([0-9]{1,2})[-_/.]?([0-9]{1,2})(?![0-9])")


def partition_date(path: str) -> date | None:
    """The date of the partition that a file lies in, or None outside any.

    Raises BadInput for a folder `date=…` that is not a date, for one that only nearly is such a
    folder, and for two inside each other: such rows would silently never or always be read.
    """
    dated = [folder for folder in path.split("/")[:-1] if _MEANT.match(folder)]
    if not dated:
        return None
    if len(dated) > 1:
        raise BadInput(
            f"{path} lies in two partitions, {dated[0]} and {dated[1]}: move it into one of them"
        )
    return _parsed(dated[0], path)


def _parsed(folder: str, path: str) -> date:
    text = folder.removeprefix(PREFIX)
    try:
        if text != folder and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise BadInput(f"{path}: {folder} is not a date; {_advice(_MEANT.sub('', folder, count=1))}")


def _advice(text: str) -> str:
    """What to call the folder, told from what can be made out of it."""
    found = _BEGINS_AS_DAY.match(text)
    try:
        day = date(*map(int, found.groups())) if found else None
    except ValueError:
        day = None
    if found is None or day is None:
        return f"rename the folder to {PREFIX}YYYY-MM-DD"
    rest = text[found.end() :].strip()
    whole = ", a partition is a whole day, without time or zone" if rest else ""
    return f"rename the folder to {PREFIX}{day}{whole}"


def up_to(files: Sequence[Pinned], last: date | None, uri: str) -> list[Pinned]:
    """The files of partitions up to and with `last`; None takes all.

    Raises BadInput when `last` can't be obeyed (no partitions, files outside them, or all later),
    and without `last` for a day that has not come yet anywhere on earth: rows of such a night
    would count as the newest for as long as it is ahead.
    """
    dated = [(file, partition_date(file.path)) for file in files]
    if last is None:
        _check_not_ahead([(file.path, day) for file, day in dated if day is not None], uri)
        return list(files)
    outside = [file.path for file, day in dated if day is None]
    if outside:
        raise BadInput(
            f"snapshot.data_date is {last}, but {uri} has files outside date=YYYY-MM-DD "
            f"partitions ({outside[0]}{', …' if len(outside) > 1 else ''}): set it to null, or "
            "move them"
        )
    kept = [file for file, day in dated if day is not None and day <= last]
    if not kept:
        first = min(day for _, day in dated if day is not None)
        raise BadInput(
            f"snapshot.data_date is {last}, before the first partition of {uri}, {first}"
        )
    return kept


def _check_not_ahead(dated: Sequence[tuple[str, date]], uri: str) -> None:
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    for path, day in dated:
        if day > tomorrow:
            raise BadInput(
                f"{uri}: {path} is of a day to come, {day}: rename its folder, or set "
                "snapshot.data_date to the last day to read"
            )
