"""Saving a run and going on with it, also with another number of processes."""

from __future__ import annotations

from typing import Any

import torch

from tasks.stage.errors import BadInput
from tasks.training.checkpoints import Checkpoint
from tasks.training.layouts import Tensors, share_of, shares, whole
from tasks.training.plan import Plan
from tasks.training.ranks import from_rank_0, rank

State = dict[str, Any]
"""`model`, `best`, `average`: tensors by name; `optimizer`: by the parameter's number, by name."""


def save(checkpoint: Checkpoint, plan: Plan, run: State, tensors: State) -> None:
    """Every rank calls it. `run` holds plain values and small tensors, alike on every rank.

    Shards are written where the model is shared out on one machine; on several, no one of them
    would have all shards, so that rank 0 gathers the whole.
    """
    run = {**run, "made": {"precision": plan.precision, "ranks": plan.ranks}}
    if _writes_shards(plan):
        checkpoint.save_shards({**run, "stateful": list(tensors["optimizer"])}, tensors)
        return
    tensors = whole(tensors) if plan.sharded else tensors
    if rank() == 0:
        checkpoint.save({**run, **tensors})


def load(
    checkpoint: Checkpoint, plan: Plan, model: Tensors, average: Tensors,
    optimizer: torch.optim.Optimizer,
) -> State | None:  # fmt: skip
    """What `save` was given, `run` and `tensors` in one, each rank with its share; None: nothing.

    `model` and `average` say how this run cuts each tensor. With another number of ranks the run is
    the same, batch for batch, but for dropout and the rounding of sums; with another precision, as
    on another machine, but for the rounding of products, since all that is kept is fp32. Raises
    BadInput when the checkpoint can't be gone on from.
    """
    there = from_rank_0((checkpoint.path.exists(), checkpoint.shards.exists()))
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    if there == (False, False):
        return None
    if there[1]:
        if not _writes_shards(plan):
            raise BadInput(_refused(checkpoint.shards, "is in shards of several processes", (
                "go on with finetune.sharding: fsdp, two processes or more on this machine alone"
            )))  # fmt: skip
        state = _load_shards(checkpoint, model, average, parameters)
    else:
        state = _load_whole(checkpoint, plan, model, average, parameters)
    return state


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensors]:
    """The optimiser's state by each parameter's number, as text."""
    return {str(number): state for number, state in optimizer.state_dict()["state"].items()}


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensors]) -> None:
    """Put back what `optimizer_tensors` gave; rates and decays stay those of this run."""
    groups = optimizer.state_dict()["param_groups"]
    state = {int(number): found for number, found in tensors.items()}
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _writes_shards(plan: Plan) -> bool:
    return plan.sharded and plan.hosts == 1


def _load_whole(
    checkpoint: Checkpoint, plan: Plan, model: Tensors, average: Tensors,
    parameters: list[torch.Tensor],
) -> State:  # fmt: skip
    state = checkpoint.load() if plan.hosts == 1 or rank() == 0 else None
    if plan.hosts > 1:
        state = from_rank_0(state)
    assert state is not None
    state["model"], state["best"] = (shares(state[key], model) for key in ("model", "best"))
    state["average"] = shares(state["average"], average)
    state["optimizer"] = {
        number: {
            name: share_of(value, parameters[int(number)]) if value.ndim else value
            for name, value in found.items()
        }
        for number, found in state["optimizer"].items()
    }
    return state


def _load_shards(
    checkpoint: Checkpoint, model: Tensors, average: Tensors, parameters: list[torch.Tensor]
) -> State:
    run = checkpoint.load_run()
    empty = [{name: torch.empty_like(t) for name, t in like.items()} for like in (model, average)]
    tensors: State = {
        "model": empty[0],
        "best": {name: torch.empty_like(t) for name, t in model.items()},
        "average": empty[1],
        "optimizer": {
            number: {
                "step": torch.zeros(()),
                "exp_avg": torch.zeros_like(parameters[int(number)]),
                "exp_avg_sq": torch.zeros_like(parameters[int(number)]),
            }
            for number in run["stateful"]
        },
    }
    checkpoint.load_shards(tensors)
    return {**run, **tensors}


def _refused(place: object, why: str, instead: str) -> str:
    return f"the checkpoint {place} {why}: {instead}, or remove it and start from the beginning"
