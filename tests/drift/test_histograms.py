from __future__ import annotations

import numpy as np
import pytest

from tasks.drift.histograms import BUCKETS, EDGES, LENGTH_BINS, length_bins, word_counts


def test_bins_of_lengths_grow_with_the_length() -> None:
    bins = length_bins(np.array([0, 1, 2, 100, 103, 200, 10**9]))
    assert bins.tolist() == sorted(bins.tolist())
    assert bins[0] == 0
    assert bins[-1] == LENGTH_BINS - 1
    assert bins[3] == bins[4] < bins[5]  # a bin is a quarter of an octave wide
    assert (np.diff(EDGES) > 0).all()


def test_the_same_words_fall_into_the_same_buckets() -> None:
    counts = word_counts(["a fine film", "Film, FINE; a!", "another story"])
    assert counts.shape == (3, BUCKETS)
    assert counts.sum(axis=1).tolist() == [3, 3, 2]
    assert (counts[0] == counts[1]).all()
    assert (counts[0] != counts[2]).any()


def test_a_pair_counts_as_both_its_texts() -> None:
    assert (word_counts([("a fine", "film")]) == word_counts(["a fine film"])).all()


@pytest.mark.parametrize(("text", "words"), [("这部电影", 4), ("とても", 3), ("", 0), ("!?", 0)])
def test_scripts_without_spaces_count_by_character(text: str, words: int) -> None:
    assert word_counts([text]).sum() == words


def test_half_a_character_is_no_error() -> None:
    assert word_counts(["fine \ud800"]).sum() >= 1
