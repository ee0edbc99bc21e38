"""What this machine will train with: device, precision, processes, threads, and why."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import torch

from tasks.stage.cores import cores
from tasks.stage.errors import BadInput
from tasks.training.attention import ATTENTION
from tasks.training.products import cpu_precision, gain_of_bf16

AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}
"""The type of the matrix products; in the other precisions everything stays fp32."""
PLAIN_UP_TO = 256
"""Tokens up to which plain attention trains faster on a CPU than the fused kernel, whose backward
pass is the slow part (27 tokens: 135 against 205 ms for six layers)."""
TF32_SINCE = (8, 0)
"""The compute capability (Ampere) from which NVIDIA's tensor cores take TF32."""


class Wishes(Protocol):
    """What a person asked for: the sections `finetune:` and `prune:` have it."""

    @property
    def device(self) -> str: ...
    @property
    def precision(self) -> str: ...
    @property
    def threads(self) -> int | None: ...


@dataclass(frozen=True)
class OnCpu:
    """The wish for this machine's CPU: in fp32 what other answers are held against."""

    threads: int | None = None
    """None: all cores."""
    precision: str = "fp32"
    device: str = "cpu"


@dataclass(frozen=True)
class Plan:
    """How to compute; `why` holds a sentence for each choice that the machine made."""

    device: str
    backend: str
    precision: str
    attention: str
    """By transformers' own name, or ATTENTION: the plain one with a quick dropout."""
    processes: int
    """Ranks on this machine; `hosts` machines have as many each."""
    threads: int
    why: tuple[str, ...]
    hosts: int = 1
    sharding: str = "ddp"
    """ddp: every rank holds the whole model; fsdp: a share of it, and of the optimiser's state."""
    micro_batch: int | None = None
    """Examples that a rank takes at once, gradients summed up to the batch; None: its share."""
    gradient_checkpointing: bool = False
    """A layer's activations are computed again in the backward pass, not kept."""

    @property
    def ranks(self) -> int:
        """How many processes train together, over all hosts."""
        return self.hosts * self.processes

    @property
    def sharded(self) -> bool:
        """Whether weights, gradients and optimiser state are shared out over the ranks."""
        return self.sharding == "fsdp" and self.ranks > 1

    def autocast(self) -> AbstractContextManager[None]:
        """Mixed precision: weights stay fp32, matrix products run in `precision`."""
        dtype = AUTOCAST.get(self.precision)
        return torch.autocast(self.device, dtype, enabled=dtype is not None)

    def describe(self) -> dict[str, str | int | None]:
        """What results depend on, for the report: no host names, no times."""
        return {
            "device": self.device,
            "accelerator": accelerator(self.device),
            "precision": self.precision,
            "processes": self.processes,
            "threads": self.threads,
            "hosts": self.hosts,
            "sharding": self.sharding if self.ranks > 1 else None,
            "micro_batch": self.micro_batch,
            "gradient_checkpointing": self.gradient_checkpointing,
            "cpu_capability": torch.backends.cpu.get_cpu_capability(),
            "torch": torch.__version__,
        }


def make_plan(
    wishes: Wishes, max_length: int, processes: int = 1, hosts: int = 1, sharding: str = "ddp"
) -> Plan:
    """Resolve every `auto`; raises BadInput for a device or precision this machine hasn't."""
    device, why_device = _device(wishes.device)
    precision, why_precision = _precision(wishes.precision, device)
    accelerators = _count(device)
    if device != "cpu" and processes > accelerators:
        raise BadInput(
            f"params.yaml: finetune.processes: got {processes}; this machine has "
            f"{accelerators} {device} device(s), a process takes one"
        )
    threads = wishes.threads or max(1, cores() // processes)
    plain = device == "cpu" and max_length <= PLAIN_UP_TO
    return Plan(
        device=device,
        backend={"cuda": "nccl", "xpu": "xccl"}.get(device, "gloo"),
        precision=precision,
        attention=ATTENTION if plain else "sdpa",
        processes=processes,
        threads=threads,
        why=(why_device, why_precision, f"{cores()} cores for {processes} process(es)"),
        hosts=hosts,
        sharding=sharding,
    )


def accelerator(device: str) -> str:
    """The platform behind torch's name for a device: AMD's answers to `cuda` as well."""
    if device == "cuda" and torch.version.hip:
        return "rocm"
    return device


def _device(wish: str) -> tuple[str, str]:
    available = ["cpu"]
    if torch.backends.mps.is_available():
        available.insert(0, "mps")
    if torch.xpu.is_available():
        available.insert(0, "xpu")
    if torch.cuda.is_available():
        available.insert(0, "cuda")
    if wish not in ("auto", *available):
        raise BadInput(
            f"params.yaml: finetune.device: got {wish!r}; this machine has {', '.join(available)}"
        )
    device = available[0] if wish == "auto" else wish
    said = f"{device}{_platform(device)}"
    if wish == "auto":
        return device, f"{said}: the fastest of what is here ({', '.join(available)})"
    return device, f"{said}: asked for"


def _platform(device: str) -> str:
    """What a person would look for in vain under torch's own name."""
    if accelerator(device) == "rocm":
        return f" (AMD, ROCm {torch.version.hip}; RCCL under the name nccl)"
    return " (Intel GPU)" if device == "xpu" else ""


def _precision(wish: str, device: str) -> tuple[str, str]:
    native = _native_precision(device)
    if wish == "auto":
        return native, f"{native}: {_reason(device)}"
    if wish == "tf32" and not _has_tf32(device):
        raise BadInput(
            "params.yaml: finetune.precision: got 'tf32'; only NVIDIA devices from Ampere on have "
            f"it, and this plan trains on {accelerator(device)}: take auto, bf16 or fp32"
        )
    slow = " (no faster than fp32 here)" if wish == "bf16" and native == "fp32" else ""
    if wish == "fp16" and device == "cpu":
        slow = " (on a CPU slower than fp32; to try loss scaling out)"
    return wish, f"{wish}: asked for{slow}"


def _native_precision(device: str) -> str:
    if device == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    if device == "xpu":
        return "bf16"
    if device == "mps":
        return "fp32"
    return cpu_precision()


def _reason(device: str) -> str:
    """Why it is that precision."""
    gain = gain_of_bf16() if device == "cpu" else 0.0
    if not gain:
        return f"the fastest that {device} computes natively"
    return f"this CPU multiplies {gain:.1f} times as fast in bf16 as in fp32"


def _has_tf32(device: str) -> bool:
    if accelerator(device) != "cuda":
        return False
    return torch.cuda.get_device_capability() >= TF32_SINCE


def _count(device: str) -> int:
    if device == "cuda":
        return torch.cuda.device_count()
    return torch.xpu.device_count() if device == "xpu" else 1
