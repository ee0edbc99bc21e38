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
from tasks.drift.portrait import CLASSIFICATION, Portrait, Rows, Tally
from tasks.drift.profile import VERSION, Embedded, labels_in
from tasks.drift.projection import Floats, on_scale_of, unpack
from tasks.drift.values import counts_in, labels_of, numbers_of
from tasks.measuring.statistics import holm
from tasks.task import Task

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


def drift_table(
    portrait: Portrait, vectors: Embedded, reference: Reference, task: Task = CLASSIFICATION
) -> Judged:
    """A record for each slice and measure: how far it is from `data/reference.json`'s profile.

    `effect` is a population stability index beyond chance (of `labels`, `lengths`, `vocabulary`),
    or the AUC - 0.5 of a classifier that tells now and then apart (`embeddings`); `p` is of the
    chi-square, Kolmogorov-Smirnov, corrected chi-square and permutation test, `p_corrected` the
    same for the whole table (Holm), `drift` the effect where that is below LEVEL, else 0. Labels of
    rows that may name several classes, and numbers among the labels, are those of a sample.
    """
    profile = reference.get("profile")
    if profile is None:
        why = "no version is in production yet, or it was made without a profile of its data"
        return Judged(pd.DataFrame(columns=list(COLUMNS)), (why,))
    if profile.get("version") != VERSION:
        why = f"production's profile is of form {profile.get('version')}, this code's is {VERSION}"
        return Judged(pd.DataFrame(columns=list(COLUMNS)), (why,))
    slices, why_small = _slices(portrait, vectors, profile)
    found = [record for each in slices for record in _records(each, task)]
    for record, corrected in zip(found, holm([each["p"] for each in found]), strict=True):
        record["p_corrected"] = corrected
        record["drift"] = record["effect"] if corrected < LEVEL else 0.0
    why_no_vectors = _why_no_vectors(vectors, profile)
    table = pd.DataFrame([_rounded(record) for record in found], columns=list(COLUMNS))
    return Judged(table, (*why_small, *_why_no_labels(profile, task), *why_no_vectors))


@dataclass(frozen=True)
class _Slice:
    """Some rows now, and those of the reference that they are held against."""

    name: str
    tally: Tally
    then: Mapping[str, Any]
    """The reference's tally."""
    rows: Rows
    """A sample of those of now."""
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
        rows = portrait.sample.of_source(name)
        found.append(_Slice(f"source {name}", tally, was, rows, None, now, before))
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


def _records(each: _Slice, task: Task) -> Iterator[dict[str, Any]]:
    """A record a measure, whatever can be judged of the slice."""
    now, then = each.tally, each.then
    yield from _of_labels(each, task)
    yield from _of_numbers(each, task)
    differ = lengths_differ(now.lengths, np.array(then["lengths"]))
    yield _record(each, "lengths", now.rows, then["rows"], differ)
    if each.rows and each.words_then:
        counts, texts = np.array(each.words_then["counts"]), each.words_then["texts"]
        differ = words_differ(word_counts(each.rows.texts), counts, texts)
        yield _record(each, "vocabulary", len(each.rows), texts, differ)
    vectors, before = each.vectors, each.vectors_then
    if vectors is None or before is None or min(len(vectors), len(before)) < SMALLEST_SLICE:
        return
    differ = told_apart(vectors, before, SEED)
    yield _record(each, "embeddings", len(vectors), len(before), differ)


def _of_labels(each: _Slice, task: Task) -> Iterator[dict[str, Any]]:
    """Shares of classes. Several come with a row as words come in a text, and are held likewise."""
    now, then = each.tally, each.then
    counts = np.array([*then["labels"].values(), then["other_labels"]])
    if not then["labels"]:
        return
    if task.classes:
        differ = shares_differ(np.array(labels_in(now, then["labels"])), counts)
        yield _record(each, "labels", now.rows, then["rows"], differ)
    elif now.named and each.rows:
        differ = words_differ(labels_of(each.rows, then["labels"], task), counts, then["rows"])
        yield _record(each, "labels", len(each.rows), then["rows"], differ)


def _of_numbers(each: _Slice, task: Task) -> Iterator[dict[str, Any]]:
    """Shares of the numbers among the labels, in bins that are those of the reference."""
    for name, numbers in numbers_of(each.rows, task).items():
        then = each.then.get("values", {}).get(name)
        if then is None or min(len(numbers), sum(then["counts"])) < SMALLEST_SLICE:
            continue
        counts = np.array(then["counts"])
        differ = shares_differ(counts_in(numbers, np.array(then["edges"])), counts)
        found = _record(each, "labels", len(numbers), int(counts.sum()), differ)
        several = f" of {name}" if len(task.members()) > 1 else ""
        yield {**found, "id": f"{found['id']}{several}"}


def _why_no_labels(profile: Reference, task: Task) -> Iterator[str]:
    """Of what kind of labels production's profile has none."""
    whole = profile["all"]
    if task.labels and not whole["labels"]:
        yield "measure labels: production's profile has no classes"
    for name, head in task.members().items():
        if head.numeric and name not in whole.get("values", {}):
            yield f"measure labels: production's profile has no numbers of {name}"


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
