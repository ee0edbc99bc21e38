"""Dropout at a fraction of its usual cost on a CPU, where drawing its random numbers takes longer
than the layer before it."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import eager_mask

from tasks.training.plan import ATTENTION

STEPS = 256
"""A byte decides whether a number stays, so the rate is a whole number of 256ths: 0.1 is 26 / 256.
What stays is scaled by that very rate, so its mean is kept exactly."""


class _Dropped(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, numbers: torch.Tensor, share: int) -> torch.Tensor:
        count = numbers.numel()
        words = torch.empty(-(-count // 8), dtype=torch.int64, device=numbers.device)
        drawn = words.random_(-(2**63), None).view(torch.uint8)[:count].view(numbers.shape)
        scale = (drawn >= share).to(numbers.dtype).mul_(STEPS / (STEPS - share))
        ctx.save_for_backward(scale)
        return numbers * scale

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        (scale,) = ctx.saved_tensors
        return gradient * scale, None


def dropped(numbers: torch.Tensor, rate: float) -> torch.Tensor:
    """Set a share `rate` (0 to 1) of the numbers to zero and scale the others to keep the mean.

    Eight numbers share one 64-bit random word, from torch's own generator: as reproducible as
    `torch.nn.functional.dropout`, at a fifth of its time.
    """
    share = round(rate * STEPS)
    if not share:
        return numbers
    found: torch.Tensor = _Dropped.apply(numbers, share)  # type: ignore[no-untyped-call]
    return found


class Dropout(nn.Module):
    """In place of `torch.nn.Dropout`."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.p = rate

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        """A tensor of any shape -> the same, dropped while training."""
        return dropped(numbers, self.p) if self.training else numbers


def with_quick_dropout(model: nn.Module) -> nn.Module:
    """The model with every `torch.nn.Dropout` replaced, in place; its weights keep their names."""
    for module in [*model.modules()]:
        for name, child in module.named_children():
            if type(child) is nn.Dropout:
                setattr(module, name, Dropout(child.p))
    return model


def attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Plain attention as transformers calls it, with quick dropout.

    `query`, `key`, `value` [texts, heads, tokens, dimensions], the mask added to the scores ->
    [texts, tokens, heads, dimensions] and the weights [texts, heads, tokens, tokens].
    """
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = (each.repeat_interleave(groups, dim=1) for each in (key, value))
    scores = torch.matmul(query, key.transpose(2, 3)).float()
    scores = scores * (query.shape[-1] ** -0.5 if scaling is None else scaling)
    if attention_mask is not None:
        scores = scores + attention_mask[..., : key.shape[-2]]
    weights = scores.softmax(-1).to(query.dtype)
    if module.training and dropout > 0:
        weights = dropped(weights, dropout)
    return torch.matmul(weights, value).transpose(1, 2).contiguous(), weights


def register() -> None:
    """Make `attention` known to transformers under ATTENTION."""
    AttentionInterface.register(ATTENTION, attention)
    AttentionMaskInterface.register(ATTENTION, eager_mask)
