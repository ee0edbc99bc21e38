"""Production's answers to new texts against the labels they came with.

A label can look right in every way and still be wrong: shifted by a row, or swapped. The version in
production, which learned from older data, will then disagree more often than it ever did.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from tasks.data.dataset import Text
from tasks.drift.noise import Answers, answers_of, expected_agreement, merged, noise
from tasks.drift.portrait import CLASSIFICATION, Rows
from tasks.drift.table import Judged, Reference
from tasks.measuring.confidence import BINS, confidence_bins
from tasks.sources.reference import IN_STORE
from tasks.stage.errors import BadInput
from tasks.store.store import open_store
from tasks.task import Task

LEVEL = 0.003
"""Chance of a false alarm of `noise_at_least` anywhere in the table, on a clean night."""
SUSPICION = 0.02
"""Chance of a false `suspected` in one record."""
SMALLEST_NIGHT = 30
COLUMNS = (
    "id", "start", "rows", "agreement", "expected", "noise", "noise_at_least", "wrong", "p",
    "suspected",
)  # fmt: skip


class Told(NamedTuple):
    """What a model says to some texts."""

    classes: tuple[str, ...]
    labels: list[str]
    scores: list[float]
    """The probability of each label that it told."""


Ask = Callable[[str, Sequence[Text]], Told]


def ask(release: str, texts: Sequence[Text]) -> Told:
    """The answers of the release at a URI, which may begin with `store://`.

    Raises BadInput when there is none that can answer these texts, Unavailable when it can't be
    reached.
    """
    from tasks.inference.predictor import Predictor

    key = release.removeprefix(IN_STORE)
    predictor = Predictor.load(release if key == release else f"{open_store().url}/{key}")
    try:
        found = predictor(texts)
    except TypeError as error:
        raise BadInput(f"production can't be asked: {error}") from None
    labels, scores = [each.label or "" for each in found], [each.score or 0.0 for each in found]
    return Told(predictor.release.labels, labels, scores)


def agreement_table(
    latest: Rows, reference: Reference, answer: Ask = ask, task: Task = CLASSIFICATION
) -> Judged:
    """A record for each night newer than production's data, and `new` for all of them together.

    `agreement` is the share of texts whose label production tells too, `expected` what it would be
    if the labels were as good as those of the test split of production's own night; `noise` the
    most likely share of wrong labels beyond those, `noise_at_least` its lower confidence bound
    (at LEVEL over the whole table), `wrong` the noise where that bound is above 0, else 0; `p` that
    of no noise, `suspected` the noise where it is below SUSPICION, else 0. Nothing is judged of a
    task whose rows have not one class each. Raises Unavailable when production can't be reached.
    """
    if not task.classes:
        return _nothing(
            f"production is asked where every row has one class; the task is {task.kind}"
        )
    profile = reference.get("profile") or {}
    answers = profile.get("answers")
    if answers is None or reference.get("release") is None:
        why = "no version is in production yet, or its answers on its test split are not known"
        return _nothing(why)
    if profile.get("newest") is None or not len(latest):
        return _nothing("no row is dated after the newest one that production was made from")
    try:
        told = answer(reference["release"], latest.texts)
    except BadInput as error:
        return _nothing(f"production can't be asked: {error}")
    then = answers_of(answers)
    nights = list(_nights(latest, told))
    if not nights:
        return _nothing(f"no night newer than production has {SMALLEST_NIGHT} rows")
    level = LEVEL / (len(nights) if len(nights) > 2 else 1)  # one night is the same as `new`
    found = [_record(*night, then, len(told.classes), level) for night in nights]
    return Judged(pd.DataFrame(found, columns=list(COLUMNS)), ())


def _nights(latest: Rows, told: Told) -> Iterator[tuple[str, Answers]]:
    """Production's answers by night, oldest first, then all together.

    Labels that production does not know are left out: that it does not tell them says nothing.
    """
    known = np.isin(latest.labels, told.classes)
    bins = confidence_bins(told.scores)
    agreed = np.array(latest.labels, object) == np.array(told.labels, object)
    dates = np.array(latest.dates, object)
    for night in sorted({day for day in latest.dates if day is not None}):
        if (rows := known & (dates == night)).sum() >= SMALLEST_NIGHT:
            yield night, _counted(bins[rows], agreed[rows])
    if known.sum() >= SMALLEST_NIGHT:
        yield "new", _counted(bins[known], agreed[known])


def _counted(bins: npt.NDArray[np.int64], agreed: npt.NDArray[np.bool_]) -> Answers:
    counts = (np.bincount(bins[side], minlength=BINS) for side in (agreed, ~agreed))
    return Answers(*(each.astype(np.float64) for each in counts))


def _record(night: str, now: Answers, then: Answers, classes: int, level: float) -> dict[str, Any]:
    then, now = merged(then, now)
    found = noise(then, now, classes, level)
    rows = int((now.agreed + now.differed).sum())
    which = "all rows newer than production's" if night == "new" else f"the night of {night}"
    return {
        "id": night,
        "start": f"{which}: {int(now.agreed.sum()):,} of {rows:,} labels as production tells them",
        "rows": rows,
        "agreement": round(float(now.agreed.sum()) / rows, 4),
        "expected": round(expected_agreement(then, now), 4),
        "noise": round(found.share, 4),
        "noise_at_least": round(found.at_least, 4),
        "wrong": round(found.share, 4) if found.at_least > 0 else 0.0,
        "p": round(found.p, 4),
        "suspected": round(found.share, 4) if found.p < SUSPICION else 0.0,
    }


def _nothing(why: str) -> Judged:
    return Judged(pd.DataFrame(columns=list(COLUMNS)), (why,))
