"""What memory allows: how much of a batch a rank takes at once, and what it keeps of a pass."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import psutil
import torch

from tasks.training.footprint import (
    Shape,
    activation_bytes,
    read_shape,
    state_bytes,
    value_bytes,
)
from tasks.training.plan import Plan, Wishes, make_plan

HEADROOM = 0.8
"""Share of the memory that a run may plan for: the rest is the program's and the allocator's."""
SMALLEST_USEFUL = 4
"""Fewer examples at once than this leave the cores idle: activations are then computed again."""
GIB = 1024**3
_CGROUP = Path("/sys/fs/cgroup/memory.max")


class Wanted(Wishes, Protocol):
    """What a person asked for that memory depends on: the section `finetune:` has it."""

    @property
    def batch(self) -> int: ...
    @property
    def max_length(self) -> int: ...
    @property
    def processes(self) -> int: ...
    @property
    def hosts(self) -> int: ...
    @property
    def sharding(self) -> str: ...
    @property
    def micro_batch(self) -> int | None: ...
    @property
    def gradient_checkpointing(self) -> str: ...


def plan_training(wanted: Wanted, shape: Shape | None) -> Plan:
    """What this machine trains a model of this shape with (None: one whose shape isn't known).

    Raises BadInput for a device or precision that this machine hasn't.
    """
    plan = make_plan(wanted, wanted.max_length, wanted.processes, wanted.hosts, wanted.sharding)
    return fitted(plan, wanted, shape, memory_of_a_rank(plan))


def fitted(plan: Plan, wanted: Wanted, shape: Shape | None, memory: int) -> Plan:
    """The plan with its micro-batch and gradient checkpointing, and why, for `memory` bytes a rank.

    A smaller micro-batch comes first: it costs next to nothing. Keeping no activations comes last:
    it costs a second forward pass, a third of the time (Chen et al. 2016).
    """
    share = math.ceil(wanted.batch / plan.ranks)
    start = min(wanted.micro_batch or share, share)
    wish = wanted.gradient_checkpointing
    again = wish == "always"
    if shape is None:
        return _told(plan, wanted, share, start, again)
    size = _largest(plan, wanted, shape, start, memory, again)
    if wish == "auto" and size < min(wanted.micro_batch or SMALLEST_USEFUL, share):
        again = True
        size = _largest(plan, wanted, shape, start, memory, again)
    size = start if wanted.micro_batch else max(1, size)
    return _told(plan, wanted, share, size, again, memory)


def needed(plan: Plan, wanted: Wanted, shape: Shape) -> tuple[int, int]:
    """Bytes a rank holds for the model's state, and for the activations of one pass.

    An upper estimate: as if every text had `max_length` tokens and every weight were trained.
    """
    state = state_bytes(shape.parameters, plan.precision) // (plan.ranks if plan.sharded else 1)
    size = plan.micro_batch or math.ceil(wanted.batch / plan.ranks)
    return state, _activations(plan, wanted, shape, size, plan.gradient_checkpointing)


def shape_of(folder: Path) -> Shape | None:
    """The shape of the model in a folder, or None when its files don't say."""
    try:
        return read_shape(folder)
    except (OSError, ValueError, KeyError):
        return None


def memory_of_a_rank(plan: Plan) -> int:
    """Bytes that a rank can count on: of its device, or its share of the machine's.

    All that is there, not what happens to be free: the choice must be the same the next night.
    """
    if plan.device == "cuda":
        return int(torch.cuda.mem_get_info()[1])
    if plan.device == "xpu":
        return int(torch.xpu.get_device_properties().total_memory)
    total = int(psutil.virtual_memory().total)
    with suppress(OSError, ValueError):  # no container, or one without a limit
        total = min(total, int(_CGROUP.read_text()))
    return total // plan.processes


def _largest(plan: Plan, wanted: Wanted, shape: Shape, start: int, memory: int, again: bool) -> int:
    """The first of `start`, its half, its quarter, … that fits; 0: not even one example does."""
    state, _ = needed(plan, wanted, shape)
    limit = HEADROOM * memory - state
    size = start
    while size and _activations(plan, wanted, shape, size, again) > limit:
        size = 0 if size == 1 else math.ceil(size / 2)
    return size


def _activations(plan: Plan, wanted: Wanted, shape: Shape, size: int, again: bool) -> int:
    kept = activation_bytes(shape, size, wanted.max_length, plan.precision, plan.attention)
    if not again:
        return kept
    number = value_bytes(plan.precision)
    borders = shape.layers * size * wanted.max_length * shape.hidden * number
    return borders + math.ceil(kept / shape.layers)


def _told(
    plan: Plan, wanted: Wanted, share: int, size: int, again: bool, memory: int | None = None
) -> Plan:
    whose = "asked for" if wanted.micro_batch else "all of a rank's share"
    if memory is not None and not wanted.micro_batch and size < share:
        whose = f"what fits into {HEADROOM:.0%} of {memory / GIB:.1f} GiB"
    passes = math.ceil(share / size)
    said = f"{size} examples at once, {passes} time(s) a step: {whose}"
    if again:
        short = "memory is short" if wanted.gradient_checkpointing == "auto" else "asked for"
        said += f"; activations are computed again, not kept: {short}"
    return replace(
        plan,
        micro_batch=size if size < share else None,
        gradient_checkpointing=again,
        why=(*plan.why, said),
    )
