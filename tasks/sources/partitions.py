"""Dated partitions: folders named `date=YYYY-MM-DD` somewhere below a source's root."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from tasks.sources.source import Pinned
from tasks.stage.errors import BadInput

PREFIX = "date="


def partition_date(path: str) -> date | None:
    """The date of the partition that a file lies in, or None outside any.

    Raises BadInput for a folder `date=…` that is not a date: such rows would silently never or
    always be read.
    """
    for folder in path.split("/")[:-1]:
        if folder.startswith(PREFIX):
            return _parsed(folder.removeprefix(PREFIX), path)
    return None


def _parsed(text: str, path: str) -> date:
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise BadInput(f"{path}: {PREFIX}{text} is not a date; rename the folder to date=YYYY-MM-DD")


def up_to(files: Sequence[Pinned], last: date | None, uri: str) -> list[Pinned]:
    """The files of partitions up to and with `last`; None takes all.

    Raises BadInput when `last` can't be obeyed: no partitions, files outside them, or all later.
    """
    dated = [(file, partition_date(file.path)) for file in files]
    if last is None:
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
