"""Files that are no files, links, names, nights, and what changes while it is read."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.broken.case import NIGHT, csv_of, kept, stops

ROWS = csv_of("fine,a")
LONGEST = 255


def beside(make: Callable[[Path], object]) -> Callable[[Path], object]:
    """Good rows, and beside them a file `odd.csv` made like this."""

    def both(folder: Path) -> None:
        (folder / "rows.csv").write_bytes(ROWS)
        make(folder / "odd.csv")

    return both


def link(target: str, name: str = "odd.csv") -> Callable[[Path], object]:
    """Good rows, and beside them a link."""
    return beside(lambda path: path.with_name(name).symlink_to(target))


def outside(folder: Path) -> None:
    """A link to good rows that lie elsewhere."""
    (folder.parent / "elsewhere.csv").write_bytes(ROWS)
    (folder / "rows.csv").symlink_to("../elsewhere.csv")


def bind(path: Path) -> None:
    """Leave a socket behind; its address has to be short."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(path))


def partition(name: str) -> dict[str, bytes]:
    """Good rows in a folder of that name."""
    return {f"{name}/rows.csv": ROWS}


AHEAD = f"date={datetime.now(UTC).date() + timedelta(days=40)}"

CASES = [
    stops("a-named-pipe", beside(os.mkfifo), "odd.csv is a named pipe, not a file"),
    stops("a-socket", beside(bind), "odd.csv is a socket, not a file"),
    stops("a-device", link("/dev/zero"), "odd.csv is a device, not a file"),
    stops("a-link-to-nowhere", link("gone.csv"), "odd.csv is a link to gone.csv"),
    stops("a-link-to-itself", link("odd.csv"), "odd.csv is a link that leads back to itself"),
    stops("a-folder-in-itself", link(".", "again"), f"again is {NIGHT} once more, through a link"),
    stops("a-folder-in-its-parent", link("..", "up"), "once more, through a link"),
    kept("a-link-to-elsewhere", outside, "fine"),
    kept("a-folder-named-as-a-file", {"rows.csv/part-0001.csv": ROWS}, "fine"),
    stops("an-empty-folder", {}, f"{NIGHT} is a folder without files"),
    stops("hidden-files-only", {".rows.csv": ROWS, "_temporary/rows.csv": ROWS}, "without files"),
    stops("unknown-kinds-only", {"rows.xlsx": b"PK\x03\x04"}, "rows.xlsx is of no known kind"),
    kept("unknown-kinds-beside", {"rows.csv": ROWS, "rows.csv.tmp": b"te", "README": b"x"}, "fine"),
    kept("spaces-in-names", {"two  words /rows of today .csv": ROWS}, "fine"),
    kept("any-script-in-names", {"晚班/критика 😀 é.csv": ROWS}, "fine"),
    kept("a-percent-sign-in-a-name", {"100%25 {x} $HOME [1] #.csv": ROWS}, "fine"),
    kept("the-longest-name", {f"{'晚' * 83}{'x' * 2}.csv": ROWS}, "fine"),
    stops("a-line-end-in-a-name", {"two\nlines.csv": ROWS}, r"'two\nlines.csv' has control"),
    stops(
        "a-name-of-another-encoding",
        lambda folder: (folder / os.fsdecode(b"caf\xe9.csv")).write_bytes(ROWS),
        r"b'caf\xe9.csv' is not UTF-8: rename it",
    ),
    kept("a-night", partition("date=2026-01-05"), "fine"),
    stops(
        "a-night-with-time-and-zone",
        partition("date=2026-01-01T00:00Z"),
        "date=2026-01-01T00:00Z is not a date; rename the folder to date=2026-01-01, a partition "
        "is a whole day, without time or zone",
    ),
    stops("a-night-with-an-offset", partition("date=2026-01-01+08:00"), "to date=2026-01-01"),
    stops(
        "a-night-without-zeros", partition("date=2026-1-1"), "rename the folder to date=2026-01-01"
    ),
    stops("a-night-that-never-was", partition("date=2026-02-30"), "date=2026-02-30 is not a date"),
    stops("a-night-of-another-order", partition("date=31-01-2026"), "to date=YYYY-MM-DD"),
    stops("a-night-in-digits-of-another-script", partition("date=２０２６-01-01"), "is not a date"),
    stops("a-night-in-capitals", partition("DATE=2026-01-01"), "to date=2026-01-01"),
    stops("a-night-in-a-night", partition("date=2026-01-01/date=2026-01-02"), "two partitions"),
    stops("a-night-to-come", partition(AHEAD), f"{AHEAD}/rows.csv is of a day to come"),
    stops(
        "changed-meanwhile",
        ROWS,
        "rows.csv has changed since the snapshot",
        meanwhile=lambda folder: (folder / "rows.csv").write_bytes(ROWS.swapcase()),
    ),
    stops(
        "grown-meanwhile",
        ROWS,
        "rows.csv has changed since the snapshot",
        meanwhile=lambda folder: (folder / "rows.csv").write_bytes(ROWS + b"more,a\n"),
    ),
    stops(
        "gone-meanwhile",
        ROWS,
        "rows.csv is gone since the snapshot was taken",
        meanwhile=lambda folder: (folder / "rows.csv").unlink(),
    ),
    stops(
        "a-link-turned-meanwhile",
        outside,
        "rows.csv is gone since the snapshot was taken",
        meanwhile=lambda folder: (folder.parent / "elsewhere.csv").unlink(),
    ),
]
