"""Loading a text encoder with the head of a task, and what a model says of its task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
)
from transformers.modeling_layers import (
    GenericForSequenceClassification,
    GenericForTokenClassification,
)
from transformers.utils import logging

from tasks.stage.errors import BadInput
from tasks.task import Task, task_of
from tasks.task.classification import Classification
from tasks.training.attention import ATTENTION, quick
from tasks.training.early import read_exits
from tasks.training.first_token import reading_first
from tasks.training.pooling import KEY as POOLING
from tasks.training.pooling import pooled, pooling_of
from tasks.training.prefix import KEY as PREFIX
from tasks.training.prefix import read_prefix

logging.set_verbosity_error()  # type: ignore[no-untyped-call]
logging.disable_progress_bar()  # type: ignore[no-untyped-call]

PLAIN = {ATTENTION: "eager"}
"""What a model is loaded with before `quick` sets its attention."""
DECODERS = (GenericForSequenceClassification, GenericForTokenClassification)
"""How transformers puts a head on a model that reads from left to right."""


def load_tokenizer(folder: Path, max_length: int | None = None) -> Any:
    """The model's own fast tokenizer, its `model_max_length` lowered to `max_length`.

    It pads and cuts at the end; one without a padding token pads with its token for the end of a
    text, as decoders do. Raises BadInput when the folder has none that works.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise BadInput(f"{folder}: its tokenizer can't be loaded: {_first_line(error)}") from None
    if not tokenizer.is_fast:
        raise BadInput(f"{folder}: its tokenizer has no tokenizer.json form, which serving needs")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = tokenizer.truncation_side = "right"
    tokenizer.init_kwargs.pop("local_files_only", None)  # is saved, and would differ by machine
    if max_length is not None:
        tokenizer.model_max_length = min(max_length, tokenizer.model_max_length)
    return tokenizer


def load_pretrained(
    folder: Path, tokenizer: Any, task: Task, attention: str,
    max_length: int, dropout: float | None,
) -> nn.Module:  # fmt: skip
    """A pre-trained model with a new head for `task`, fp32; its configuration describes the task.

    Raises BadInput when the folder's files don't make a model, when the tokenizer knows tokens the
    embedding has no row for, when `max_length` is more than the model has positions, or when the
    model can't have such a head.
    """
    names = dict(enumerate(task.outputs))
    rates = {} if dropout is None else dict.fromkeys(_dropout_rates(folder), dropout)
    try:
        model: Any = _kind_for(task).from_pretrained(
            folder, num_labels=len(names), id2label=names, dtype=torch.float32,
            label2id={name: i for i, name in names.items()},
            attn_implementation=PLAIN.get(attention, attention), ignore_mismatched_sizes=True,
            **rates,
        )  # fmt: skip
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise BadInput(f"{folder}: its model can't be loaded: {_first_line(error)}") from None
    check_fits(folder, model, tokenizer, max_length)
    config = model.config
    for key in (POOLING, PREFIX):  # of an earlier training, whose way of reading ends here
        if hasattr(config, key):
            delattr(config, key)
    config.problem_type = task.problem
    config.nightshift = task.describe()
    if isinstance(model, DECODERS):
        _as_decoder(folder, config, tokenizer, task)
    elif config.pad_token_id is None:
        config.pad_token_id = tokenizer.pad_token_id
    found: nn.Module = model
    return quick(found) if attention == ATTENTION else found


def load_finetuned(folder: Path, attention: str) -> nn.Module:
    """A model that `finetune` or `prune` saved: a plain `save_pretrained` folder."""
    task = task_of_config(AutoConfig.from_pretrained(folder))
    model: nn.Module = _kind_for(task).from_pretrained(
        folder, dtype=torch.float32, attn_implementation=PLAIN.get(attention, attention)
    )
    model = reading_first(read_prefix(pooled(model, pooling_of(model.config)), folder))
    read_exits(model, folder)
    return quick(model) if attention == ATTENTION else model


def model_type_of(folder: Path) -> str:
    """The family of the model in a folder; raises BadInput when its files don't say."""
    try:
        return str(AutoConfig.from_pretrained(folder).model_type)
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(f"{folder}: its model can't be loaded: {_first_line(error)}") from None


def task_of_model(model: nn.Module) -> Task:
    """The task that a model was made for, as its configuration tells it."""
    return task_of_config(model.config)


def task_of_config(config: Any) -> Task:
    """The task in a configuration; without one, a classification into its labels."""
    described = getattr(config, "nightshift", None)
    if described is None:
        return Classification(tuple(config.id2label[i] for i in range(config.num_labels)))
    return task_of(described, "config.json: nightshift")


def stride_of_model(model: nn.Module) -> int:
    """Tokens that neighbouring windows of a long text share; 0 where it is not cut in windows."""
    return int(getattr(model.config, "nightshift_stride", 0))


def _kind_for(task: Task) -> Any:
    return AutoModelForTokenClassification if task.per_token else AutoModelForSequenceClassification


def check_fits(folder: Path, model: Any, tokenizer: Any, max_length: int) -> None:
    """Raises BadInput for a model without a row for each token, or a position for each place."""
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


def _as_decoder(folder: Path, config: Any, tokenizer: Any, task: Task) -> None:
    """A decoder answers at the last token that is no padding, and keeps keys for what it won't say.

    Raises BadInput when nothing tells that token, or when it is to speak of texts at their first.
    """
    if tokenizer.pad_token_id is None:
        raise BadInput(f"{folder}: its tokenizer has neither a padding token nor one for the end")
    if task.per_token and any(not each.per_token for each in task.members().values()):
        raise BadInput(
            f"{folder}: {config.model_type} models read from left to right, and beside a task that "
            "labels tokens the others are answered at the first one: take an encoder, or train "
            "the tasks apart"
        )
    config.pad_token_id = tokenizer.pad_token_id
    config.use_cache = False


def _dropout_rates(folder: Path) -> list[str]:
    """The configuration's own names for its dropout probabilities."""
    config = AutoConfig.from_pretrained(folder).to_dict()
    return [key for key, rate in config.items() if "drop" in key and isinstance(rate, float)]


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
