from __future__ import annotations

import numpy as np
import pytest

from tasks.measuring.confidence import BINS, confidence_bins, right_and_wrong


def test_answers_are_counted_by_how_sure_they_were() -> None:
    truth = ["good", "good", "bad", "bad"]
    counts = right_and_wrong(truth, [("good", 0.99), ("bad", 0.6), ("bad", 0.99), ("bad", 0.99)])

    assert (sum(counts["right"]), sum(counts["wrong"])) == (3, 1)
    assert counts["right"][confidence_bins([0.99])[0]] == 3
    assert counts["wrong"][confidence_bins([0.6])[0]] == 1
    assert len(counts["right"]) == len(counts["wrong"]) == BINS


@pytest.mark.parametrize(("score", "place"), [(0.0, 0), (0.5, 2), (0.75, 4), (1.0, BINS - 1)])
def test_a_bin_is_half_a_bit_of_doubt(score: float, place: int) -> None:
    assert confidence_bins([score]) == [place]


def test_the_surer_the_higher_the_bin() -> None:
    bins = confidence_bins(np.linspace(0, 1, 500).tolist())
    assert (np.diff(bins) >= 0).all()
    assert len(set(bins.tolist())) > BINS // 2


def test_no_answers_are_counted_as_none() -> None:
    assert right_and_wrong([], []) == {"right": [0] * BINS, "wrong": [0] * BINS}
