"""Which examples stay and on which side they lie: duplicates, contradictions, train/test."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

from tasks.data.normalise import position, side
from tasks.stage.errors import BadInput

TRAIN, VALIDATION, TEST, DUPLICATE, LEAK, CONTRADICTION = range(6)
"""What becomes of a row. LEAK is a duplicate that lay on two sides of given splits."""

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


@dataclass
class Assignment:
    """`fate[i]` is what becomes of row i; `twins` pairs a dropped row with the one it repeats."""

    fate: array[int]
    twins: list[tuple[int, int]] = field(default_factory=list)

    def count(self, *fates: int) -> int:
        """How many rows met one of these fates."""
        return sum(self.fate.count(fate) for fate in fates)


def given_side(value: object, where: str) -> int:
    """The code of a split's name in a source's own column; BadInput for any other value."""
    code = _SPELLINGS.get(str(value).strip().lower())
    if code is None:
        raise BadInput(
            f"{where}: {value!r} is no split; takes train, validation (val, valid, dev) or test"
        )
    return code


def assign(
    digests: Sequence[bytes],
    labels: Sequence[str],
    given: Sequence[int] | None,
    salt: str,
    validation: float,
    test: float,
) -> Assignment:
    """What becomes of every row, from the digests of its text, its label and its given split.

    The same text with the same label is kept once: the first in file order, or the one in test
    before validation before train. The same text with different labels is dropped altogether.
    Without given splits a salted hash of the text decides, so an example never changes sides as
    data grows; given splits without validation give up that share of train by the same hash.
    """
    found = _unrepeated(digests, labels, given)
    own_validation = given is not None and VALIDATION in given
    for at, fate in enumerate(found.fate):
        if fate != TRAIN:
            continue
        if given is None:
            found.fate[at] = CODES[side(position(digests[at], salt), validation, test)]
        elif given[at] != TRAIN or own_validation:
            found.fate[at] = given[at]
        else:
            found.fate[at] = CODES[side(position(digests[at], salt), validation, 0.0)]
    return found


def _unrepeated(
    digests: Sequence[bytes], labels: Sequence[str], given: Sequence[int] | None
) -> Assignment:
    """All kept rows as TRAIN, the others with the reason that they go."""
    found = Assignment(array("b", bytes(len(digests))))
    keeper: dict[bytes, int] = {}
    torn: set[bytes] = set()
    for at, digest in enumerate(digests):
        first = keeper.setdefault(digest, at)
        if first == at:
            continue
        if labels[first] != labels[at]:
            torn.add(digest)
        kept, dropped = first, at
        if given is not None and given[at] > given[first]:
            kept, dropped = at, first
            keeper[digest] = at
        crosses = given is not None and given[at] != given[first]
        found.fate[dropped] = LEAK if crosses else DUPLICATE
        found.twins.append((dropped, kept))
    if torn:
        for at, digest in enumerate(digests):
            if digest in torn:
                found.fate[at] = CONTRADICTION
        found.twins = [pair for pair in found.twins if digests[pair[0]] not in torn]
    return found
