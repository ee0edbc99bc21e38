"""What this machine will train with: device, precision, processes, threads, and why."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import torch

from tasks.stage.cores import cores
from tasks.stage.errors import BadInput

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
EAGER_UP_TO = 256
"""Tokens up to which the plain attention trains faster on a CPU than the fused kernel, whose
backward pass is the slow part (27 tokens: 135 against 205 ms for six layers)."""


class Wishes(Protocol):
    """What a person asked for: the sections `finetune:` and `prune:` have it."""

    @property
    def device(self) -> str: ...
    @property
    def precision(self) -> str: ...
    @property
    def threads(self) -> int | None: ...


@dataclass(frozen=True)
class Plan:
    """How to compute; `why` holds a sentence for each choice that the machine made."""

    device: str
    backend: str
    precision: str
    attention: str
    processes: int
    threads: int
    why: tuple[str, ...]

    def autocast(self) -> AbstractContextManager[None]:
        """Mixed precision: weights stay fp32, matrix products run in `precision`."""
        return torch.autocast(self.device, DTYPES[self.precision], enabled=self.precision != "fp32")

    def describe(self) -> dict[str, str | int]:
        """What results depend on, for the report: no host names, no times."""
        return {
            "device": self.device,
            "precision": self.precision,
            "processes": self.processes,
            "threads": self.threads,
            "cpu_capability": torch.backends.cpu.get_cpu_capability(),
            "torch": torch.__version__,
        }


def make_plan(wishes: Wishes, max_length: int, processes: int = 1) -> Plan:
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
    eager = device == "cpu" and max_length <= EAGER_UP_TO
    return Plan(
        device=device,
        backend={"cuda": "nccl", "xpu": "xccl"}.get(device, "gloo"),
        precision=precision,
        attention="eager" if eager else "sdpa",
        processes=processes,
        threads=threads,
        why=(why_device, why_precision, f"{cores()} cores for {processes} process(es)"),
    )


def _device(wish: str) -> tuple[str, str]:
    available = ["cpu"]
    if torch.backends.mps.is_available():
        available.insert(0, "mps")
    if torch.xpu.is_available():
        available.insert(0, "xpu")
    if torch.cuda.is_available():
        available.insert(0, "cuda")
    if wish == "auto":
        return available[0], f"{available[0]}: the fastest of what is here ({', '.join(available)})"
    if wish not in available:
        raise BadInput(
            f"params.yaml: finetune.device: got {wish!r}; this machine has {', '.join(available)}"
        )
    return wish, f"{wish}: asked for"


def _precision(wish: str, device: str) -> tuple[str, str]:
    native = _native_precision(device)
    if wish == "auto":
        return native, f"{native}: the fastest that {device} computes natively"
    if wish == "fp16" and device == "cpu":
        raise BadInput("params.yaml: finetune.precision: got 'fp16'; a CPU trains in bf16 or fp32")
    slow = " (emulated here: slower than fp32)" if wish == "bf16" and native == "fp32" else ""
    return wish, f"{wish}: asked for{slow}"


def _native_precision(device: str) -> str:
    if device == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    if device == "xpu":
        return "bf16"
    if device == "mps":
        return "fp32"
    bf16 = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "bf16" if bf16 else "fp32"


def _count(device: str) -> int:
    if device == "cuda":
        return torch.cuda.device_count()
    return torch.xpu.device_count() if device == "xpu" else 1
