"""The ranks of a data-parallel run: who they are, and how they are started."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import TypeVar

import psutil
import torch
import torch.distributed as dist
from torch import nn

from tasks.stage import parent
from tasks.stage.errors import StageError, Unavailable
from tasks.training.plan import Plan

Result = TypeVar("Result")


def rank() -> int:
    """The number of this process among those that train together."""
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def over_ranks(total: torch.Tensor) -> torch.Tensor:
    """The sum of a tensor over all ranks, the same on each."""
    if dist.is_initialized():
        dist.all_reduce(total)
    return total


def data_parallel(model: nn.Module, plan: Plan) -> nn.Module:
    """The model as every rank trains it: gradients averaged over the ranks."""
    if not dist.is_initialized():
        return model
    devices = [torch.accelerator.current_device_index()] if plan.device != "cpu" else None
    return nn.parallel.DistributedDataParallel(model, device_ids=devices)


def launch(plan: Plan, work: Callable[..., Result], *arguments: object) -> Result:
    """Run `work(plan, *arguments)` on every rank, and return what rank 0 returns.

    One process works right here; several are started by torchrun's elastic launcher on this
    machine. Raises what `work` raised, or Unavailable when a rank was killed.
    """
    if plan.processes == 1:
        _settle(plan, 0)
        return work(plan, *arguments)
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.getLogger("torch.distributed.elastic").setLevel(logging.ERROR)
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=plan.processes,
        rdzv_backend="c10d",
        rdzv_endpoint="127.0.0.1:0",
        max_restarts=0,
        start_method="spawn",
        monitor_interval=0.5,
    )
    try:
        results: dict[int, Result] = elastic_launch(config, _as_rank)(plan, work, arguments)
    except ChildFailedError as error:
        raise _explain(error) from None
    outcome = results[0]
    if isinstance(outcome, StageError):
        raise outcome
    return outcome


def _as_rank(
    plan: Plan, work: Callable[..., Result], arguments: tuple[object, ...]
) -> Result | StageError:
    parent.watch(psutil.Process(os.getppid()))
    _settle(plan, int(os.environ["LOCAL_RANK"]))
    dist.init_process_group(plan.backend)
    try:
        return work(plan, *arguments)
    except StageError as error:  # every rank meets it alike: it comes back as a value
        return error
    finally:
        dist.destroy_process_group()


def _settle(plan: Plan, local_rank: int) -> None:
    torch.set_num_threads(plan.threads)
    if plan.device == "cuda":
        torch.set_float32_matmul_precision("high" if plan.precision == "tf32" else "highest")
    if plan.device != "cpu":
        torch.accelerator.set_device_index(local_rank)


def _explain(error: Exception) -> StageError:
    failures: dict[int, object] = getattr(error, "failures", {})
    number, failure = min(failures.items(), key=lambda item: getattr(item[1], "timestamp", 0))
    code = getattr(failure, "exitcode", None)
    if isinstance(code, int) and code < 0:
        return Unavailable(
            f"training rank {number} was killed by signal {-code} (out of memory?): "
            "run again, it goes on from the last checkpoint"
        )
    message = getattr(failure, "message", "") or str(error)
    return StageError(f"training rank {number} failed: {message}")
