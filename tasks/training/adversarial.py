"""Adversarial training: what the token embedding gives is shifted to where the loss is highest.

The fast gradient method (Miyato et al. 2017, "Adversarial Training Methods for Semi-Supervised
Text Classification") shifts once, by the normalised gradient of each text; projected gradient
descent (Madry et al. 2018, "Towards Deep Learning Models Resistant to Adversarial Attacks") takes
several smaller steps and stays within the radius.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

STRIDE = 2.5
"""Times radius / steps is one step of projected gradient descent, after Madry et al.: long enough
to reach the border from anywhere inside, and to walk along it."""
TINY = torch.finfo(torch.float32).tiny


@dataclass(frozen=True)
class Adversary:
    """How far, and in how many steps, the embeddings are shifted against the model."""

    radius: float
    """The Euclidean length of a text's shift, over all its tokens and dimensions, as a share of
    that of its embeddings."""
    steps: int = 1

    def reach(self, embedded: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
        """How long the shift of each text may be, [texts, 1, 1], by what its embeddings are.

        A token counts that the loss depends on, which it does not on padding.
        """
        counts = (gradient != 0).any(-1, keepdim=True)
        return self.radius * _norms(embedded.detach().float() * counts)

    def shift(
        self, gradient: torch.Tensor, delta: torch.Tensor, reach: torch.Tensor
    ) -> torch.Tensor:
        """The next shift: a step up the gradient, back within `reach`. [texts, tokens, dims].

        A gradient that is not finite gives a shift that is not, and the step is skipped.
        """
        length = reach if self.steps == 1 else STRIDE * reach / self.steps
        moved = delta.detach() + length * _unit(gradient.float())
        return moved * (reach / _norms(moved).clamp(min=TINY)).clamp(max=1)


class Shift:
    """What is added to the output of an embedding for one pass; its gradient is the output's."""

    def __init__(self, delta: torch.Tensor | None = None) -> None:
        self.delta = None if delta is None else delta.requires_grad_()
        self.embedded = torch.empty(0)
        """What the embedding gave, [texts, tokens, dims]."""

    def __call__(self, _module: nn.Module, _inputs: Any, output: torch.Tensor) -> torch.Tensor:
        self.embedded = output.detach()
        if self.delta is None:
            self.delta = torch.zeros_like(output, dtype=torch.float32, requires_grad=True)
        return output + self.delta.to(output.dtype)


@contextmanager
def shifted(embedding: nn.Module, delta: torch.Tensor | None = None) -> Iterator[Shift]:
    """Shift what `embedding` gives by `delta` (None: by nothing, to learn the gradient)."""
    shift = Shift(delta)
    handle = embedding.register_forward_hook(shift)
    try:
        yield shift
    finally:
        handle.remove()


def attacked(
    adversary: Adversary,
    embedding: nn.Module,
    embedded: torch.Tensor,
    first: torch.Tensor,
    loss: Callable[[], torch.Tensor],
) -> torch.Tensor:
    """The shift that raises the loss most, from the gradient `first` at no shift.

    `embedded` is what the embedding gave there; `loss` makes a pass and returns its loss; no
    gradient of a weight is touched.
    """
    reach = adversary.reach(embedded, first)
    delta = adversary.shift(first, torch.zeros_like(first, dtype=torch.float32), reach)
    for _ in range(adversary.steps - 1):
        with shifted(embedding, delta) as shift:
            total = loss()
        assert shift.delta is not None
        (gradient,) = torch.autograd.grad(total, shift.delta)
        delta = adversary.shift(gradient, delta, reach)
    return delta


def _unit(gradient: torch.Tensor) -> torch.Tensor:
    return gradient / _norms(gradient).clamp(min=TINY)


def _norms(tensor: torch.Tensor) -> torch.Tensor:
    """The length of each text's shift, shaped so that it divides it."""
    lengths: torch.Tensor = torch.linalg.vector_norm(tensor.flatten(1), dim=1)
    return lengths.view(-1, *[1] * (tensor.ndim - 1))
