"""Which examples stay and on which side they lie: duplicates, contradictions, train/test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tasks.data.normalise import position, side
from tasks.stage.errors import BadInput

TRAIN, VALIDATION, TEST, DUPLICATE, LEAK, CONTRADICTION, REPEATED, UNLABELLED = range(8)
"""What becomes of a row. LEAK is a text that lay on two sides of given splits, REPEATED a row that
an earlier file has."""

CODES = {"train": TRAIN, "validation": VALIDATION, "test": TEST}
_SPELLINGS = {
    "train": TRAIN,
    "training": TRAIN,
    "validation": VALIDATION,
    "valid": VALIDATION,
    "val": VALIDATION,
    "dev": VALIDATION,
    "test": TEST,
    "testing": TEST,
}
_ROWS_A_BLOCK = 65_536


@dataclass(frozen=True)
class Digests:
    """16 bytes a row that identify its text: the first and the last 8 as big-endian uint64."""

    high: np.ndarray
    low: np.ndarray

    @classmethod
    def empty(cls, rows: int) -> Digests:
        """Room for the digests of so many rows."""
        return cls(np.empty(rows, np.uint64), np.empty(rows, np.uint64))

    @classmethod
    def of(cls, content: bytes) -> Digests:
        """From all rows' 16 bytes in a row."""
        halves = np.frombuffer(content, ">u8").astype(np.uint64).reshape(-1, 2)
        return cls(halves[:, 0].copy(), halves[:, 1].copy())

    def each(self, rows: np.ndarray) -> Iterator[bytes]:
        """The 16 bytes of these rows."""
        for start in range(0, len(rows), _ROWS_A_BLOCK):
            block = rows[start : start + _ROWS_A_BLOCK]
            content = np.stack([self.high[block], self.low[block]], 1).astype(">u8").tobytes()
            yield from (content[at : at + 16] for at in range(0, len(content), 16))

    def followed_by(self, other: Digests) -> Digests:
        """These rows and then the others."""
        return Digests(
            np.concatenate([self.high, other.high]), np.concatenate([self.low, other.low])
        )


@dataclass(frozen=True)
class Assignment:
    """`fate[i]` (int8) is what becomes of row i, `keeper[i]` the row that its text is kept as."""

    fate: np.ndarray
    keeper: np.ndarray

    def count(self, *fates: int) -> int:
        """How many rows met one of these fates."""
        return int(np.isin(self.fate, fates).sum())


def given_side(value: object, where: str) -> int:
    """The code of a split's name in a source's own column; BadInput for any other value."""
    code = _SPELLINGS.get(str(value).strip().lower())
    if code is None:
        raise BadInput(
            f"{where}: {value!r} is no split; takes train, validation (val, valid, dev) or test"
        )
    return code


def assign(
    same: Digests,
    labels: np.ndarray,
    given: np.ndarray | None,
    salt: str,
    validation: float,
    test: float,
    *,
    digests: Digests | None = None,
    texts: Digests | None = None,
    starts: np.ndarray | None = None,
) -> Assignment:
    """What becomes of every row, from the digests of its text, its label and its given split.

    The same text with the same label is kept once: the first in file order, or the one in test
    before validation before train. The same text with different labels is dropped altogether.
    Without given splits a salted hash of the text decides, so an example never changes sides as
    data grows; given splits without validation give up that share of train by the same hash.
    `same` tells which rows are the same; `digests`, if others are meant, are what is hashed.
    `texts` tell which texts are the same, if several rows of different tasks may have one: it lies
    on one side for all of them. `starts` has the first row of each file.
    """
    keeper = first_of(same)
    fate = np.zeros(len(keeper), np.int8)
    repeats = np.flatnonzero(keeper != np.arange(len(keeper)))
    fate[repeats] = repetitions(repeats, keeper, starts)
    torn = np.unique(keeper[repeats[labels[repeats] != labels[keeper[repeats]]]])
    if given is not None and len(repeats):
        _prefer_held_out(given, repeats, keeper, fate)
        torn = np.unique(keeper[torn])
    if len(torn):
        fate[np.isin(keeper, torn)] = CONTRADICTION
    own_validation = given is not None and bool((given == VALIDATION).any())
    if given is not None:
        kept = fate == TRAIN
        fate[kept] = given[kept]
    first = None if texts is None else first_of(texts)
    if first is not None and given is not None:
        _leave_lower_sides(first, fate)
    if not own_validation:
        test = 0.0 if given is not None else test
        rows = np.flatnonzero(fate == TRAIN)
        hashed = rows if first is None else first[rows]
        places = (position(d, salt) for d in (digests or same).each(hashed))
        codes = (CODES[side(place, validation, test)] for place in places)
        fate[rows] = np.fromiter(codes, np.int8, len(rows))
    return Assignment(fate, keeper)


