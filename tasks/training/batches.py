"""Texts as token ids, and batches of texts of like length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from tasks.data.dataset import Text
from tasks.task import Task
from tasks.task.answers import IGNORED, Pieces
from tasks.task.pieces import windows

MIXED, ALIKE = 8, 50
"""How many batches' worth of a shuffled epoch are sorted by length together. Of 50, which leave 3 %
padding on short texts, a batch's lengths are all alike, and differ from one batch to the next; of
8, which leave 14 %, less so, and true labels are learnt better. What a teacher or the text itself
has answered bears the first."""
TEXTS_AT_ONCE = 1_000
"""How many texts' places of tokens are in memory together."""

Batch = dict[str, torch.Tensor]
Rows = npt.NDArray[np.int64]
Number = TypeVar("Number", bound=np.generic)


@dataclass(frozen=True)
class Encoded:
    """Tokenised texts end to end: row i is `ids[offsets[i]:offsets[i + 1]]` (int32).

    A row is a text, or one of the windows of a long one. `labels` are the task's targets, an array
    whose first axis is rows, or tokens where the task labels those (`per_token`).
    """

    ids: npt.NDArray[np.int32]
    types: npt.NDArray[np.int8] | None
    offsets: npt.NDArray[np.int64]
    labels: npt.NDArray[Any]
    pad: int
    per_token: bool = False
    source: Rows | None = None
    """The text that each row is a window of, int64 [rows]; None: each is a text of its own."""

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of each row, int64 [rows]."""
        return np.diff(self.offsets)

    @property
    def texts(self) -> Rows:
        """The number of the text that each row is of."""
        return np.arange(len(self)) if self.source is None else self.source

    @property
    def bounds(self) -> Rows:
        """Where the tokens of each text begin, and where those of the last one end: its windows,
        neighbours here, taken together."""
        begins = np.flatnonzero(np.diff(self.texts, prepend=-1))
        return np.append(self.offsets[begins], self.offsets[-1])

    def places(self, rows: Rows) -> Rows:
        """Where the tokens of some rows are, end to end."""
        ranges = [np.arange(self.offsets[r], self.offsets[r + 1]) for r in rows]
        return np.concatenate(ranges) if ranges else np.zeros(0, np.int64)

    def inside(self, rows: Rows) -> npt.NDArray[np.bool_]:
        """Which places of a batch of some rows hold tokens, [b, t]; the others are padding."""
        lengths = self.offsets[rows + 1] - self.offsets[rows]
        found: npt.NDArray[np.bool_] = np.arange(lengths.max()) < lengths[:, None]
        return found

    def padded(
        self, values: npt.NDArray[Number], rows: Rows, fill: float = 0
    ) -> npt.NDArray[Number]:
        """Those of some rows, of values that lie as the tokens do: [tokens, …] -> [b, t, …]."""
        inside = self.inside(rows)
        found = np.full((*inside.shape, *values.shape[1:]), fill, values.dtype)
        found[inside] = values[self.places(rows)]
        return found

    def of_rows(
        self, values: npt.NDArray[Number], rows: Rows, fill: float = 0
    ) -> npt.NDArray[Number]:
        """Those of some rows, of values that lie as `labels` do: [b, …], or padded [b, t, …]."""
        return self.padded(values, rows, fill) if self.per_token else values[rows]

    def collate(self, rows: Rows) -> Batch:
        """The model's inputs and `labels` for some rows, padded to their longest: int64 [b, t]."""
        batch = {
            "input_ids": self.padded(self.ids, rows, self.pad).astype(np.int64),
            "attention_mask": self.inside(rows).astype(np.int64),
        }
        if self.types is not None:
            batch["token_type_ids"] = self.padded(self.types, rows).astype(np.int64)
        batch["labels"] = self.of_rows(self.labels, rows, IGNORED)
        return {name: torch.from_numpy(array) for name, array in batch.items()}

    def taking(self, places: Sequence[Rows], rows: Rows) -> Encoded:
        """Row i made of the tokens at `places[i]` of the whole array, and otherwise as `rows[i]`.

        What is a token's own goes where the token goes; what is a row's stays.
        """
        taken = np.concatenate([np.zeros(0, np.int64), *places])
        return Encoded(
            ids=self.ids[taken],
            types=None if self.types is None else self.types[taken],
            offsets=np.cumsum([0, *map(len, places)]),
            labels=self.labels[taken if self.per_token else rows],
            pad=self.pad,
            per_token=self.per_token,
            source=None if self.source is None else self.source[rows],
        )

    def only(self, rows: Rows) -> Encoded:
        """These rows, in this order, as they are."""
        return self.taking([self.places(rows[at : at + 1]) for at in range(len(rows))], rows)

    def sample(self, count: int, seed: int = 0) -> Encoded:
        """`count` rows drawn without replacement (all of them, if there are no more)."""
        if count >= len(self):
            return self
        return self.only(np.sort(np.random.default_rng(seed).permutation(len(self))[:count]))


