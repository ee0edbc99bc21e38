"""What can be wrong with a night's data, put into a night that was fine."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Row = dict[str, str]

USUAL_ROWS = 150
FLIPPED = 0.1
OTHER = {"positive": "negative", "negative": "positive"}


@dataclass(frozen=True)
class Drawn:
    """A night, and what was there before it."""

    history: list[Row]
    own_test: list[Row]
    """Of the history, what stands for the test split of production's own night."""
    night: list[Row]


Change = Callable[[Drawn, np.random.Generator], list[Row]]


@dataclass(frozen=True)
class Fault:
    """What goes wrong with a night, and what the check that stops it says in its name."""

    story: str
    check: str
    change: Change
    rows: int = USUAL_ROWS
    needs_release: bool = False


def flip(share: float) -> Change:
    """That share of the labels, at random, swapped for the other class."""

    def change(drawn: Drawn, random: np.random.Generator) -> list[Row]:
        rows = drawn.night
        wrong = random.permutation(len(rows)) < round(share * len(rows))
        return [
            {**row, "label": OTHER[row["label"]] if bad else row["label"]}
            for row, bad in zip(rows, wrong, strict=True)
        ]

    return change


def shift(drawn: Drawn, _: np.random.Generator) -> list[Row]:
    """Each row gets the label of the one before it."""
    labels = [row["label"] for row in drawn.night]
    moved = zip(drawn.night, labels[-1:] + labels[:-1], strict=True)
    return [{**row, "label": label} for row, label in moved]


def rename(drawn: Drawn, _: np.random.Generator) -> list[Row]:
    """The column of the label is called something else."""
    names = {"label": "verdict"}
    return [{names.get(key, key): value for key, value in row.items()} for row in drawn.night]


def translate(drawn: Drawn, _: np.random.Generator) -> list[Row]:
    """An alphabet turned by thirteen letters: words that nobody has seen."""
    return [{**row, "text": codecs.encode(row["text"], "rot13")} for row in drawn.night]


def double(drawn: Drawn, _: np.random.Generator) -> list[Row]:
    """No new night at all: rows that came before."""
    return drawn.history[: len(drawn.night)]


FAULTS = (
    Fault(
        "10 % of the labels flipped",
        "production does not contradict new labels",
        flip(FLIPPED),
        300,
        needs_release=True,
    ),
    Fault(
        "labels shifted by a row",
        "production does not contradict new labels",
        shift,
        needs_release=True,
    ),
    Fault("a column renamed", "has no column 'label'", rename),
    Fault("another language", "words much as before", translate),
    Fault("a partition delivered twice", "a file brings new rows", double),
)
