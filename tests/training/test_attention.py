"""Quick dropout is dropout: the right share, the mean kept, one mask forward and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tasks.compression.recovery import without_dropout
from tasks.training.attention import ATTENTION, Dropout, dropped
from tasks.training.classifier import load_finetuned


@pytest.mark.parametrize("rate", [0.1, 0.5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_share_is_the_rates_and_the_mean_is_kept(rate: float, dtype: torch.dtype) -> None:
    torch.manual_seed(1)
    found = dropped(torch.ones(400, 1001, dtype=dtype), rate).float()
    assert float((found == 0).float().mean()) == pytest.approx(rate, abs=0.005)
    assert float(found.mean()) == pytest.approx(1, abs=0.01)


def test_the_gradient_goes_where_the_numbers_went() -> None:
    torch.manual_seed(1)
    numbers = torch.randn(7, 13, requires_grad=True)
    found = dropped(numbers, 0.4)
    found.sum().backward()  # type: ignore[no-untyped-call]
    assert numbers.grad is not None
    torch.testing.assert_close(found, numbers * numbers.grad)
    assert 0 < int((numbers.grad == 0).sum()) < numbers.numel()


def test_the_seed_decides_and_nothing_is_dropped_when_not_training() -> None:
    layer, numbers = Dropout(0.3), torch.randn(50, 3)
    found = []
    for _ in range(2):
        torch.manual_seed(5)
        found.append(layer(numbers))
    assert torch.equal(*found)
    assert not torch.equal(found[0], layer(numbers))
    assert torch.equal(layer.eval()(numbers), numbers)
    assert torch.equal(dropped(numbers, 0.0), numbers)


def test_a_model_answers_as_with_plain_attention_and_keeps_its_weights_names(
    tiny_classifier: Path,
) -> None:
    plain: Any = load_finetuned(tiny_classifier, "eager").eval()
    quick: Any = load_finetuned(tiny_classifier, ATTENTION).eval()
    assert quick.config._attn_implementation == ATTENTION
    assert list(plain.state_dict()) == list(quick.state_dict())
    assert not any(type(module) is nn.Dropout for module in quick.modules())
    assert [m.p for m in quick.modules() if isinstance(m, nn.Dropout)] == [
        m.p for m in plain.modules() if isinstance(m, nn.Dropout)
    ]
    ids = torch.randint(5, 50, (4, 9))
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0  # padding that attention must not see
    inputs = {"input_ids": ids, "attention_mask": mask}
    torch.testing.assert_close(quick(**inputs).logits, plain(**inputs).logits)
    quick.train()
    assert not torch.equal(quick(**inputs).logits, quick(**inputs).logits)
    without_dropout(quick)
    torch.testing.assert_close(quick(**inputs).logits, plain(**inputs).logits)
