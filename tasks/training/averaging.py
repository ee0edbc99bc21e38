"""An exponential moving average of the weights, which is what is evaluated and kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

_WARM_UP = 10
"""With (1 + t) / (10 + t) as the largest decay of step t, the weights of the beginning are soon
forgotten, as TensorFlow's moving average has it."""


class Average:
    """The average of the trained weights over the steps, newer ones counting more.

    `decay` is the share that the average so far keeps at a step, once enough have been taken.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
        self._weights = list(trained.values())
        self._decay = decay
        self.average = {name: p.detach().clone() for name, p in trained.items()}
        self.steps = 0

    @torch.no_grad()
    def after_step(self) -> None:
        """Take in the weights as they are now."""
        self.steps += 1
        decay = min(self._decay, (1 + self.steps) / (_WARM_UP + self.steps))
        update = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        update(list(self.average.values()), [p.detach() for p in self._weights], self.steps)

    @torch.no_grad()
    def restore(self, average: Mapping[str, torch.Tensor], steps: int) -> None:
        """Go on from an average of so many steps."""
        self.steps = steps
        for name, tensor in self.average.items():
            tensor.copy_(average[name])

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The model has the averaged weights inside this block."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for weight, average in zip(self._weights, self.average.values(), strict=True):
            kept = weight.detach().clone()
            weight.copy_(average)
            average.copy_(kept)
