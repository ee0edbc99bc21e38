"""The data as they are now against those that the version in production was made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from tasks.drift.distances import (
    Difference,
    lengths_differ,
    shares_differ,
    told_apart,
    words_differ,
)
from tasks.drift.histograms import word_counts
from tasks.drift.portrait import Portrait, Rows, Tally
from tasks.drift.profile import VERSION, Embedded, labels_in
from tasks.drift.projection import Floats, on_scale_of, unpack
from tasks.measuring.statistics import holm

LEVEL = 0.01
"""Chance of a false alarm anywhere in the table: a difference less certain is no drift."""
SMALLEST_SLICE = 50
SEED = 17
COLUMNS = (
    "id", "start", "slice", "measure", "rows", "reference_rows", "effect", "p", "p_corrected",
    "drift",
)  # fmt: skip

Reference = Mapping[str, Any]


class Judged(NamedTuple):
    """A table to hold expectations against, and what it could not judge and why."""

    table: pd.DataFrame
    not_judged: tuple[str, ...]


def drift_table(portrait: Portrait, vectors: Embedded, reference: Reference) -> Judged:
    """A record for each slice and measure: how far it is from `data/reference.json`'s profile.

    `effect` is a population stability index beyond chance (of `labels`, `lengths`, `vocabulary`),
    or the AUC - 0.5 of a classifier that tells now and then apart (`embeddings`); `p` is of the
    chi-square, Kolmogorov-Smirnov, corrected chi-square and permutation test, `p_corrected` the
    same for the whole table (Holm), `drift` the effect where that is below LEVEL, else 0.
    """
    profile = reference.get("profile")
    if profile is None:
        why = "no version is in production yet, or it was made without a profile of its data"
        return Judged(pd.DataFrame(columns=list(COLUMNS)), (why,))
    if profile.get("version") != VERSION:
        why = f"production's profile is of form {profile.get('version')}, this code's is {VERSION}"
        return Judged(pd.DataFrame(columns=list(COLUMNS)), (why,))
    slices, why_small = _slices(portrait, vectors, profile)
    found = [record for each in slices for record in _records(each)]
    for record, corrected in zip(found, holm([each["p"] for each in found]), strict=True):
        record["p_corrected"] = corrected
        record["drift"] = record["effect"] if corrected < LEVEL else 0.0
    why_no_vectors = _why_no_vectors(vectors, profile)
    table = pd.DataFrame([_rounded(record) for record in found], columns=list(COLUMNS))
    return Judged(table, (*why_small, *why_no_vectors))


@dataclass(frozen=True)
class _Slice:
    """Some rows now, and those of the reference that they are held against."""

    name: str
    tally: Tally
    then: Mapping[str, Any]
    """The reference's tally."""
    sample: Rows | None = None
    words_then: Mapping[str, Any] | None = None
    vectors: Floats | None = None
    vectors_then: Floats | None = None


def _slices(
    portrait: Portrait, vectors: Embedded, profile: Reference
) -> tuple[list[_Slice], list[str]]:
    packed = profile["vectors"] if _comparable(vectors, profile) else None
    then = unpack(packed) if packed else None
    sample, new = (
        on_scale_of(each, packed) if packed and each is not None else None
        for each in (vectors.sample, vectors.new)
    )
    whole, words = profile["all"], profile["words"]
    found = [_Slice("all", portrait.all, whole, portrait.sample, words, sample, then)]
    if portrait.new is not None:
        rows = portrait.new_sample
        found.append(_Slice("new", portrait.new, whole, rows, words, new, then))
    for name in sorted(set(portrait.sources) & set(profile["sources"])):
        now, before = _of_source(name, portrait, sample, profile, then)
        tally, was = portrait.sources[name], profile["sources"][name]
        found.append(_Slice(f"source {name}", tally, was, vectors=now, vectors_then=before))
    sizes = [(each, min(each.tally.rows, each.then["rows"])) for each in found]
    large = [each for each, rows in sizes if rows >= SMALLEST_SLICE]
    small = [f"slice {each.name}: {n} rows, fewer than {SMALLEST_SLICE}"
             for each, n in sizes if n < SMALLEST_SLICE]  # fmt: skip
    return large, small


def _of_source(
    name: str, portrait: Portrait, now: Floats | None, profile: Reference, then: Floats | None
) -> tuple[Floats | None, Floats | None]:
    if now is None or then is None:
        return None, None
    is_now = np.array(portrait.sample.sources[: len(now)]) == name
    number = sorted(profile["sources"]).index(name)
    return now[is_now], then[np.array(profile["vectors"]["sources"]) == number]


def _records(each: _Slice) -> Iterator[dict[str, Any]]:
    """A record a measure, whatever can be judged of the slice."""
    now, then = each.tally, each.then
    labels = np.array([*then["labels"].values(), then["other_labels"]])
    differ = shares_differ(np.array(labels_in(now, then["labels"])), labels)
    yield _record(each, "labels", now.rows, then["rows"], differ)
    differ = lengths_differ(now.lengths, np.array(then["lengths"]))
    yield _record(each, "lengths", now.rows, then["rows"], differ)
    if each.sample and each.words_then:
        counts, texts = np.array(each.words_then["counts"]), each.words_then["texts"]
        differ = words_differ(word_counts(each.sample.texts), counts, texts)
        yield _record(each, "vocabulary", len(each.sample), texts, differ)
    vectors, before = each.vectors, each.vectors_then
    if vectors is None or before is None or min(len(vectors), len(before)) < SMALLEST_SLICE:
        return
    differ = told_apart(vectors, before, SEED)
    yield _record(each, "embeddings", len(vectors), len(before), differ)


_SAID = {
    "labels": "shares of the labels",
    "lengths": "lengths of the texts",
    "vocabulary": "words used",
    "embeddings": "meaning, as the base model sees it",
}
_SLICES = {"all": "all rows", "new": "rows newer than production's"}


def _record(each: _Slice, measure: str, rows: int, then: int, found: Difference) -> dict[str, Any]:
    return {
        "id": f"{each.name}: {measure}",
        "start": f"{_SAID[measure]}, {_SLICES.get(each.name, each.name)} ({rows:,})",
        "slice": each.name,
        "measure": measure,
        "rows": rows,
        "reference_rows": then,
        "effect": found.effect,
        "p": found.p,
    }


def _comparable(vectors: Embedded, profile: Reference) -> bool:
    packed = profile.get("vectors")
    return packed is not None and vectors.encoder == packed["encoder"]


def _why_no_vectors(vectors: Embedded, profile: Reference) -> tuple[str, ...]:
    if vectors.why_not:
        return (f"measure embeddings: {vectors.why_not}",)
    if not _comparable(vectors, profile):
        return ("measure embeddings: production's profile has none of this base model",)
    return ()


def _rounded(record: dict[str, Any]) -> dict[str, Any]:
    return {
        key: round(value, 4) if isinstance(value, float) else value for key, value in record.items()
    }
