"""The ranks of a run: who they are, and how they are started, on this machine and on others."""

from __future__ import annotations

import ctypes
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any, TypeVar

import psutil
import torch
import torch.distributed as dist

from tasks.stage import parent
from tasks.stage.errors import BadInput, StageError, Unavailable
from tasks.training.hosts import interface_to, meeting
from tasks.training.plan import Plan

SECONDS_TO_MEET = 600
"""How long hosts wait for one another, and ranks in an exchange for one that has gone silent."""
LOST = (
    "Connection closed by peer",
    "Connection reset",
    "Broken pipe",
    "Connection refused",
    "NCCL",
)
"""What backends say when the rank at the other end is gone."""

LARGE_BLOCK = 1024**2
_M_MMAP_THRESHOLD = -3

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


def from_rank_0(value: Result) -> Result:
    """What rank 0 has, on every rank: plain values and tensors."""
    if not dist.is_initialized():
        return value
    box = [value]
    dist.broadcast_object_list(box)
    return box[0]


def agree(what: str, value: str) -> None:
    """Raises BadInput on every rank when not all have the same `value` of `what`."""
    values: list[str | None] = [None] * world()
    if dist.is_initialized():
        dist.all_gather_object(values, value)
        if len(set(values)) > 1:
            raise BadInput(
                f"the hosts differ in {what}: give each the same commit, params.yaml and data"
            )


def launch(plan: Plan, work: Callable[..., Result], *arguments: object) -> Result:
    """Run `work(plan, *arguments)` on every rank, and return what rank 0 returns.

    One process works right here; several are started by torchrun's elastic launcher on this
    machine, which meets the other hosts' if there are any. On a host other than 0, what its first
    rank returns. Raises what `work` raised, or Unavailable when a rank was lost.
    """
    if plan.ranks == 1:
        _settle(plan, 0)
        return work(plan, *arguments)
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    config = LaunchConfig(
        min_nodes=plan.hosts,
        max_nodes=plan.hosts,
        nproc_per_node=plan.processes,
        max_restarts=0,
        start_method="spawn",
        monitor_interval=0.5,
        **_rendezvous(plan),
    )
    try:
        results: dict[int, Result] = elastic_launch(config, _as_rank)(plan, work, arguments)
    except ChildFailedError as error:
        raise _explain(error) from None
    except dist.DistError as error:
        raise Unavailable(f"the hosts did not meet, or lost one another: {_line(error)}") from None
    outcome = results[min(results)]
    if isinstance(outcome, StageError):
        raise outcome
    return outcome


def _rendezvous(plan: Plan) -> dict[str, Any]:
    if plan.hosts == 1:
        return {"rdzv_backend": "c10d", "rdzv_endpoint": "127.0.0.1:0"}
    place = meeting(plan.hosts)
    return {
        "run_id": "nightshift",
        "rdzv_backend": "static",  # numbers the hosts as they say, so that host 0 has rank 0
        "rdzv_endpoint": place.endpoint,
        "rdzv_configs": {"rank": place.host, "timeout": SECONDS_TO_MEET},
    }


def _as_rank(
    plan: Plan, work: Callable[..., Result], arguments: tuple[object, ...]
) -> Result | StageError:
    parent.watch(psutil.Process(os.getppid()))
    _settle(plan, int(os.environ["LOCAL_RANK"]))
    if plan.hosts > 1 and (interface := interface_to(meeting(plan.hosts))):
        os.environ.setdefault("GLOO_SOCKET_IFNAME", interface)
        os.environ.setdefault("NCCL_SOCKET_IFNAME", interface)
    dist.init_process_group(plan.backend, timeout=timedelta(seconds=SECONDS_TO_MEET))
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
    elif plan.sharded:
        _give_memory_back()


def _give_memory_back() -> None:
    """Have glibc return a large block to the system when it is freed.

    By default it raises its idea of large to the largest block freed so far (mallopt(3)), and the
    layers that fsdp puts together and takes apart leave holes: a rank took more memory than one
    that holds the whole model (1.2 against 1.1 GB, and 0.6 so, for 57 million weights).
    """
    with suppress(OSError, AttributeError):  # another C library, which has no such idea
        ctypes.CDLL("libc.so.6").mallopt(_M_MMAP_THRESHOLD, LARGE_BLOCK)


def _explain(error: Exception) -> StageError:
    failures: dict[int, object] = getattr(error, "failures", {})
    number, failure = min(failures.items(), key=lambda item: getattr(item[1], "timestamp", 0))
    code = getattr(failure, "exitcode", None)
    if isinstance(code, int) and code < 0:
        return Unavailable(
            f"training rank {number} was killed by signal {-code} (out of memory?): "
            "run again, it goes on from the last checkpoint"
        )
    message = str(getattr(failure, "message", "") or error)
    message = (message.strip().splitlines() or [message])[0]
    if any(words in message for words in LOST):
        return Unavailable(
            f"training rank {number} lost the connection to another rank, which has died or can't "
            "be reached: run again on every host, it goes on from the last checkpoint"
        )
    return StageError(f"training rank {number} failed: {message}")


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
