"""How the ranks hold the model: each one the whole of it, or each a share.

Both ways have the same few operations, so that the loop does not know which it is: call the model,
copy its weights, put them back, save the run, go on from what was saved.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.tensor import DTensor, distribute_tensor

from tasks.training.parts import layers_of
from tasks.training.plan import Plan
from tasks.training.ranks import rank, world

Tensors = dict[str, torch.Tensor]


def spread(model: nn.Module, plan: Plan) -> nn.Module:
    """The model as every rank calls it.

    ddp: each rank has all of it, and gradients are averaged over the ranks. fsdp: in place, each
    rank keeps a share of every parameter, of its gradient and of its optimiser state, and a layer
    is put together when it is its turn (Zhao et al. 2023).
    """
    if not dist.is_initialized():
        return model
    if not plan.sharded:
        devices = [torch.accelerator.current_device_index()] if plan.device != "cpu" else None
        return nn.parallel.DistributedDataParallel(model, device_ids=devices)
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(plan.device, (world(),))
    for layer in layers_of(model):
        fully_shard(layer, mesh=mesh)
    # without resharding what is outside the layers would stay put together after an evaluation, and
    # not see the weights that are set afterwards
    fully_shard(model, mesh=mesh, reshard_after_forward=True)
    return model


def copied(model: nn.Module) -> Tensors:
    """A copy of the weights that this rank holds: whole ones on the CPU, shares where they are."""
    return {
        name: tensor.detach().clone() if isinstance(tensor, DTensor) else tensor.cpu().clone()
        for name, tensor in model.state_dict().items()
    }


def whole_weights(model: nn.Module) -> Tensors:
    """The whole weights, on the CPU of rank 0; every rank takes part."""
    weights: Tensors = whole(model.state_dict())
    return weights


def whole(tree: Any) -> Any:
    """The same structure with the whole of every tensor that is shared out, on rank 0's CPU.

    One tensor after the other: the other ranks never hold more than one of them.
    """
    if isinstance(tree, DTensor):
        full = tree.full_tensor()
        return full.cpu() if rank() == 0 else torch.empty(0)
    if isinstance(tree, Mapping):
        return {key: whole(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [whole(value) for value in tree]
    return tree


def share_of(tensor: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """This rank's share of a whole tensor, cut as `like` is; no rank talks to another."""
    if not isinstance(like, DTensor):
        return tensor
    return distribute_tensor(
        tensor.to(like.device), like.device_mesh, like.placements, src_data_rank=None
    )


def shares(tensors: Mapping[str, torch.Tensor], like: Mapping[str, torch.Tensor]) -> Tensors:
    """This rank's shares of whole tensors, by name."""
    return {name: share_of(tensor, like[name]) for name, tensor in tensors.items()}
