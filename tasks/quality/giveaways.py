"""Labels that can be read off the text: what tells a class by its mere presence.

A column that leaked into the text (`label=positive`, a star rating, the range of an id) makes any
model look good. What texts are about also tells their class, though never as surely: a token must
be nearly pure to count, and a word from the middle of a text must be in half of its class.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from tasks.data.dataset import FOLDER
from tasks.data.normalise import normalise
from tasks.quality.rows import CLASSIFICATION, not_looked_at, sample, start_of
from tasks.quality.tokens import Tokens, edge_numbers, kind_of, shown
from tasks.task import Task

ROWS = 50_000
"""Of train that are looked at, chosen by their ids."""
LIMITS = {
    "field": (0.9, 0.02),
    "sign": (0.9, 0.04),
    "range": (0.95, 0.04),
    "start": (0.98, 0.04),
    "end": (0.98, 0.04),
    "word": (0.98, 0.5),
}
"""By the kind of a token: the share of its rows that must be of one class (the lower bound of its
interval), and the share of the class's rows that must have it. Kinds are those of
`tasks.quality.tokens`, and `range`: that the first or last number of a text lies in it."""
COLUMNS = ("id", "token", "label", "kind", "purity", "coverage", "rows", "start")

_Z = 1.645  # one-sided, 95 %
_INNER = (0.01, 0.99)  # of a class's numbers, which its range is made of
_LISTED = 5  # tokens of a class

Array = np.ndarray[Any, Any]


class Giveaways(NamedTuple):
    """A record for each token that gives a class away, and what can't be judged and why."""

    table: pd.DataFrame
    not_judged: tuple[str, ...]


@dataclass(frozen=True)
class _Clue:
    """A token, the class that most of its rows are of, and one of those rows."""

    token: str
    label: int
    kind: str
    purity: float
    coverage: float
    rows: int
    example: int


def giveaways_table(
    folder: Path = FOLDER, rows: int = ROWS, task: Task = CLASSIFICATION
) -> Giveaways:
    """Tokens of train whose presence says the class, at most a few of a class.

    Columns: `id`, `token`, `label` (the class), `kind`, `purity` (share of the token's rows that
    are of the class), `coverage` (share of the class's rows that have it), `rows` and `start` (of
    a text that has it). Of a task whose rows have not one class each nothing is judged.
    """
    if not task.classes:
        return Giveaways(pd.DataFrame(columns=list(COLUMNS)), (not_looked_at(task),))
    looked_at = sample("train", ["id", "text", "text_pair", "label"], rows, folder)
    names, labels = np.unique(looked_at.column("label").to_numpy().astype(str), return_inverse=True)
    if len(names) < 2:
        return Giveaways(pd.DataFrame(columns=list(COLUMNS)), ("there are not two classes",))
    columns = (looked_at.column(name).to_pylist() for name in ("text", "text_pair"))
    texts = [
        one if other is None else f"{one} {other}" for one, other in zip(*columns, strict=True)
    ]
    clues = [*_of_tokens(Tokens(texts), labels, names), *_of_ranges(texts, labels)]
    found = [
        {"id": f"{clue.token} → {names[clue.label]}"}
        | asdict(clue)
        | {"label": names[clue.label], "start": start_of(texts[clue.example])}
        for clue in _listed(clues)
    ]
    return Giveaways(pd.DataFrame(found, columns=list(COLUMNS)), ())


def _of_tokens(tokens: Tokens, labels: Array, names: Array) -> Iterator[_Clue]:
    sizes = np.bincount(labels)
    token, label, own, rows = _counted(tokens, labels)
    coverage = own / sizes[label]
    possible = coverage >= min(least for _, least in LIMITS.values())
    words, classes = list(tokens), frozenset(map(normalise, names))
    for at in np.flatnonzero(possible):
        word, kind = words[token[at]], kind_of(words[token[at]], classes)
        if _tells(kind, own[at], rows[at], coverage[at], sizes[label[at]] / len(labels)):
            purity, example = float(own[at] / rows[at]), tokens.first_with(token[at])
            covered = float(coverage[at])
            yield _Clue(shown(word), label[at], kind, purity, covered, int(rows[at]), example)


def _of_ranges(texts: Sequence[str], labels: Array) -> Iterator[_Clue]:
    """Numbers at an end of the text that lie where those of no other class do."""
    sizes = np.bincount(labels)
    for form, (places, found) in edge_numbers(texts).items():
        there, numbers = np.array(places), np.array(found)
        for label in np.unique(labels[there]):
            own = labels[there] == label
            low, high = np.quantile(numbers[own], _INNER, method="nearest")
            inside = (numbers >= low) & (numbers <= high)
            hits, rows = int((inside & own).sum()), int(inside.sum())
            coverage, base = hits / sizes[label], sizes[label] / len(labels)
            if low < high and _tells("range", hits, rows, coverage, base):
                token, example = f"{low} to {high} as {form}", int(there[inside & own][0])
                yield _Clue(token, label, "range", hits / rows, coverage, rows, example)


def _tells(kind: str, own: float, rows: float, coverage: float, base: float) -> bool:
    """Whether a token tells more than the class's own share of all rows, `base`."""
    purity, covered = LIMITS[kind]
    least = _lower_bound(own / rows, rows)
    return bool(coverage >= covered and 1 - least <= (1 - purity) * min(1.0, 2 * (1 - base)))


def _lower_bound(share: float, rows: float) -> float:
    """Of a share seen in so many rows (Wilson 1927)."""
    spread = _Z**2 / rows
    half = _Z * float(np.sqrt(share * (1 - share) / rows + spread / (4 * rows)))
    return (share + spread / 2 - half) / (1 + spread)


def _counted(tokens: Tokens, labels: Array) -> tuple[Array, Array, Array, Array]:
    """Tokens, the class that each is mostly of, its rows in that class, and all its rows."""
    numbers = tokens.numbers
    totals = np.bincount(numbers, minlength=len(tokens))
    easiest = min(purity for purity, _ in LIMITS.values())
    enough = totals[numbers] >= easiest / (1 - easiest) * _Z**2  # fewer can't reach any limit
    owners = np.repeat(labels, np.diff(tokens.offsets))
    classes = int(labels.max()) + 1
    pairs, counts = np.unique(
        numbers[enough].astype(np.int64) * classes + owners[enough], return_counts=True
    )
    order = np.lexsort((pairs, -counts, pairs // classes))
    token, first = np.unique((pairs // classes)[order], return_index=True)
    best = order[first]
    return token, pairs[best] % classes, counts[best], totals[token]


def _listed(clues: Iterable[_Clue]) -> Iterator[_Clue]:
    """A few of each class, the most frequent first, no token that is a part of another."""
    kept: dict[int, list[str]] = {}
    for clue in sorted(clues, key=lambda clue: (-clue.coverage, clue.token)):
        bare, others = clue.token.partition(" (")[0], kept.setdefault(clue.label, [])
        if len(others) < _LISTED and not any(bare in one or one in bare for one in others):
            others.append(bare)
            yield clue
