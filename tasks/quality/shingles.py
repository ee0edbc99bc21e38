"""Texts as sets of shingles: hashes of neighbouring words, all of them worked out at once.

A word is a run of letters, digits and marks, folded as `tasks.data.normalise` folds it. Scripts
that put no spaces between words have none to cut at: there, every character counts as a word.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.data.normalise import normalise

SHINGLE_WORDS = 2
SHINGLE_CHARACTERS = 3
FEWEST_SHINGLES = 4
"""Texts with fewer are too short to be nearly the same by more than chance: they have none."""
COMPARED_CHARACTERS = 2_000
"""Longer texts are compared by their beginning, which bounds time and memory."""

_BETWEEN, _SPACED, _UNSPACED = range(3)
UNSPACED_SCRIPTS = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x3400, 0x9FFF),  # Han
    (0xF900, 0xFAFF),  # Han, compatibility forms
    (0x20000, 0x3FFFF),  # Han, extensions
)
UNSPACED = "".join(f"{chr(low)}-{chr(high)}" for low, high in UNSPACED_SCRIPTS)
"""Their characters, as a regular expression has them between brackets."""
_CODE_POINTS = 0x110000
_KIND_BITS = 21  # enough for a code point
_UNKNOWN = 3 << _KIND_BITS
_BASE = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)
_INVERSE = np.uint64(pow(int(_BASE), -1, 2**64))

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Shingles:
    """Those of text i are `hashes[offsets[i]:offsets[i + 1]]`: uint32, in order, with repeats."""

    hashes: Array
    offsets: Array

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def counts(self) -> Array:
        """How many shingles each text has."""
        return np.diff(self.offsets)

    @classmethod
    def together(cls, parts: Sequence[Shingles]) -> Self:
        """All texts one after the other."""
        ends = np.cumsum([0, *(len(part.hashes) for part in parts)])
        offsets = [part.offsets[:-1] + at for part, at in zip(parts, ends, strict=False)]
        hashes = np.concatenate([part.hashes for part in parts])
        return cls(hashes, np.concatenate([*offsets, ends[-1:]]))

    def of(self, texts: Array) -> tuple[Array, Array]:
        """The shingles of some texts, and for each the place in `texts` that it belongs to."""
        counts = self.counts[texts]
        owners = np.repeat(np.arange(len(texts)), counts)
        within = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
        return self.hashes[self.offsets[texts][owners] + within], owners


def is_unspaced(character: str) -> bool:
    """Whether a character belongs to a script without spaces between words."""
    return any(low <= ord(character) <= high for low, high in UNSPACED_SCRIPTS)


def joined(table: pa.Table | pa.RecordBatch) -> pa.Array:
    """Text and text_pair of each row as one string, cut to what is compared."""
    both = pc.binary_join_element_wise(
        table.column("text"), table.column("text_pair"), "\x1f", null_handling="skip"
    )
    cut = pc.utf8_slice_codeunits(both, 0, COMPARED_CHARACTERS)
    return cut.combine_chunks() if isinstance(cut, pa.ChunkedArray) else cut


def shingles(texts: pa.Array) -> Shingles:
    """Of every text (strings, none null): two neighbouring words, or three such characters."""
    points, offsets = _code_points(texts)
    meanings = _alphabet().read(points)
    starts, ends, unspaced = _words(meanings >> _KIND_BITS, offsets)
    words = _hashed(meanings, starts, ends)
    first = np.searchsorted(starts, offsets)  # the first word of each text, and the end
    return _neighbours(words, unspaced, first)


def _neighbours(words: Array, unspaced: Array, first: Array) -> Shingles:
    texts = np.repeat(np.arange(len(first) - 1), np.diff(first))
    span = np.where(unspaced, SHINGLE_CHARACTERS, SHINGLE_WORDS)
    whole = np.arange(len(words)) + span <= first[texts + 1]
    follow = np.pad(words, (0, SHINGLE_CHARACTERS - 1))
    hashes = _mixed(words * _BASE + follow[1 : len(words) + 1])
    hashes[unspaced] = _mixed(hashes[unspaced] * _BASE + follow[2:][unspaced])
    counts = np.bincount(texts[whole], minlength=len(first) - 1)
    enough = counts >= FEWEST_SHINGLES
    whole &= enough[texts]
    offsets = np.concatenate(([0], np.cumsum(np.where(enough, counts, 0))))
    return Shingles((hashes[whole] >> np.uint64(32)).astype(np.uint32), offsets)


def _words(kinds: Array, offsets: Array) -> tuple[Array, Array, Array]:
    """Where words start, where they end (none reaches into the next text), which are unspaced."""
    spaced = kinds == _SPACED
    fresh = np.zeros(len(kinds) + 1, bool)
    fresh[offsets] = True
    before = np.concatenate(([False], spaced[:-1])) & ~fresh[:-1]
    after = np.concatenate((spaced[1:], [False])) & ~fresh[1:]
    alone = kinds == _UNSPACED
    starts = np.flatnonzero((spaced & ~before) | alone)
    ends = np.flatnonzero((spaced & ~after) | alone) + 1
    return starts, ends, alone[starts]


def _hashed(meanings: Array, starts: Array, ends: Array) -> Array:
    """A polynomial hash of each word: differences of one running sum over all the characters."""
    up, down = _powers(1 << max(16, len(meanings).bit_length()))
    total = np.zeros(len(meanings) + 1, np.uint64)
    np.cumsum(meanings * up[: len(meanings)], out=total[1:])
    return _mixed((total[ends] - total[starts]) * down[starts])


def _mixed(hashes: Array) -> Array:
    hashes = (hashes ^ (hashes >> np.uint64(29))) * _MIX
    return np.asarray(hashes ^ (hashes >> np.uint64(32)))


@cache
def _powers(count: int) -> tuple[Array, Array]:
    """The powers of the base from 0 on, and those of its inverse, modulo 2**64."""
    both = []
    for base in (_BASE, _INVERSE):
        factors = np.full(count, base, np.uint64)
        factors[0] = 1
        both.append(np.cumprod(factors))
    return both[0], both[1]


def _code_points(texts: pa.Array) -> tuple[Array, Array]:
    """All characters one after the other, and where each text starts among them."""
    texts = texts.cast(pa.string())
    _, places, content = texts.buffers()
    offsets = np.frombuffer(places, np.int32, len(texts) + 1, 4 * texts.offset).astype(np.int64)
    octets = np.frombuffer(content or b"", np.uint8)[offsets[0] : offsets[-1]]
    offsets -= offsets[0]
    if not len(octets) or octets.max() < 0x80:
        return octets, offsets
    points = np.frombuffer(octets.tobytes().decode().encode("utf-32-le"), np.uint32)
    leading = np.concatenate(([0], np.cumsum((octets & 0xC0) != 0x80)))
    return points, leading[offsets]


class _Alphabet:
    """What each character counts as, and what it is folded to; learnt as characters turn up.

    Both in one number: the folded code point, with the kind in the bits above it; 0 separates.
    """

    def __init__(self) -> None:
        self._meaning = np.full(_CODE_POINTS, _UNKNOWN, np.uint32)

    def read(self, points: Array) -> Array:
        """The meaning of each character."""
        places = points.astype(np.intp)
        meant = self._meaning[places]
        new = meant == _UNKNOWN
        if new.any():
            for point in np.unique(points[new]):
                self._meaning[point] = _meaning(chr(point))
            meant = self._meaning[places]
        return meant


def _meaning(character: str) -> int:
    if unicodedata.category(character)[0] not in "LMN":
        return _BETWEEN
    folded = normalise(character)
    kind = _UNSPACED if is_unspaced(character) else _SPACED
    return (kind << _KIND_BITS) | ord(folded if len(folded) == 1 else character)


@cache
def _alphabet() -> _Alphabet:
    return _Alphabet()
