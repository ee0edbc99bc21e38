"""Texts as counts: how long they are, and which words they use (never the words themselves)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from tasks.data.dataset import Text

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

OCTAVES, BINS_AN_OCTAVE = 20, 4
EDGES = np.unique(np.ceil(2 ** (np.arange(OCTAVES * BINS_AN_OCTAVE) / BINS_AN_OCTAVE)))
"""Lengths at which a new bin begins, in characters: as fine for tweets as for books."""
LENGTH_BINS = len(EDGES) + 1

BUCKETS = 256
CHARACTERS_READ = 2_000
"""Of a text's beginning: enough to tell its language and subject, and no text outweighs others."""
_UNSPACED = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0eff\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")
"""A word, or one character of a script that writes none apart."""


def length_bins(lengths: npt.NDArray[np.int64]) -> Ints:
    """The bin of each length in characters, int64 [texts], 0 to LENGTH_BINS - 1."""
    return np.searchsorted(EDGES, lengths, side="right").astype(np.int64)


def word_counts(texts: Sequence[Text]) -> Floats:
    """How many words of each text fall into each bucket, float64 [texts, BUCKETS].

    A word's bucket is a hash of it, case folded: no word of the data can be read off the counts.
    """
    found = np.zeros((len(texts), BUCKETS))
    for row, text in enumerate(texts):
        whole = text if isinstance(text, str) else " ".join(text)
        words = _WORD.findall(whole[:CHARACTERS_READ].casefold())
        found[row] = np.bincount([_bucket(word) for word in words], minlength=BUCKETS)
    return found


@lru_cache(maxsize=100_000)
def _bucket(word: str) -> int:
    return hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=1).digest()[0]
