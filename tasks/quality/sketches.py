"""MinHash: how alike two sets of shingles are, told from a few numbers; and the truth itself.

Broder 1997 ("On the resemblance and containment of documents"): two sets have the same smallest
hash with the probability of their Jaccard similarity. Texts are candidates when all the smallest
hashes of one band agree (Indyk & Motwani 1998): at a similarity of 0.8 that happens to 99.5 % of
the pairs, at 0.5 to half of them, at 0.2 to 1.6 %.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from tasks.quality.shingles import Shingles

BANDS = 10
BAND_HASHES = 4
SEED = 17
_MIX = np.uint64(0x9E3779B97F4A7C15)

Array = np.ndarray[Any, Any]


def sketches(sets: Shingles) -> Array:
    """The smallest hash under each of 40 orders, uint32 [40, sets]; of no shingles the largest."""
    found = np.full((BANDS * BAND_HASHES, len(sets)), np.iinfo(np.uint32).max, np.uint32)
    some = sets.counts > 0
    if not some.any():
        return found
    begins = sets.offsets[:-1][some]
    for at, (shift, factor) in enumerate(zip(*_orders(), strict=True)):
        found[at, some] = np.minimum.reduceat((sets.hashes ^ shift) * factor, begins)
    return found


def bands(sketched: Array) -> Array:
    """One number a band that stands for its hashes, uint64 [BANDS, sets]."""
    parts = sketched.reshape(BANDS, BAND_HASHES, -1).astype(np.uint64)
    keys = np.zeros((BANDS, sketched.shape[1]), np.uint64)
    for at in range(BAND_HASHES):
        keys = (keys ^ parts[:, at]) * _MIX
        keys ^= keys >> np.uint64(32)
    return keys


def likeness(one: Array, other: Array) -> Array:
    """The share of equal hashes of pairs of sketches, which estimates their similarity."""
    return np.asarray((one == other).mean(axis=0))


def jaccard(one: Shingles, one_at: Array, other: Shingles, other_at: Array) -> Array:
    """The similarity of the sets `one_at[i]` and `other_at[i]`, float [pairs]."""
    left, right = _owned(one, one_at), _owned(other, other_at)
    both = np.sort(np.concatenate((left, right)))
    shared = both[1:][both[1:] == both[:-1]]
    common, sizes = (_per_pair(keys, len(one_at)) for keys in (shared, both))
    return np.asarray(common / np.maximum(sizes - common, 1))


def _owned(sets: Shingles, at: Array) -> Array:
    """Each different shingle of each pair once, with the pair in the upper half."""
    hashes, owners = sets.of(at)
    return np.unique((owners.astype(np.uint64) << np.uint64(32)) | hashes)


def _per_pair(keys: Array, pairs: int) -> Array:
    return np.bincount((keys >> np.uint64(32)).astype(np.intp), minlength=pairs)


@cache
def _orders() -> tuple[Array, Array]:
    """What turns a hash into its rank in each order: a shift, then an odd factor, modulo 2**32."""
    random = np.random.default_rng(SEED)
    shifts = random.integers(0, 2**32, BANDS * BAND_HASHES, np.uint32)
    return shifts, random.integers(0, 2**32, BANDS * BAND_HASHES, np.uint32) | np.uint32(1)
