"""Files that somebody writes to after they were found to be what was pinned."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.data.parts import parsed
from tasks.ingest import pinned_files, reading
from tasks.params.ingest import Ingest
from tasks.stage.errors import Unavailable
from tests.broken.case import csv_of, stops
from tests.broken.inputs import pinned

ROWS = Path("night/rows.csv")


@pytest.fixture
def section(workspace: Path) -> Ingest:
    """A night that is pinned."""
    case = stops("", csv_of())
    case.make(Path("night"))
    return pinned(case)


@pytest.mark.parametrize(
    "content", [csv_of().swapcase(), csv_of("more,a"), csv_of('"half,a'), b"", None]
)
def test_a_file_that_changes_while_it_is_read_is_neither_believed_nor_blamed(
    section: Ingest, content: bytes | None
) -> None:
    files = pinned_files()
    ROWS.unlink()
    if content is not None:
        ROWS.write_bytes(content)
    with pytest.raises(Unavailable, match=r"rows\.csv changed while it was read: run again"):
        parsed(files, reading(section), Path())


def test_what_was_read_of_a_file_that_changed_is_not_kept_for_later(section: Ingest) -> None:
    files = pinned_files()
    ROWS.write_bytes(csv_of("more,a"))
    with pytest.raises(Unavailable):
        parsed(files, reading(section), Path())

    ROWS.write_bytes(csv_of())
    (part,) = parsed(files, reading(section), Path())
    assert part.counts.read == 100
