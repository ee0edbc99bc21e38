from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from tasks.stage.errors import BadInput
from tasks.training import plan, products
from tasks.training.attention import ATTENTION
from tasks.training.plan import make_plan


@dataclass(frozen=True)
class Asked:
    device: str = "auto"
    precision: str = "auto"
    threads: int | None = None


@pytest.fixture
def cpu(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine without any accelerator, whatever this one is."""
    for module in (torch.cuda, torch.xpu, torch.backends.mps):
        monkeypatch.setattr(module, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "hip", None)
    return monkeypatch


def bf16_gains(machine: pytest.MonkeyPatch, times: float) -> None:
    """A CPU whose products are so many times as fast in bf16 as in fp32; 0.0: it has no bf16."""
    for module in (plan, products):
        machine.setattr(module, "gain_of_bf16", lambda: times)


def with_cuda(machine: pytest.MonkeyPatch, capability: tuple[int, int], count: int = 1) -> None:
    machine.setattr(torch.cuda, "is_available", lambda: True)
    machine.setattr(torch.cuda, "device_count", lambda: count)
    machine.setattr(torch.cuda, "get_device_capability", lambda: capability)
    machine.setattr(torch.cuda, "is_bf16_supported", lambda **_: capability >= (8, 0))


@pytest.mark.parametrize(
    ("gain", "precision", "why"),
    [
        (4.3, "bf16", "4.3 times as fast in bf16"),
        (1.1, "fp32", "1.1 times as fast in bf16"),
        (0.6, "fp32", "0.6 times as fast in bf16"),
        (0.0, "fp32", "the fastest that cpu computes natively"),
    ],
)
def test_a_cpu_trains_in_what_it_multiplies_fastest_in(
    cpu: pytest.MonkeyPatch, gain: float, precision: str, why: str
) -> None:
    bf16_gains(cpu, gain)
    made = make_plan(Asked(), 128)
    assert (made.device, made.precision, made.backend) == ("cpu", precision, "gloo")
    assert why in made.why[1]


def test_fp16_on_a_cpu_is_for_those_who_ask(cpu: pytest.MonkeyPatch) -> None:
    made = make_plan(Asked(precision="fp16"), 128)
    assert made.precision == "fp16"
    assert "on a CPU slower than fp32" in made.why[1]


def test_bf16_that_gains_nothing_is_said_to(cpu: pytest.MonkeyPatch) -> None:
    bf16_gains(cpu, 0.6)
    assert "no faster than fp32" in make_plan(Asked(precision="bf16"), 128).why[1]


@pytest.mark.parametrize(
    ("capability", "precision"), [((7, 5), "fp16"), ((8, 0), "bf16"), ((9, 0), "bf16")]
)
def test_nvidia_trains_in_bf16_from_ampere_on(
    cpu: pytest.MonkeyPatch, capability: tuple[int, int], precision: str
) -> None:
    with_cuda(cpu, capability)
    made = make_plan(Asked(), 128)
    assert (made.device, made.precision, made.backend) == ("cuda", precision, "nccl")
    assert made.attention == "sdpa"


def test_tf32_is_for_nvidia_from_ampere_on(cpu: pytest.MonkeyPatch) -> None:
    asked = Asked(precision="tf32")
    with pytest.raises(BadInput, match="this plan trains on cpu"):
        make_plan(asked, 128)
    with_cuda(cpu, (7, 5))
    with pytest.raises(BadInput, match="only NVIDIA devices from Ampere on"):
        make_plan(asked, 128)
    with_cuda(cpu, (8, 6))
    made = make_plan(asked, 128)
    assert made.precision == "tf32"
    with made.autocast():
        assert not torch.is_autocast_enabled("cuda"), "weights and activations stay fp32"


def test_amd_is_named_by_its_own_name(cpu: pytest.MonkeyPatch) -> None:
    with_cuda(cpu, (9, 4))
    cpu.setattr(torch.version, "hip", "7.1.0")
    made = make_plan(Asked(), 128)
    assert made.device == "cuda"
    assert "AMD, ROCm 7.1.0" in made.why[0]
    assert made.describe()["accelerator"] == "rocm"
    with pytest.raises(BadInput, match="this plan trains on rocm"):
        make_plan(Asked(precision="tf32"), 128)


def test_intels_gpu_is_named(cpu: pytest.MonkeyPatch) -> None:
    cpu.setattr(torch.xpu, "is_available", lambda: True)
    cpu.setattr(torch.xpu, "device_count", lambda: 1)
    made = make_plan(Asked(), 128)
    assert (made.device, made.precision, made.backend) == ("xpu", "bf16", "xccl")
    assert "Intel GPU" in made.why[0]


def test_a_device_that_is_not_here_is_refused(cpu: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInput, match="got 'cuda'; this machine has cpu"):
        make_plan(Asked(device="cuda"), 128)


def test_a_process_takes_a_device(cpu: pytest.MonkeyPatch) -> None:
    with_cuda(cpu, (8, 0), count=2)
    assert make_plan(Asked(), 128, processes=2).processes == 2
    with pytest.raises(BadInput, match=r"got 3; this machine has 2 cuda device\(s\)"):
        make_plan(Asked(), 128, processes=3)


def test_attention_is_plain_for_short_texts_on_a_cpu(cpu: pytest.MonkeyPatch) -> None:
    assert make_plan(Asked(), 256).attention == ATTENTION
    assert make_plan(Asked(), 257).attention == "sdpa"