def assign_unlabelled(texts: Digests, labelled: Digests, starts: np.ndarray) -> np.ndarray:
    """What becomes of rows without labels: the first of each text is UNLABELLED, others go.

    One that the labelled rows have too goes: what a model is tested on must not come back as
    unlabelled text. `starts` has the first row of each file, of the labelled ones first.
    """
    before = len(labelled.high)
    first = first_of(labelled.followed_by(texts))
    rows = np.arange(before, len(first))
    repeats = rows[first[before:] != rows]
    fate = np.full(len(rows), UNLABELLED, np.int8)
    fate[repeats - before] = repetitions(repeats, first, starts)
    return fate


def repetitions(rows: np.ndarray, first: np.ndarray, starts: np.ndarray | None) -> np.ndarray:
    """DUPLICATE or REPEATED for each of these rows, by the file of the first row like it."""
    if starts is None:
        return np.full(len(rows), DUPLICATE, np.int8)
    file, earlier = (np.searchsorted(starts, at, side="right") for at in (rows, first[rows]))
    return np.where(file == earlier, DUPLICATE, REPEATED).astype(np.int8)


def first_of(digests: Digests) -> np.ndarray:
    """For every row the first row (int64) with the same digest, itself when there is none."""
    order = np.lexsort((digests.low, digests.high))
    again = np.ones(max(len(order) - 1, 0), bool)
    for half in (digests.high, digests.low):
        ordered = half[order]
        again &= ordered[1:] == ordered[:-1]
    repeats = np.flatnonzero(again) + 1  # places in `order`; each run follows its first row
    begins = np.diff(repeats, prepend=-1) != 1
    heads = (repeats - 1)[begins]
    runs = np.cumsum(begins) - 1
    first = np.arange(len(order))
    first[order[repeats]] = order[heads[runs]]
    return first


def _prefer_held_out(
    given: np.ndarray, repeats: np.ndarray, keeper: np.ndarray, fate: np.ndarray
) -> None:
    """Let the row in test, else in validation, stand for each repeated text.

    Row by row in file order, as it would be met: one on a lower side than the one that stands
    there, or one that has to make way for a higher, lies on two sides (LEAK).
    """
    rows = np.union1d(repeats, keeper[repeats])
    rows = rows[np.argsort(keeper[rows], kind="stable")]
    text = np.unique(keeper[rows], return_inverse=True)[1]
    highest = np.maximum.accumulate(3 * text + given[rows])  # restarts at every text
    opens = np.diff(text, prepend=-1) > 0
    before = np.concatenate([[0], highest[:-1]])
    stands = opens | (highest > before)
    lower = 3 * text + given[rows] < before
    fate[rows[lower & ~opens]] = LEAK
    ends = np.flatnonzero(stands)
    last = np.diff(text[ends], append=text[-1] + 1) > 0
    fate[rows[ends]] = LEAK
    fate[rows[ends[last]]] = TRAIN
    keeper[rows] = rows[ends[last]][text]


def _leave_lower_sides(first: np.ndarray, fate: np.ndarray) -> None:
    """Make LEAK of rows whose text another task has in test, or in validation and they in train."""
    rows = np.flatnonzero(np.isin(fate, (TRAIN, VALIDATION, TEST)))
    highest = np.zeros(len(fate), np.int8)
    np.maximum.at(highest, first[rows], fate[rows])
    fate[rows[fate[rows] < highest[first[rows]]]] = LEAK
