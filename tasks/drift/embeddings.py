"""What the pre-trained encoder makes of texts: one vector each, for whoever compares texts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.data.dataset import Text
from tasks.sources.pretrained import WEIGHTS, fetch_model
from tasks.stage.errors import BadInput
from tasks.stage.outputs import read_json

Vectors = npt.NDArray[np.float32]

BASE = Path("models/base.json")
METHOD = 1
"""Grows when the same model and text come to give another vector."""
TOKENS = 64
"""Read of a text: its beginning tells its language, domain and tone."""
TOKENS_AT_ONCE = 2_048
LARGEST_BYTES = 2_000_000_000
"""Of weights: a larger model takes minutes on a CPU, only to look at the data."""


def embed(texts: Sequence[Text], base: Path = BASE) -> Vectors:
    """Mean-pooled last hidden states of the pinned base model, float32 [texts, dimensions].

    Computed on the CPU, in bfloat16 where it has that: equal inputs give equal figures on equal
    machines, elsewhere they differ in the third digit. Raises BadInput saying why the model can't
    do it, Unavailable when its files can't be had.
    """
    pinned = read_pin(base)
    _check_size(pinned)
    tokenizer, model = _load(fetch_model(pinned))
    encodings = _encode(tokenizer, texts)
    found: list[tuple[list[int], Vectors]] = [
        (rows, _pooled(model, tokenizer, [encodings[row] for row in rows]))
        for rows in _batches([len(each["input_ids"]) for each in encodings])
    ]
    vectors = np.empty((len(texts), found[0][1].shape[1] if found else 0), np.float32)
    for rows, pooled in found:
        vectors[rows] = pooled
    if not np.isfinite(vectors).all():
        raise BadInput(f"{pinned['model']}: some of its hidden states are not finite")
    return vectors


def encoder_id(base: Path = BASE) -> str:
    """What vectors depend on: vectors of equal ids can be compared."""
    content = json.dumps([METHOD, TOKENS, read_pin(base)["files"]], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def read_pin(base: Path) -> dict[str, Any]:
    """The pinned base model; raises BadInput when there is none."""
    if not base.is_file():
        raise BadInput(f"{base} is not there: run snapshot first")
    found: dict[str, Any] = read_json(base)
    return found


def _check_size(pinned: Mapping[str, Any]) -> None:
    weights = sum(file["size"] for file in pinned["files"] if file["path"].endswith(WEIGHTS))
    if weights > LARGEST_BYTES:
        raise BadInput(
            f"{pinned['model']} has {weights / 1e9:.1f} GB of weights, too many to look at data "
            f"with on a CPU (at most {LARGEST_BYTES / 1e9:.0f})"
        )


@lru_cache(maxsize=1)
def _load(folder: Path) -> tuple[Any, Any]:
    """The tokenizer, and the model or its encoder half."""
    import torch
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    from tasks.training.products import cpu_precision

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        model: Any = AutoModel.from_pretrained(
            folder, dtype=torch.bfloat16 if cpu_precision() == "bf16" else torch.float32
        )
    except Exception as error:  # a model's own code raises whatever it likes
        why = str(error).strip().partition("\n")[0] or type(error).__name__
        raise BadInput(f"the base model can't be loaded to look at texts with: {why}") from None
    encoder = model.get_encoder() if model.config.is_encoder_decoder else model
    return tokenizer, encoder.eval()


def _encode(tokenizer: Any, texts: Sequence[Text]) -> list[dict[str, list[int]]]:
    if not texts:
        return []
    first = [text if isinstance(text, str) else text[0] for text in texts]
    second = [text[1] for text in texts if not isinstance(text, str)]
    found = tokenizer(
        first, second or None, truncation=True, max_length=TOKENS, return_attention_mask=False
    )
    return [dict(zip(found, each, strict=True)) for each in zip(*found.values(), strict=True)]


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Rows of like length, at most TOKENS_AT_ONCE tokens together, padding included."""
    rows: list[int] = []
    for row in sorted(range(len(lengths)), key=lambda row: (-lengths[row], row)):
        if rows and lengths[rows[0]] * (len(rows) + 1) > TOKENS_AT_ONCE:
            yield rows
            rows = []
        rows.append(row)
    if rows:
        yield rows


def _pooled(model: Any, tokenizer: Any, encodings: list[dict[str, list[int]]]) -> Vectors:
    import torch

    lengths = [len(each["input_ids"]) for each in encodings]
    longest = max(1, *lengths)
    pads = {"input_ids": tokenizer.pad_token_id or 0}
    inputs = {
        name: torch.tensor(
            [each[name] + [pads.get(name, 0)] * (longest - len(each[name])) for each in encodings]
        )
        for name in encodings[0]
    }
    mask = (torch.arange(longest) < torch.tensor(lengths)[:, None]).long()
    with torch.inference_mode():
        hidden = model(**inputs, attention_mask=mask).last_hidden_state
        weights = mask[:, :, None].to(torch.float32)
        summed = (hidden.float() * weights).sum(dim=1)
        pooled = summed / weights.sum(dim=1).clamp(min=1)
    return np.asarray(pooled.numpy(), np.float32)
