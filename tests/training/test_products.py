from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import torch

from tasks.training import products
from tasks.training.products import cpu_precision, gain_of_bf16


@pytest.fixture
def cpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """A processor with an instruction for bf16, whatever this one has; nothing measured yet."""
    for question in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, question, lambda: True)
    gain_of_bf16.cache_clear()
    yield monkeypatch
    gain_of_bf16.cache_clear()


@pytest.mark.parametrize(
    ("plain", "half", "precision"), [(0.006, 0.002, "bf16"), (0.002, 0.006, "fp32")]
)
def test_what_takes_less_time_is_taken(
    cpu: pytest.MonkeyPatch, plain: float, half: float, precision: str
) -> None:
    def linear(given: torch.Tensor, _: torch.Tensor) -> None:
        time.sleep(0.01)  # as where something else has the core
        end = time.thread_time() + (half if given.dtype == torch.bfloat16 else plain)
        while time.thread_time() < end:
            pass

    threads = torch.get_num_threads()
    cpu.setattr(torch.nn.functional, "linear", linear)
    assert gain_of_bf16() == pytest.approx(plain / half, rel=0.3)
    assert cpu_precision() == precision
    assert torch.get_num_threads() == threads


def test_without_the_instruction_nothing_is_measured(cpu: pytest.MonkeyPatch) -> None:
    for question in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        cpu.setattr(torch.cpu, question, lambda: False)
    cpu.setattr(products, "_seconds", lambda: pytest.fail("measured"))
    assert gain_of_bf16() == 0.0
    assert cpu_precision() == "fp32"


def test_real_products_take_time(cpu: pytest.MonkeyPatch) -> None:
    assert all(seconds > 0 for seconds in products._seconds())
