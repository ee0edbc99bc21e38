"""Texts as token ids, and batches of texts of like length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from tasks.data.dataset import Text

BATCHES_SORTED_TOGETHER = 50
"""Sorting this many batches' worth of a shuffled epoch by length leaves 2 % padding on short
texts, and keeps which texts meet in a batch random."""

Batch = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Encoded:
    """Tokenised texts end to end: text i is `ids[offsets[i]:offsets[i + 1]]` (int32)."""

    ids: npt.NDArray[np.int32]
    types: npt.NDArray[np.int8] | None
    offsets: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    pad: int

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of each text, int64 [texts]."""
        return np.diff(self.offsets)

    def collate(self, rows: npt.NDArray[np.int64]) -> Batch:
        """The model's inputs and `labels` for some rows, padded to their longest: int64 [b, t]."""
        lengths = self.offsets[rows + 1] - self.offsets[rows]
        inside = np.arange(lengths.max()) < lengths[:, None]
        taken = np.concatenate([np.arange(self.offsets[r], self.offsets[r + 1]) for r in rows])
        ids = np.full(inside.shape, self.pad, dtype=np.int64)
        ids[inside] = self.ids[taken]
        batch = {"input_ids": ids, "attention_mask": inside.astype(np.int64)}
        if self.types is not None:
            types = np.zeros(inside.shape, dtype=np.int64)
            types[inside] = self.types[taken]
            batch["token_type_ids"] = types
        batch["labels"] = self.labels[rows]
        return {name: torch.from_numpy(array) for name, array in batch.items()}

    def taking(self, rows: Sequence[npt.NDArray[np.int64]]) -> Encoded:
        """Text i made of the tokens at `rows[i]` of the whole array, labels as they are."""
        taken = np.concatenate(rows)
        return Encoded(
            ids=self.ids[taken],
            types=None if self.types is None else self.types[taken],
            offsets=np.cumsum([0, *map(len, rows)]),
            labels=self.labels,
            pad=self.pad,
        )

    def sample(self, count: int, seed: int = 0) -> Encoded:
        """`count` texts drawn without replacement (all of them, if there are no more)."""
        if count >= len(self):
            return self
        rows = np.sort(np.random.default_rng(seed).permutation(len(self))[:count])
        places = [np.arange(self.offsets[row], self.offsets[row + 1]) for row in rows]
        return replace(self, labels=self.labels[rows]).taking(places)


def join(parts: Sequence[Encoded]) -> Encoded:
    """All texts of some `Encoded` of one tokenizer, one after the other."""
    types = [part.types for part in parts if part.types is not None]
    return Encoded(
        ids=np.concatenate([part.ids for part in parts]),
        types=np.concatenate(types) if types else None,
        offsets=np.cumsum([0, *np.concatenate([part.lengths for part in parts])]),
        labels=np.concatenate([part.labels for part in parts]),
        pad=parts[0].pad,
    )


def encode(
    tokenizer: Any, texts: Sequence[Text], labels: Sequence[int], max_length: int
) -> Encoded:
    """Tokenise with a `transformers` tokenizer, cutting at `max_length` tokens."""
    first = [text if isinstance(text, str) else text[0] for text in texts]
    second = [text[1] for text in texts if not isinstance(text, str)]
    found = tokenizer(
        first,
        second or None,
        truncation=True,
        max_length=max_length,
        return_attention_mask=False,
        verbose=False,
    )
    lengths = [len(ids) for ids in found["input_ids"]]
    types = found.get("token_type_ids")
    return Encoded(
        ids=np.fromiter((i for ids in found["input_ids"] for i in ids), np.int32, sum(lengths)),
        types=np.concatenate([np.asarray(t, np.int8) for t in types]) if types else None,
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        labels=np.asarray(labels, np.int64),
        pad=tokenizer.pad_token_id or 0,
    )


def epoch_batches(
    lengths: npt.NDArray[np.int64], size: int, seed: int, epoch: int
) -> list[npt.NDArray[np.int64]]:
    """The rows of each batch of one pass, in order: a function of its arguments alone.

    Every row comes once; the batches hold texts of like length; the last one may be smaller.
    """
    random = np.random.default_rng((seed, epoch))
    order = random.permutation(len(lengths))
    pool = size * BATCHES_SORTED_TOGETHER
    batches: list[npt.NDArray[np.int64]] = []
    for start in range(0, len(order), pool):
        rows = order[start : start + pool]
        rows = rows[np.argsort(lengths[rows], kind="stable")]
        batches.extend(rows[i : i + size] for i in range(0, len(rows), size))
    return [batches[i] for i in random.permutation(len(batches))]
