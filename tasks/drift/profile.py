"""What a dataset is like, in some kilobytes: kept with the release that was made from it.

No text and no word of the data is in it: counts, and vectors in few dimensions and coarse steps.
It depends on the dataset and the base model alone, not on what it is held against.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.drift.embeddings import BASE, embed, encoder_id
from tasks.drift.histograms import word_counts
from tasks.drift.portrait import CLASSIFICATION, Portrait, Rows, Tally
from tasks.drift.projection import Floats, pack, project
from tasks.drift.values import binned, numbers_of
from tasks.stage.errors import BadInput
from tasks.task import Task

VERSION = 1
"""Grows when two profiles of different code can't be held against each other."""
CLASSES_KEPT = 200
"""Of the whole, the most frequent ones; the others count together."""
CLASSES_KEPT_OF_SOURCE = 40
VECTORS_KEPT = 1_000


@dataclass(frozen=True)
class Embedded:
    """The samples of a portrait as projected vectors, [texts, dimensions]: their first rows."""

    encoder: str | None
    """What made them: vectors of another encoder can't be compared."""
    sample: Floats | None
    new: Floats | None
    why_not: str | None = None
    """Why there are none."""


def embedded(portrait: Portrait, texts: int, base: Path = BASE) -> Embedded:
    """Embed at most `texts` texts, half of them of the whole and half of what is new.

    A model that can't do it is no error: there are no vectors then, and it is said why. Raises
    Unavailable when its files can't be had.
    """
    if texts < 2:
        return Embedded(None, None, None, "validate.sample allows no text to be embedded")
    share = min(texts // 2, VECTORS_KEPT)
    try:
        # a call each: a vector depends a little on what it shares a batch with
        whole = project(embed(portrait.sample.texts[:share], base))
        new = portrait.new_sample.texts[:share]
        return Embedded(encoder_id(base), whole, project(embed(new, base)) if new else None)
    except BadInput as error:
        return Embedded(None, None, None, str(error))


def profile_of(
    portrait: Portrait, vectors: Embedded, task: Task = CLASSIFICATION
) -> dict[str, Any]:
    """The profile of a dataset: canonical JSON under 200 KB, whatever the dataset's size."""
    rows = portrait.sample
    return {
        "version": VERSION,
        "newest": portrait.newest,
        "all": _tally(portrait.all, CLASSES_KEPT) | _values(rows, task),
        "sources": {
            name: _tally(tally, CLASSES_KEPT_OF_SOURCE) | _values(rows.of_source(name), task)
            for name, tally in portrait.sources.items()
        },
        "words": {
            "texts": len(portrait.sample),
            "counts": word_counts(portrait.sample.texts).sum(axis=0).astype(int).tolist(),
        },
        "vectors": _vectors(portrait, vectors),
    }


def newest_of(reference: Mapping[str, Any]) -> str | None:
    """The date after which rows are new to the version that `data/reference.json` describes."""
    found: str | None = (reference.get("profile") or {}).get("newest")
    return found


def _tally(tally: Tally, kept: int) -> dict[str, Any]:
    frequent = sorted(tally.labels.items(), key=lambda entry: (-entry[1], entry[0]))[:kept]
    return {
        "rows": tally.rows,
        "labels": dict(frequent),
        "other_labels": tally.named - sum(count for _, count in frequent),
        "lengths": tally.lengths.tolist(),
    }


def _values(rows: Rows, task: Task) -> dict[str, Any]:
    """The numbers among the labels of some rows, of each task that has such labels."""
    found = {name: binned(numbers) for name, numbers in numbers_of(rows, task).items()}
    return {"values": found} if found else {}


def _vectors(portrait: Portrait, vectors: Embedded) -> dict[str, Any] | None:
    if vectors.sample is None:
        return None
    names = sorted(portrait.sources)
    sources = portrait.sample.sources[: len(vectors.sample)] if names else []
    return {
        "encoder": vectors.encoder,
        "sources": [names.index(source) for source in sources],
        **pack(vectors.sample),
    }


def labels_in(tally: Tally, known: Mapping[str, int]) -> list[int]:
    """How often each class in `known` was named, in its order, and all others together."""
    counts: Counter[str] = tally.labels
    found = [counts.get(label, 0) for label in known]
    return [*found, tally.named - sum(found)]