def join(parts: Sequence[Encoded]) -> Encoded:
    """All rows of some `Encoded` of one tokenizer, one after the other."""
    types = [part.types for part in parts if part.types is not None]
    sources = [part.source for part in parts if part.source is not None]
    return Encoded(
        ids=np.concatenate([part.ids for part in parts]),
        types=np.concatenate(types) if types else None,
        offsets=np.cumsum([0, *np.concatenate([part.lengths for part in parts])]),
        labels=np.concatenate([part.labels for part in parts]),
        pad=parts[0].pad,
        per_token=parts[0].per_token,
        source=np.concatenate(sources) if sources else None,
    )


def encode(
    tokenizer: Any, texts: Sequence[Text], truth: Sequence[str] | None, task: Task,
    max_length: int, stride: int = 0,
) -> Encoded:  # fmt: skip
    """Tokenise with a `transformers` tokenizer, and put the truths into the task's numbers.

    A text of more than `max_length` tokens is cut. Of a task that labels tokens it becomes several
    rows, windows that share `stride` tokens with the next one, in each of which every word that is
    its own has a target. `truth` is what `Task.truths` gives; without it every target is 0.
    """
    if task.per_token:
        return _encode_windows(tokenizer, texts, truth, task, max_length, stride)
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
    labels = np.zeros(len(texts), np.int64) if truth is None else task.targets(truth)
    return _laid_out(found, np.asarray(labels), tokenizer.pad_token_id or 0)


def _encode_windows(
    tokenizer: Any, texts: Sequence[Text], truth: Sequence[str] | None, task: Task,
    max_length: int, stride: int,
) -> Encoded:  # fmt: skip
    """Some texts at a time, since the places of all tokens would take more memory than the ids."""
    whole = [True] * len(texts) if truth is None else task.in_windows(truth)
    pad = tokenizer.pad_token_id or 0
    labels = np.zeros(0, np.int64) if truth is None else np.asarray(task.targets([], []))
    parts = [_laid_out({"input_ids": []}, labels, pad, np.zeros(0, np.int64))]
    for start in range(0, len(texts), TEXTS_AT_ONCE):
        some = [str(text) for text in texts[start : start + TEXTS_AT_ONCE]]
        found = tokenizer(
            some, truncation=True, max_length=max_length, stride=stride, verbose=False,
            return_overflowing_tokens=True, return_attention_mask=False,
        )  # fmt: skip
        source = np.asarray(found["overflow_to_sample_mapping"], np.int64)
        pieces = _pieces(some, found.encodings, source, stride)
        begins = np.diff(source, prepend=-1) > 0
        kept = [row for row, of in enumerate(source) if begins[row] or whole[start + of]]
        source, pieces = source[kept] + start, [pieces[row] for row in kept]
        labels = np.zeros(sum(len(each.first) for each in pieces), np.int64)
        if truth is not None:
            labels = np.asarray(task.targets([truth[of] for of in source], pieces))
        inputs = {name: [found[name][row] for row in kept] for name in found if name in _INPUTS}
        parts.append(_laid_out(inputs, labels, pad, source))
    return join(parts[1:] or parts)


_INPUTS = ("input_ids", "token_type_ids")


def _pieces(texts: list[str], encodings: Sequence[Any], source: Rows, stride: int) -> list[Pieces]:
    begins = np.flatnonzero(np.diff(source, prepend=-1)).tolist()
    return [
        each
        for text, (start, end) in zip(texts, pairwise([*begins, len(source)]), strict=True)
        for each in windows(text, encodings[start:end], stride)
    ]


def _laid_out(
    found: Any, labels: npt.NDArray[Any], pad: int, source: Rows | None = None
) -> Encoded:
    lengths = [len(ids) for ids in found["input_ids"]]
    types = found.get("token_type_ids")
    return Encoded(
        ids=np.fromiter((i for ids in found["input_ids"] for i in ids), np.int32, sum(lengths)),
        types=np.concatenate([np.asarray(t, np.int8) for t in types]) if types else None,
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        labels=labels,
        pad=pad,
        per_token=source is not None,
        source=source,
    )


def epoch_batches(
    lengths: npt.NDArray[np.int64], size: int, seed: int, epoch: int, drawn: Rows | None = None,
    together: int = MIXED,
) -> list[npt.NDArray[np.int64]]:  # fmt: skip
    """The rows of each batch of one pass, in order: a function of its arguments alone.

    Every row comes once, or those of `drawn`, as many as there are, as often as they stand there.
    The batches hold texts of like length, so many of them being sorted `together`; the last one
    may be smaller.
    """
    assert drawn is None or len(drawn) == len(lengths), "an epoch keeps its number of rows"
    random = np.random.default_rng((seed, epoch))
    order = random.permutation(len(lengths))
    if drawn is not None:
        order = drawn[order]
    pool = size * together
    batches: list[npt.NDArray[np.int64]] = []
    for start in range(0, len(order), pool):
        rows = order[start : start + pool]
        rows = rows[np.argsort(lengths[rows], kind="stable")]
        batches.extend(rows[i : i + size] for i in range(0, len(rows), size))
    return [batches[i] for i in random.permutation(len(batches))]
