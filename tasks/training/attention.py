"""Plain attention, and dropout at a fraction of its usual cost on a CPU.

There, drawing a random number for each number that may be dropped takes longer than the layer
before it, and the backward pass of torch's fused attention is slower than plain products are at the
lengths that texts have.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

ATTENTION = "nightshift"
"""What transformers calls the attention below."""
STEPS = 256
"""A byte decides whether a number stays, so the rate is a whole number of 256ths: 0.1 is 26 / 256.
What stays is scaled by that very rate, so its mean is kept exactly."""

Tensor = torch.Tensor


class _Dropped(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, numbers: Tensor, share: int) -> Tensor:
        count = numbers.numel()
        words = torch.empty(-(-count // 8), dtype=torch.int64, device=numbers.device)
        drawn = words.random_(-(2**63), None).view(torch.uint8)[:count].view(numbers.shape)
        scale = (drawn >= share).to(numbers.dtype).mul_(STEPS / (STEPS - share))
        ctx.save_for_backward(scale)
        return numbers * scale

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (scale,) = ctx.saved_tensors
        return gradient * scale, None


def dropped(numbers: Tensor, rate: float) -> Tensor:
    """Set a share `rate` (0 to 1) of the numbers to zero and scale the others to keep the mean.

    Eight numbers share one 64-bit random word, from torch's own generator: as reproducible as
    `torch.nn.functional.dropout`, at a fifth of its time.
    """
    share = round(rate * STEPS)
    if not share:
        return numbers
    if share == STEPS:
        return numbers * 0
    found: Tensor = _Dropped.apply(numbers, share)  # type: ignore[no-untyped-call]
    return found


class Dropout(nn.Dropout):
    """That of torch, at a fifth of its time."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - as torch names it
        """A tensor of any shape -> the same, dropped while training."""
        return dropped(input, self.p) if self.training else input


def attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[Tensor, Tensor]:
    """Plain attention as transformers calls it, over the module's prefix and the text.

    `query`, `key`, `value` [b, heads, t, d], a mask that is added to the scores ->
    [b, t, heads, d] and the weights [b, heads, t, prefix + t].
    """
    prefix: Any = getattr(module, "prefix", None)
    if prefix is not None:
        key, value = prefix.before(key, value)
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = (each.repeat_interleave(groups, dim=1) for each in (key, value))
    scores = torch.matmul(query, key.transpose(2, 3))
    scores = scores * (query.shape[-1] ** -0.5 if scaling is None else scaling)
    if attention_mask is not None:
        unseen = key.shape[2] - attention_mask.shape[-1]
        scores = scores + nn.functional.pad(attention_mask, (unseen, 0))
    weights = scores.softmax(-1).to(value.dtype)
    if module.training:
        weights = dropped(weights, dropout)
    return torch.matmul(weights, value).transpose(1, 2).contiguous(), weights


def attend(
    model: Any,
    how: Callable[..., tuple[Tensor, Tensor | None]] = attention,
    mask: Callable[..., Tensor | None] | None = None,
    name: str = ATTENTION,
) -> None:
    """Have the model's layers attend by this function; its family must let that be set.

    `mask` makes what the function gets as its mask, as transformers asks for it; None: of what is
    added to the scores.
    """
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import eager_mask

    AttentionInterface.register(name, how)
    AttentionMaskInterface.register(name, mask or eager_mask)
    model.set_attn_implementation(name)


def quick(model: Any) -> nn.Module:
    """The model, in place, with this dropout everywhere, and this attention if its family lets
    that be set; its weights keep their names."""
    if model._supports_attention_backend:
        attend(model)
    for module in [*model.modules()]:
        for name, child in module.named_children():
            if type(child) is nn.Dropout:
                setattr(module, name, Dropout(child.p))
    return model  # type: ignore[no-any-return]
