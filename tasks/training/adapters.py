"""Parameter-efficient fine-tuning: a few new numbers learn, the pre-trained ones stay as they are.

Through `peft`: LoRA (Hu et al. 2022), AdaLoRA (Zhang et al. 2023), (IA)³ (Liu et al. 2022). All
three are linear in the weights they sit on, so they are merged into them before the model is saved:
what comes out has the modules and shapes of full fine-tuning, and the stages after see no
difference. A prefix (`tasks.training.prefix`) is not, and stays in the model: peft hands its keys
and values over as if they were of an earlier text, which takes no part in a saved model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import nn

from tasks.stage.errors import BadInput
from tasks.training.parts import head_of
from tasks.training.prefix import with_prefix
from tasks.training.steps import Objective, Rows

if TYPE_CHECKING:
    from tasks.training.batches import Batch

NAME = "default"
ROOM = 1.5
"""AdaLoRA starts with this many times the rank that it ends with on average, as its authors do."""
WARM_UP, CLOSING = 0.1, 0.3
"""Shares of the steps before AdaLoRA begins to take ranks away, and after it has."""
ALLOCATIONS = 100
"""Times that AdaLoRA takes ranks away in a run."""


class How(Protocol):
    """Which adapter and how large: the section `finetune.adapter:` has it."""

    @property
    def method(self) -> str: ...
    @property
    def rank(self) -> int: ...
    @property
    def alpha(self) -> int: ...
    @property
    def targets(self) -> list[str] | None: ...
    @property
    def tokens(self) -> int: ...


def adapted(model: nn.Module, how: How, steps: int) -> nn.Module:
    """The model with adapters in it, which alone are trained, with what comes after the layers.

    `steps` is the length of the run, over which AdaLoRA deals out its ranks. Raises BadInput for a
    target that no module has, for a model that peft has no targets for, for one that can't have a
    prefix, and where there is no peft.
    """
    head = [model.get_parameter(name) for name in head_of(model)]
    found = (
        with_prefix(model, how.tokens) if how.method == "prefix" else _by_peft(model, how, steps)
    )
    for parameter in head:  # also where a target is called as a module of the head is
        parameter.requires_grad_(True)
    return found


def _by_peft(model: nn.Module, how: How, steps: int) -> nn.Module:
    try:
        import peft
    except ImportError:
        raise BadInput(
            "params.yaml: finetune.adapter needs the package peft: pip install 'nightshift[peft]'"
        ) from None

    _check_targets(model, how.targets)
    try:
        found: nn.Module = peft.get_peft_model(model, _config(model, how, steps))
    except ValueError as error:
        if "target_modules" not in str(error):
            raise
        kind = model.config.model_type  # type: ignore[union-attr]
        raise BadInput(
            f"params.yaml: finetune.adapter.targets: got null, and for {kind} models peft has no "
            f"default: name some of {', '.join(_names(model))}"
        ) from None
    return found


def taught(
    model: nn.Module, how: How, objective: Objective
) -> tuple[Objective, RankAllocation | None]:
    """What an adapted model minimises, and what acts after its steps; AdaLoRA is part of both."""
    if how.method != "adalora":
        return objective, None
    return Orthogonal(objective, model), RankAllocation(model)


def merged(model: nn.Module) -> nn.Module:
    """The plain model, the adapters' share added to its weights; a prefix stays in it."""
    if not hasattr(model, "merge_and_unload"):
        return model
    plain: nn.Module = model.merge_and_unload()  # type: ignore[operator]
    return plain


class RankAllocation:
    """AdaLoRA's part in every step: which singular values stay, decided by what each is worth."""

    def __init__(self, model: Any) -> None:
        self._tuner = model.base_model
        self._allocator = self._tuner.rankallocator
        self._config = self._tuner.peft_config[NAME]
        self._steps = 0

    def after_step(self) -> None:
        """Weigh the gradients of the step, and take ranks away when it is time to.

        Steps are counted here: one that was skipped must not be the one that closes the deal.
        """
        self._steps += 1
        self._tuner.update_and_allocate(self._steps)

    def state_dict(self) -> dict[str, Any]:
        allocator = self._allocator
        return {
            "steps": self._steps,
            "rank_pattern": self._config.rank_pattern,
            "importance": [allocator.ipt, allocator.exp_avg_ipt, allocator.exp_avg_unc],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._steps, self._config.rank_pattern = state["steps"], state["rank_pattern"]
        allocator = self._allocator
        allocator.ipt, allocator.exp_avg_ipt, allocator.exp_avg_unc = state["importance"]


class Orthogonal:
    """An objective with AdaLoRA's penalty: singular vectors stay orthogonal to one another."""

    def __init__(self, objective: Objective, model: Any) -> None:
        self._objective = objective
        self._weight = model.base_model.peft_config[NAME].orth_reg_weight
        self._vectors = [
            (p, "lora_A" in name)
            for name, p in model.named_parameters()
            if "lora_A" in name or "lora_B" in name
        ]

    def __call__(self, model: nn.Module, batch: Batch, rows: Rows) -> torch.Tensor:
        """The sum over the batch, the penalty counted once an example."""
        off = [_distance(p @ p.T if flat else p.T @ p) for p, flat in self._vectors]
        penalty: torch.Tensor = self._weight * torch.stack(off).mean()
        return self._objective(model, batch, rows) + len(rows) * penalty


def _distance(gram: torch.Tensor) -> torch.Tensor:
    """Of a Gram matrix from the identity, in Frobenius' norm."""
    identity = torch.eye(len(gram), device=gram.device)
    distance: torch.Tensor = torch.linalg.matrix_norm(gram.float() - identity)
    return distance


def _config(model: Any, how: How, steps: int) -> Any:
    import peft

    if how.method == "ia3":
        return peft.IA3Config(target_modules=how.targets, **_feed_forward(model, how.targets))
    if how.method == "lora":
        return peft.LoraConfig(
            r=how.rank,
            lora_alpha=how.alpha,
            target_modules=how.targets,
        )
    return peft.AdaLoraConfig(
        target_r=how.rank,
        init_r=round(ROOM * how.rank),
        lora_alpha=how.alpha,
        target_modules=how.targets,
        total_step=steps,
        tinit=int(WARM_UP * steps),
        tfinal=int(CLOSING * steps),
        deltaT=max(1, steps // ALLOCATIONS),
    )


def _feed_forward(model: Any, targets: list[str] | None) -> dict[str, Any]:
    """Which targets (IA)³ scales the input of, not the output, when a person named the targets."""
    from peft.utils import TRANSFORMERS_MODELS_TO_IA3_FEEDFORWARD_MODULES_MAPPING as KNOWN

    if targets is None:
        return {}
    return {
        "feedforward_modules": [t for t in targets if t in KNOWN.get(model.config.model_type, [])]
    }


def _check_targets(model: nn.Module, targets: Sequence[str] | None) -> None:
    modules = [name for name, _ in _matrices(model)]
    for target in targets or ():
        if not any(name == target or name.endswith(f".{target}") for name in modules):
            raise BadInput(
                f"params.yaml: finetune.adapter.targets: got {target!r}, which no module of the "
                f"model is called; there are {', '.join(_names(model))}"
            )


def _names(model: nn.Module) -> list[str]:
    return sorted({name.rpartition(".")[2] for name, _ in _matrices(model)})


def _matrices(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """What an adapter can sit on; GPT-2 keeps its matrices in a Conv1D of transformers' own."""
    kinds = ("Linear", "Conv1D")
    return [(name, m) for name, m in model.named_modules() if type(m).__name__ in kinds]
