"""Where texts should leave a model early, and how sure they have to be: told by logits alone."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np

from tasks.task.answers import Floats
from tasks.task.figures import softmax
from tasks.training.early import NEVER, Leaving


def places(layers: int) -> list[int]:
    """Where a model of so many layers may be asked: after 1, 2, 3, 4, 6, 8, 12, 16, … of them.

    Each time costs a fraction of a layer, and must spare more than that: after the last but one
    there is nothing left to spare.
    """
    powers = [2**power for power in range(layers.bit_length())]
    halfway = [3 * power for power in powers]
    return sorted(place for place in (*powers, *halfway) if place < layers - 1)


def choose(full: Floats, early: Mapping[int, Floats], percent: float) -> list[Leaving]:
    """How sure a text has to be to leave at each place, so that the answer stays what it was.

    `full` are the logits of all layers and `early` those at each place [texts, classes], of texts
    that the model has not learnt from. At most `percent` of other texts are to be expected to get
    another answer than with all layers: conformal risk control (Angelopoulos et al. 2024), which
    counts one more text as answered otherwise than has been seen (`can_tell`). Places have equal
    parts of it, and what one doesn't use the next one may.
    """
    told, count = full.argmax(1), len(full)
    stays, otherwise = np.ones(count, bool), 0
    found = []
    for number, (place, logits) in enumerate(sorted(early.items()), 1):
        sure, differs = softmax(logits).max(1), logits.argmax(1) != told
        allowed = percent / 100 * (count + 1) * number / len(early) - 1 - otherwise
        rows = np.flatnonzero(stays)
        rows = rows[np.argsort(-sure[rows], kind="stable")]
        leaving = rows[np.cumsum(differs[rows]) <= allowed]
        certainty = NEVER
        if len(leaving):
            beside = rows[min(len(leaving), len(rows) - 1)]
            certainty = float(sure[leaving[-1]] + sure[beside]) / 2
            leaving = leaving[sure[leaving] > certainty]
        otherwise += int(differs[leaving].sum())
        stays[leaving] = False
        found.append(Leaving(place, certainty, len(leaving) / count))
    return found


def can_tell(texts: int, percent: float) -> bool:
    """Whether so many are enough for `choose` to let any leave."""
    return percent / 100 * (texts + 1) >= 1


def cheapest(
    full: Floats, early: Mapping[int, Floats], percent: float, layers: int, asked: float
) -> list[Leaving]:
    """The choice of places, of those of `early`, by which a text goes through the fewest layers.

    Each has what `choose` makes of it: a place that is left out leaves its part to the others. It
    may be none. `asked` is what asking at one costs, in layers.
    """
    places = sorted(early)
    some = [each for count in range(len(places) + 1) for each in combinations(places, count)]
    found = [choose(full, {place: early[place] for place in each}, percent) for each in some]
    return min(found, key=lambda each: layers_run(each, layers, asked))


def layers_run(leaving: list[Leaving], layers: int, asked: float) -> float:
    """How many of its layers a text goes through in the mean, the last one being `asked` of one."""
    run, stay, before = 0.0, 1.0, 0
    for each in leaving:
        run += stay * (each.after - before + asked)
        stay, before = stay - each.share, each.after
    return run + stay * (layers - 1 - before + asked)
