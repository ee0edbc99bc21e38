from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from tasks.quality.shingles import Shingles, shingles
from tasks.quality.sketches import bands, jaccard, likeness, sketches


def of(*texts: str) -> Shingles:
    return shingles(pa.array(texts))


def pairs_of(similarity: float, count: int, size: int = 40) -> tuple[Shingles, Shingles]:
    """`count` pairs of sets of random hashes that are as alike as said."""
    random = np.random.default_rng(1)
    shared = round(2 * size * similarity / (1 + similarity))
    both = random.integers(0, 2**32, (2, count, size), np.uint32)
    both[1, :, :shared] = both[0, :, :shared]
    offsets = np.arange(0, count * size + 1, size)
    return Shingles(both[0].ravel(), offsets), Shingles(both[1].ravel(), offsets)


def test_case_width_and_punctuation_do_not_matter() -> None:
    one = of("One two, THREE four – five six!")
    assert np.array_equal(one.hashes, of("ｏｎｅ two three four five six").hashes)
    assert one.counts.tolist() == [5]


def test_order_and_neighbours_do() -> None:
    sets = of("a b c d e f", "b a c d e f")
    assert jaccard(sets, np.array([0]), sets, np.array([1])) == pytest.approx(3 / 7)


def test_words_do_not_run_into_the_next_text() -> None:
    """What a text's shingles are does not depend on the texts around it."""
    texts = [
        "one two three four five",
        "",
        "six",
        "酒店位置很好",
        "à la carte très bien",
        "a b c d e",
    ]
    together = of(*texts)
    for at, text in enumerate(texts):
        assert np.array_equal(together.of(np.array([at]))[0], of(text).hashes)


def test_scripts_without_spaces_are_cut_at_every_character() -> None:
    assert of("这家酒店位置很好", "one two three four five").counts.tolist() == [6, 4]


def test_few_shingles_are_none() -> None:
    assert of("one two three four", "one two three four five").counts.tolist() == [0, 4]


@pytest.mark.parametrize("similarity", [0.3, 0.5, 0.8])
def test_equal_hashes_estimate_the_similarity(similarity: float) -> None:
    one, other = pairs_of(similarity, count=500)
    every = np.arange(500)
    truth = jaccard(one, every, other, every)
    told = likeness(sketches(one), sketches(other))

    assert truth == pytest.approx(similarity, abs=0.02)
    assert told.mean() == pytest.approx(truth.mean(), abs=0.02)
    assert told.std() == pytest.approx(np.sqrt(similarity * (1 - similarity) / 40), rel=0.2)


@pytest.mark.parametrize(
    ("similarity", "least", "most"), [(0.2, 0, 0.05), (0.5, 0.3, 0.6), (0.8, 0.98, 1)]
)
def test_how_many_pairs_share_a_band(similarity: float, least: float, most: float) -> None:
    one, other = pairs_of(similarity, count=500)
    shared = (bands(sketches(one)) == bands(sketches(other))).any(axis=0)
    assert least <= shared.mean() <= most


def test_no_texts_at_all() -> None:
    assert sketches(of()).shape == (40, 0)
    assert len(of()) == 0
