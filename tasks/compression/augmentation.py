"""More texts to be taught on: the teacher labels them, so they need not be true."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import numpy.typing as npt

from tasks.training.batches import Encoded, join

DROPPED = 0.15
"""Share of the tokens that a text loses, as in masked language modelling."""
FEWEST = 4
"""Tokens that a text must have to be cut in two."""

Ids = npt.NDArray[np.int32]


def augmented(
    encoded: Encoded, special: Collection[int], copies: int, most: int, seed: int
) -> Encoded:
    """`encoded` followed by `copies` altered versions of each of its texts, labels as they were.

    Where tokens are labelled each label goes with its token.

    Half of them begin as the text does and end as another one, half have lost some tokens (after
    Tang et al. 2019, who show how much a small student gains from texts that only the teacher has
    labelled). Special tokens stay where they are; a pair of texts only loses tokens. The whole has
    at most `most` tokens, as far as copies decide that: of a copy that would be too much, texts
    drawn by lot are left out.
    """
    random = np.random.default_rng(seed)
    bounds = list(zip(encoded.offsets[:-1], encoded.offsets[1:], strict=True))
    fixed = np.isin(encoded.ids, list(special))
    longest = int(encoded.lengths.max())
    parts = [encoded]
    for _ in range(copies):
        others = random.permutation(len(bounds))
        rows = [
            _altered(fixed, bounds[i], bounds[others[i]], longest, random)
            for i in range(len(bounds))
        ]
        room = most - sum(len(part.ids) for part in parts)
        chosen = _fitting([len(row) for row in rows], room, random)
        if len(chosen):
            parts.append(encoded.taking([rows[at] for at in chosen], chosen))
    return join(parts)


def _fitting(lengths: list[int], room: int, random: np.random.Generator) -> npt.NDArray[np.int64]:
    """Which texts of these lengths to take, so that all of them have at most `room` tokens."""
    if sum(lengths) <= room:
        return np.arange(len(lengths))
    order = random.permutation(len(lengths))
    return np.sort(order[np.cumsum(np.take(lengths, order)) <= room])


def _altered(
    fixed: npt.NDArray[np.bool_],
    text: tuple[int, int],
    other: tuple[int, int],
    longest: int,
    random: np.random.Generator,
) -> npt.NDArray[np.int64]:
    """The places, in the whole array of ids, of the tokens that make up the new text."""
    mine, its = np.arange(*text), np.arange(*other)
    inner, its_inner = mine[~fixed[mine]], its[~fixed[its]]
    plain = len(inner) and inner[-1] - inner[0] + 1 == len(inner)  # no separator in the middle
    if plain and min(len(inner), len(its_inner)) >= FEWEST and random.random() < 0.5:
        start = inner[: random.integers(2, len(inner))]
        end = its_inner[random.integers(0, len(its_inner) - 1) :]
        room = longest - (len(mine) - len(inner))
        middle = np.concatenate([start, end])[:room]
        return np.concatenate([mine[mine < inner[0]], middle, mine[mine > inner[-1]]])
    kept = fixed[mine] | (random.random(len(mine)) >= DROPPED)
    return mine[kept] if (kept & ~fixed[mine]).any() else mine
