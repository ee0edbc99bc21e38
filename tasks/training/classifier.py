"""Loading a text encoder with a classification head, and its loss."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils import logging

from tasks.stage.errors import BadInput
from tasks.training.batches import Batch

logging.set_verbosity_error()  # type: ignore[no-untyped-call]
logging.disable_progress_bar()  # type: ignore[no-untyped-call]


def load_tokenizer(folder: Path, max_length: int | None = None) -> Any:
    """The model's own fast tokenizer, its `model_max_length` lowered to `max_length`.

    Raises BadInput when the folder has none that works.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise BadInput(f"{folder}: its tokenizer can't be loaded: {_first_line(error)}") from None
    if not tokenizer.is_fast:
        raise BadInput(f"{folder}: its tokenizer has no tokenizer.json form, which serving needs")
    if max_length is not None:
        tokenizer.model_max_length = min(max_length, tokenizer.model_max_length)
    return tokenizer


def load_pretrained(
    folder: Path, tokenizer: Any, labels: Sequence[str], attention: str,
    max_length: int, dropout: float | None,
) -> nn.Module:  # fmt: skip
    """A pre-trained encoder with a new head over `labels`, fp32.

    Raises BadInput when the folder's files don't make a model, when the tokenizer knows tokens the
    embedding has no row for, or when `max_length` is more than the model has positions.
    """
    names = dict(enumerate(labels))
    rates = {} if dropout is None else dict.fromkeys(_dropout_rates(folder), dropout)
    try:
        model = AutoModelForSequenceClassification.from_pretrained(
            folder, num_labels=len(labels), id2label=names, dtype=torch.float32,
            label2id={label: i for i, label in names.items()},
            attn_implementation=attention, ignore_mismatched_sizes=True, **rates,
        )  # fmt: skip
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise BadInput(f"{folder}: its model can't be loaded: {_first_line(error)}") from None
    config = model.config
    if len(tokenizer) > config.vocab_size:
        raise BadInput(
            f"{folder}: the tokenizer doesn't fit the model: it has {len(tokenizer)} tokens, "
            f"the embedding has {config.vocab_size} rows"
        )
    positions = getattr(config, "max_position_embeddings", None) or max_length
    if max_length > positions:
        raise BadInput(
            f"params.yaml: finetune.max_length: got {max_length}; {folder} has positions for "
            f"{positions} tokens"
        )
    found: nn.Module = model
    return found


def load_finetuned(folder: Path, attention: str) -> nn.Module:
    """A model that `finetune` or `prune` saved: a plain `save_pretrained` folder."""
    model: nn.Module = AutoModelForSequenceClassification.from_pretrained(
        folder, dtype=torch.float32, attn_implementation=attention
    )
    return model


def cross_entropy(model: nn.Module, batch: Batch, _rows: npt.NDArray[np.int64]) -> torch.Tensor:
    """The sum over a batch of each example's cross-entropy."""
    inputs = {name: tensor for name, tensor in batch.items() if name != "labels"}
    logits: torch.Tensor = model(**inputs).logits
    return nn.functional.cross_entropy(logits.float(), batch["labels"], reduction="sum")


def _dropout_rates(folder: Path) -> list[str]:
    """The configuration's own names for its dropout probabilities."""
    config = AutoConfig.from_pretrained(folder).to_dict()
    return [key for key, rate in config.items() if "drop" in key and isinstance(rate, float)]


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
