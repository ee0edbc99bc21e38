"""Masked language modelling (Devlin et al. 2019): some tokens are hidden, to be guessed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from transformers import AutoModelForMaskedLM
from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

from tasks.data.dataset import Text
from tasks.stage.errors import BadInput
from tasks.task.answers import IGNORED
from tasks.training.attention import ATTENTION, quick
from tasks.training.batches import TEXTS_AT_ONCE, Batch, Encoded, Rows
from tasks.training.classifier import PLAIN, check_fits, model_type_of

MASKED, REPLACED = 0.8, 0.1
"""Of the tokens to be guessed so many are masked, so many are another one; the others stay."""

Ids = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Masked(Encoded):
    """Texts with some tokens hidden; `labels` of a batch are the tokens to be guessed there.

    Which ones depends on the seed, the epoch and the row alone, whoever has the row in its batch.
    """

    share: float = 0.15
    mask: int = 0
    special: Ids = field(default_factory=lambda: np.zeros(0, np.int32))
    """Tokens that are never to be guessed; none of them stands in for another one."""
    vocabulary: int = 0
    seed: int = 0
    epoch: int = 0

    def collate(self, rows: Rows) -> Batch:
        """As of `Encoded`; each text has one token to be guessed at least."""
        hidden, truth = zip(*(self._hide(int(row)) for row in rows), strict=True)
        inside = self.inside(rows)
        batch: dict[str, npt.NDArray[Any]] = {"attention_mask": inside.astype(np.int64)}
        for name, values, fill in (("input_ids", hidden, self.pad), ("labels", truth, IGNORED)):
            batch[name] = np.full(inside.shape, fill, np.int64)
            batch[name][inside] = np.concatenate(values)
        if self.types is not None:
            batch["token_type_ids"] = self.padded(self.types, rows).astype(np.int64)
        return {name: torch.from_numpy(array) for name, array in batch.items()}

    def _hide(self, row: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """A row's tokens with some hidden, and what these are, IGNORED for the others."""
        random = np.random.default_rng((self.seed, self.epoch, row))
        ids = self.ids[self.offsets[row] : self.offsets[row + 1]].astype(np.int64)
        plain = np.flatnonzero(~np.isin(ids, self.special))
        count = max(1, round(self.share * len(plain)))
        chosen = random.permutation(plain)[:count]
        truth = np.full(len(ids), IGNORED)
        truth[chosen] = ids[chosen]
        fate = random.random(count)
        others = random.integers(0, self.vocabulary, count)
        others = np.where(np.isin(others, self.special), self.mask, others)
        ids[chosen] = np.where(
            fate < MASKED, self.mask, np.where(fate < MASKED + REPLACED, others, ids[chosen])
        )
        return ids, truth


def to_guess(
    tokenizer: Any, texts: Sequence[str], max_length: int, share: float, seed: int,
    max_tokens: int | None = None,
) -> Masked:  # fmt: skip
    """Tokenise texts for guessing: long ones are cut in windows, those without a token left out.

    Of more than `max_tokens` tokens, windows drawn by lot are taken. Raises BadInput for a
    tokenizer that has no token to mask with, and when there are no texts.
    """
    if tokenizer.mask_token_id is None:
        raise BadInput(
            "params.yaml: finetune.adapt: the model's tokenizer has no token to mask words with; "
            "takes null"
        )
    special = np.array(sorted(tokenizer.all_special_ids), np.int32)
    rows: list[Ids] = []
    for start in range(0, len(texts), TEXTS_AT_ONCE):
        found = tokenizer(
            list(texts[start : start + TEXTS_AT_ONCE]), truncation=True, max_length=max_length,
            return_overflowing_tokens=True, return_attention_mask=False, verbose=False,
        )  # fmt: skip
        rows += [np.array(ids, np.int32) for ids in found["input_ids"]]
    rows = [ids for ids in rows if not np.isin(ids, special).all()]
    if max_tokens is not None:
        order = np.random.default_rng(seed).permutation(len(rows))
        fitting = np.cumsum([len(rows[at]) for at in order]) <= max_tokens
        rows = [rows[at] for at in np.sort(order[fitting])]
    if not rows:
        raise BadInput("params.yaml: finetune.adapt: there are no texts to read; takes null")
    lengths = np.array([len(ids) for ids in rows], np.int64)
    typed = "token_type_ids" in tokenizer.model_input_names
    ids = np.concatenate(rows)
    return Masked(
        ids, np.zeros(len(ids), np.int8) if typed else None, np.cumsum([0, *lengths]),
        np.zeros(len(ids), np.int64), tokenizer.pad_token_id or 0, per_token=True, share=share,
        mask=tokenizer.mask_token_id, special=special, vocabulary=len(tokenizer), seed=seed,
    )  # fmt: skip


def load_guesser(
    folder: Path, tokenizer: Any, attention: str, max_length: int, seed: int
) -> nn.Module:
    """The model with a head that guesses words: its own, or a new one on its word embeddings, fp32.

    Raises BadInput for a family that has none, as decoders, which read from left to right, and
    where the files don't make a model, or not one that fits the tokenizer and `max_length`.
    """
    kind = model_type_of(folder)
    if kind not in MODEL_FOR_MASKED_LM_MAPPING_NAMES:
        raise BadInput(
            f"params.yaml: finetune.adapt: {kind} models don't guess masked words; takes null"
        )
    torch.manual_seed(seed)
    try:
        model: nn.Module = AutoModelForMaskedLM.from_pretrained(
            folder, dtype=torch.float32, attn_implementation=PLAIN.get(attention, attention)
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        line = str(error).strip().partition("\n")[0]
        raise BadInput(f"{folder}: its model can't be loaded: {line}") from None
    check_fits(folder, model, tokenizer, max_length)
    return quick(model) if attention == ATTENTION else model


class Guess:
    """The objective: the sum over a batch of each text's mean loss at its hidden tokens.

    Only they go through the head, whose matrix is the largest of a small encoder.
    """

    def __init__(self, model: Any) -> None:
        self._wanted = torch.zeros(0, dtype=torch.bool)
        model.base_model.register_forward_hook(self._select)

    def __call__(self, model: nn.Module, batch: Batch, _rows: Rows) -> torch.Tensor:
        labels = batch["labels"]
        self._wanted = labels != IGNORED
        inputs = {name: tensor for name, tensor in batch.items() if name != "labels"}
        logits = model(**inputs).logits[0].float()
        losses = nn.functional.cross_entropy(logits, labels[self._wanted], reduction="none")
        counts = self._wanted.sum(1)
        return (losses / counts.repeat_interleave(counts)).sum()

    def _select(self, _module: nn.Module, _inputs: Any, output: Any) -> Any:
        output.last_hidden_state = output.last_hidden_state[self._wanted][None]
        return output


def texts_of(pairs: Iterable[Text]) -> list[str]:
    """Single texts of examples: both of a pair."""
    return [text for pair in pairs for text in ([pair] if isinstance(pair, str) else pair)]
