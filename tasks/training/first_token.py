"""The last layer computed for the one token that the head reads.

A classifier that reads the first token has no use for what its last layer makes of the others: they
are needed there as keys and values alone. Leaving the rest out changes no answer and no gradient,
and takes five sixths of a layer: of six layers a seventh of the work, of two nearly half, here and
in the ONNX graph that is made of the model.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import nn
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from tasks.training.attention import attention
from tasks.training.parts import layers_of
from tasks.training.pooling import pooling_of

Tensor = torch.Tensor


class _Bert:
    """BERT's attention with what is added to it, for the first token: states [b, t, d] -> [b, 1, d]
    and the weights [b, heads, 1, t]."""

    def forward(
        self, hidden_states: Tensor, attention_mask: Tensor | None = None, **_: Any
    ) -> tuple[Tensor, Tensor]:
        inner: Any = self.self  # type: ignore[attr-defined]
        first = hidden_states[:, :1]
        found, weights = _seen(
            inner, inner.query(first), inner.key(hidden_states), inner.value(hidden_states),
            attention_mask,
        )  # fmt: skip
        return self.output(found, first), weights  # type: ignore[attr-defined]


class _DistilBert:
    """DistilBERT's layer, for the first token: states [b, t, d] -> [b, 1, d]."""

    def forward(
        self, hidden_states: Tensor, attention_mask: Tensor | None = None, **_: Any
    ) -> Tensor:
        layer: Any = self
        inner, first = layer.attention, hidden_states[:, :1]
        found, _weights = _seen(
            inner, inner.q_lin(first), inner.k_lin(hidden_states), inner.v_lin(hidden_states),
            attention_mask,
        )  # fmt: skip
        attended = layer.sa_layer_norm(inner.out_lin(found) + first)
        answer: Tensor = layer.output_layer_norm(layer.ffn(attended) + attended)
        return answer


def _seen(
    inner: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Attention, as the model has it or plain, of projections [b, ·, d] -> [b, 1, d]; of a mask
    that has a row a token the first token's."""
    if mask is not None and mask.dim() == 4:
        mask = mask[:, :, :1]
        if mask.dtype == torch.bool:
            mask = torch.zeros_like(mask, dtype=query.dtype).masked_fill(~mask, -torch.inf)
    query, key, value = (
        each.view(*each.shape[:2], -1, inner.attention_head_size).transpose(1, 2)
        for each in (query, key, value)
    )
    rate = inner.dropout.p if inner.training else 0.0
    how = ALL_ATTENTION_FUNCTIONS.get(inner.config._attn_implementation, attention)
    found, weights = how(inner, query, key, value, mask, scaling=inner.scaling, dropout=rate)
    return found.flatten(2), weights


_KINDS = {
    "bert": ("attention", _Bert),
    "roberta": ("attention", _Bert),
    "xlm-roberta": ("attention", _Bert),
    "camembert": ("attention", _Bert),
    "electra": ("attention", _Bert),
    "distilbert": ("", _DistilBert),
}
"""By `config.model_type`: the part of a layer that answers otherwise, and how."""


def reading_first(model: nn.Module) -> nn.Module:
    """The model, in place, its last layer computed for the first token if that alone is read.

    One that reads the mean, or labels tokens, and one of another family stay as they are.
    """
    config: Any = model.config
    kind = str(config.model_type)
    classifies = type(model).__name__.endswith("ForSequenceClassification")
    if kind not in _KINDS or not classifies or pooling_of(config) != "cls":
        return model
    path, how = _KINDS[kind]
    part = layers_of(model)[-1].get_submodule(path)
    if not isinstance(part, how):
        part.__class__ = _made(how, type(part))
    return model


def reads_first(model: nn.Module) -> bool:
    """Whether a model's last layer is computed for the first token alone."""
    return any(isinstance(part, (_Bert, _DistilBert)) for part in layers_of(model)[-1].modules())


@cache
def _made(how: type, kind: type) -> type:
    return type(f"FirstTokenOf{kind.__name__}", (how, kind), {})
