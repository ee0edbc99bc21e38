"""Ways to train beyond the plain one, each of them off unless it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn

from tasks.training.adversarial import Adversary
from tasks.training.parts import depths


class Companion(Protocol):
    """What acts after each step on the model, and has a state of its own to go on from."""

    def after_step(self) -> None: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any]) -> None: ...


@dataclass(frozen=True)
class Methods:
    """What `tasks.training.loop.fit` does besides minimising the loss."""

    layer_decay: float = 1.0
    """The learning rate of a layer as a share of that of the layer above."""
    ema: float | None = None
    """The decay of a moving average of the weights, which is evaluated and kept in their place."""
    adversary: Adversary | None = None
    companion: Companion | None = None


PLAIN = Methods()


class Pace(Protocol):
    """What any training run has; fine-tuning and the reading before it share it."""

    @property
    def batch(self) -> int: ...
    @property
    def warmup(self) -> float: ...
    @property
    def weight_decay(self) -> float: ...
    @property
    def max_grad_norm(self) -> float: ...
    @property
    def seed(self) -> int: ...


class Recipe(Pace, Protocol):
    """The numbers of a run: the section `finetune:` has them all."""

    @property
    def epochs(self) -> int: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def evaluations(self) -> int: ...
    @property
    def patience(self) -> int: ...


class Rates(Protocol):
    """What the optimiser takes from a recipe."""

    @property
    def learning_rate(self) -> float: ...
    @property
    def weight_decay(self) -> float: ...


def make_optimizer(
    model: nn.Module, rates: Rates, layer_decay: float = 1.0
) -> torch.optim.Optimizer:
    """Fused AdamW; biases and normalisation weights (all vectors) are not decayed.

    With `layer_decay` below 1 each layer learns at that share of the rate of the one above it, and
    the embeddings slowest of all (Howard & Ruder 2018): what the lower layers know is kept.
    """
    depth = depths(model) if layer_decay < 1 else {}
    deepest = max(depth.values(), default=0)
    groups: dict[tuple[int, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            key = (depth.get(name, deepest), _is_matrix(parameter))
            groups.setdefault(key, []).append(parameter)
    return torch.optim.AdamW(
        [
            {
                "params": parameters,
                "lr": rates.learning_rate * layer_decay ** (deepest - lies),
                "weight_decay": rates.weight_decay if matrices else 0.0,
            }
            for (lies, matrices), parameters in groups.items()
        ],
        lr=rates.learning_rate,
        fused=True,
    )


def _is_matrix(parameter: torch.Tensor) -> bool:
    return parameter.ndim > 1 and min(parameter.shape) > 1
