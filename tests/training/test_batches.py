from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tasks.training.batches import ALIKE, MIXED, Encoded, encode, epoch_batches
from tasks.training.classifier import load_tokenizer
from tests.training.made import TASK


def encoded(tiny_model: Path, texts: list[str]) -> Encoded:
    return encode(load_tokenizer(tiny_model, 64), texts, ["bad"] * len(texts), TASK, 16)


def test_every_row_comes_once_an_epoch() -> None:
    lengths = np.random.default_rng(0).integers(3, 60, 1003)
    batches = epoch_batches(lengths, 32, seed=1, epoch=0)
    assert sorted(np.concatenate(batches)) == list(range(1003))
    assert max(map(len, batches)) == 32


def test_an_epochs_order_is_a_function_of_seed_and_epoch() -> None:
    lengths = np.arange(100) % 17 + 3
    first, again = (epoch_batches(lengths, 8, 1, 0) for _ in range(2))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    other = epoch_batches(lengths, 8, 1, 1)
    assert any((a[:1] != b[:1]).any() for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize(("together", "most"), [(ALIKE, 1.06), (MIXED, 1.15)])
def test_texts_of_like_length_meet(together: int, most: float) -> None:
    lengths = np.random.default_rng(0).integers(3, 60, 3200)
    batches = epoch_batches(lengths, 32, seed=1, epoch=0, together=together)
    padded = sum(lengths[rows].max() * len(rows) for rows in batches)
    shuffled = np.random.default_rng(0).permutation(3200).reshape(100, 32)
    unsorted = sum(lengths[rows].max() * len(rows) for rows in shuffled)
    assert padded / lengths.sum() < most < 1.5 < unsorted / lengths.sum()


def test_a_batch_is_padded_to_its_longest(tiny_model: Path) -> None:
    found = encoded(tiny_model, ["the film is dull", "a superb plot from the first minute", "dull"])
    batch = found.collate(np.array([2, 0]))
    lengths = found.lengths[[2, 0]]
    assert batch["input_ids"].shape == (2, lengths.max())
    assert batch["attention_mask"].sum(1).tolist() == lengths.tolist()
    assert (batch["input_ids"][batch["attention_mask"] == 0] == found.pad).all()


def test_a_long_text_is_cut(tiny_model: Path) -> None:
    assert encoded(tiny_model, ["dull " * 500]).lengths.tolist() == [16]


def test_a_sample_holds_the_same_texts(tiny_model: Path) -> None:
    texts = [f"the film is {word}" for word in ("dull", "superb", "funny", "awful")]
    whole = encoded(tiny_model, texts)
    part = whole.sample(2)
    rows = {tuple(whole.ids[a:b]) for a, b in zip(whole.offsets, whole.offsets[1:], strict=False)}
    assert len(part) == 2
    assert {
        tuple(part.ids[a:b]) for a, b in zip(part.offsets, part.offsets[1:], strict=False)
    } <= rows


def test_pairs_have_two_types(tiny_model: Path) -> None:
    tokenizer = load_tokenizer(tiny_model, 64)
    found = encode(tokenizer, [("the film", "is dull")], ["bad"], TASK, 16)
    types = found.collate(np.array([0]))["token_type_ids"]
    assert set(types.flatten().tolist()) == {0, 1}
