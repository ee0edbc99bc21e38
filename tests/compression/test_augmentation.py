from __future__ import annotations

import numpy as np

from tasks.compression.augmentation import augmented
from tasks.training.batches import Encoded

CLS, SEP = 2, 3


def texts(*rows: list[int]) -> Encoded:
    ids = [[CLS, *row, SEP] for row in rows]
    lengths = [len(row) for row in ids]
    return Encoded(
        ids=np.array([i for row in ids for i in row], np.int32),
        types=None,
        offsets=np.cumsum([0, *lengths]),
        labels=np.arange(len(rows)),
        pad=0,
    )


def rows_of(encoded: Encoded) -> list[list[int]]:
    bounds = zip(encoded.offsets, encoded.offsets[1:], strict=False)
    return [encoded.ids[a:b].tolist() for a, b in bounds]


ORIGINAL = texts(*[list(range(10 * i, 10 * i + 8)) for i in range(1, 60)])


def test_the_texts_themselves_come_first_and_unchanged() -> None:
    found = augmented(ORIGINAL, {CLS, SEP}, copies=2, most=10**6, seed=0)
    assert len(found) == 3 * len(ORIGINAL)
    assert rows_of(found)[: len(ORIGINAL)] == rows_of(ORIGINAL)
    assert found.labels.tolist() == 3 * ORIGINAL.labels.tolist()


def test_an_altered_text_keeps_its_frame_and_its_length() -> None:
    for row in rows_of(augmented(ORIGINAL, {CLS, SEP}, 1, 10**6, seed=0)):
        assert row[0] == CLS
        assert row[-1] == SEP
        assert not {CLS, SEP} & set(row[1:-1])
        assert 3 <= len(row) <= ORIGINAL.lengths.max()


def test_some_are_spliced_and_some_have_lost_tokens() -> None:
    rows = rows_of(augmented(ORIGINAL, {CLS, SEP}, 1, 10**6, seed=0))[len(ORIGINAL) :]
    sources = [{token // 10 for token in row[1:-1]} for row in rows]
    spliced = sum(len(source) == 2 for source in sources)
    assert 0.2 < spliced / len(rows) < 0.7
    assert any(len(s) == 1 and len(row) < 10 for s, row in zip(sources, rows, strict=True))


def test_it_depends_on_the_seed_alone() -> None:
    one, same, other = (augmented(ORIGINAL, {CLS, SEP}, 1, 10**6, seed) for seed in (1, 1, 2))
    assert rows_of(one) == rows_of(same)
    assert rows_of(one) != rows_of(other)


def test_copies_end_where_the_tokens_do() -> None:
    tokens = len(ORIGINAL.ids)
    whole = augmented(ORIGINAL, {CLS, SEP}, 1, 2 * tokens, seed=0)
    some = augmented(ORIGINAL, {CLS, SEP}, 1, tokens + 100, seed=0)
    assert tokens + 80 < len(some.ids) <= tokens + 100
    assert {tuple(row) for row in rows_of(some)} < {tuple(row) for row in rows_of(whole)}
    assert len(some.labels) == len(some) < len(whole)
    first = {tuple(row): label for row, label in zip(rows_of(whole), whole.labels, strict=True)}
    assert all(first[tuple(r)] == n for r, n in zip(rows_of(some), some.labels, strict=True))
    assert len(augmented(ORIGINAL, {CLS, SEP}, 3, 0, seed=0)) == len(ORIGINAL)


def test_a_pair_keeps_its_separator() -> None:
    pairs = texts(*[[11, 12, 13, 14, SEP, 21, 22, 23, 24]] * 20)
    for row in rows_of(augmented(pairs, {CLS, SEP}, 1, 10**6, seed=0)):
        assert row.count(SEP) == 2


def test_a_text_of_nothing_stays() -> None:
    assert rows_of(augmented(texts([]), {CLS, SEP}, 1, 10**6, seed=0)) == [[CLS, SEP]] * 2
