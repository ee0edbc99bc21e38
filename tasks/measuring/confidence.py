"""How often a model is right, by how sure it is: what later nights' labels are held against."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

BINS = 24
_STEPS = 2
"""Bins for each halving of the doubt (1 - probability): a fine-tuned model is mostly very sure."""


def right_and_wrong(
    truth: Sequence[str], answers: Sequence[tuple[str, float]]
) -> dict[str, list[int]]:
    """How many answers (a label and its probability) were right and how many wrong, by bin."""
    bins = confidence_bins([score for _, score in answers])
    right = np.array([label == told for label, (told, _) in zip(truth, answers, strict=True)], bool)
    return {
        "right": np.bincount(bins[right], minlength=BINS).tolist(),
        "wrong": np.bincount(bins[~right], minlength=BINS).tolist(),
    }


def confidence_bins(scores: Sequence[float]) -> npt.NDArray[np.int64]:
    """The bin of each probability, int64 [scores], 0 to BINS - 1: half a bit of doubt wide."""
    doubt = np.clip(1 - np.asarray(scores, np.float64), 2.0**-BINS, 1)
    bins = np.floor(-_STEPS * np.log2(doubt))
    return np.asarray(np.clip(bins, 0, BINS - 1), np.int64)
