"""The mean of a text's hidden states in place of the first one, through all that comes after."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tasks.compression.families import FAMILIES, family_of
from tasks.compression.surgery import cut
from tasks.inference.onnx_export import export_onnx
from tasks.stage.errors import BadInput
from tasks.training.adapters import adapted, merged
from tasks.training.classifier import load_finetuned
from tasks.training.pooling import check_pooling, mean, pooled, pooling_of
from tests.made import model_of

IDS = torch.tensor([[2, 7, 9, 3, 0, 0], [2, 11, 8, 6, 5, 3]])
MASK = (IDS != 0).long()
TYPED = ("bert", "electra")


def answer(model: Any, ids: torch.Tensor = IDS, mask: torch.Tensor = MASK) -> torch.Tensor:
    with torch.no_grad():
        logits: torch.Tensor = model(input_ids=ids, attention_mask=mask).logits
    return logits


@pytest.mark.parametrize("kind", FAMILIES)
def test_the_head_reads_the_mean_of_what_is_no_padding(kind: str) -> None:
    plain: Any = model_of(kind)
    model: Any = pooled(copy.deepcopy(plain), "mean")
    assert {*model.state_dict()} == {*plain.state_dict()}
    with torch.no_grad():
        states = plain.base_model(input_ids=IDS, attention_mask=MASK)[0]
    # what the plain model would say of a text whose first hidden state is that mean
    handle = _reads(plain).register_forward_pre_hook(
        lambda _, inputs: (_as_read(plain, mean(states, MASK), inputs[0]),)
    )
    expected = answer(plain)
    handle.remove()
    torch.testing.assert_close(answer(model), expected)
    assert not torch.allclose(answer(plain), expected)
    torch.testing.assert_close(answer(model)[:1], answer(model, IDS[:1, :4], MASK[:1, :4]))


def _reads(model: Any) -> Any:
    """The first module after the encoder: it gets hidden states, or the first one of them."""
    if model.config.model_type == "bert":
        return model.bert.pooler
    return model.pre_classifier if model.config.model_type == "distilbert" else model.classifier


def _as_read(model: Any, state: torch.Tensor, usual: torch.Tensor) -> torch.Tensor:
    return state if usual.ndim == 2 else state[:, None]


@pytest.mark.parametrize("kind", FAMILIES)
def test_it_survives_the_folder_pruning_and_export(kind: str, tmp_path: Path) -> None:
    import onnxruntime

    model: Any = pooled(model_of(kind), "mean")
    family = family_of(model)
    assert family is not None
    smaller: Any = cut(model, family, [0, 2], [np.arange(9)] * 2)
    assert type(smaller) is type(model)
    smaller.save_pretrained(tmp_path / "model")
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["architectures"] == [type(model).__name__]
    loaded: Any = load_finetuned(tmp_path / "model", "eager").eval()
    assert type(loaded) is type(model)
    assert pooling_of(loaded.config) == "mean"
    torch.testing.assert_close(answer(loaded), answer(smaller))
    if kind != "bert":  # an export takes seconds
        return
    names = ["input_ids", "attention_mask", *(["token_type_ids"] if kind in TYPED else [])]
    export_onnx(loaded, names, tmp_path / "model.onnx", opset=20)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    feeds = {"input_ids": IDS, "attention_mask": MASK, "token_type_ids": torch.zeros_like(IDS)}
    (logits,) = session.run(None, {name: feeds[name].numpy() for name in names})
    np.testing.assert_allclose(logits, answer(loaded).numpy(), atol=1e-5)


def test_adapters_sit_on_it_and_are_merged() -> None:
    from tasks.params.finetune import Adapter

    model: Any = pooled(model_of("bert"), "mean")
    before = answer(model)
    plain: Any = merged(adapted(model, Adapter(method="lora"), 10).eval())
    assert type(plain).__name__ == "MeanBertForSequenceClassification"
    torch.testing.assert_close(answer(plain), before)


def test_cls_is_the_model_as_it_is() -> None:
    model = model_of("bert")
    assert type(pooled(model, "cls")).__name__ == "BertForSequenceClassification"
    assert pooling_of(model.config) == "cls"


def test_what_can_not_be_read_so_is_one_clear_line() -> None:
    with pytest.raises(BadInput, match="got 'mean'; takes cls: for albert models it is not known"):
        check_pooling("mean", "albert", per_token=False)
    with pytest.raises(BadInput, match="takes cls: a task labels tokens"):
        check_pooling("mean", "bert", per_token=True)
    check_pooling("cls", "albert", per_token=True)
