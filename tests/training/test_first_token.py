"""A last layer for the first token alone gives the answers and gradients of a whole one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest
import torch

from tasks.compression.families import FAMILIES, family_of
from tasks.compression.surgery import cut, without
from tasks.inference.onnx_export import export_onnx
from tasks.training.first_token import reading_first
from tasks.training.parts import layers_of
from tasks.training.pooling import pooled
from tests.made import model_of

IDS = torch.tensor([[2, 7, 9, 3, 1, 1], [2, 11, 8, 6, 5, 3], [2, 4, 3, 1, 1, 1]])
MASK = (IDS != 1).long()


def of_kind(kind: str, attention: str) -> Any:
    model = model_of(kind)
    model.set_attn_implementation(attention)
    return model


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("kind", FAMILIES)
def test_answers_and_gradients_are_those_of_the_whole_layer(kind: str, attention: str) -> None:
    whole, lean = of_kind(kind, attention), reading_first(of_kind(kind, attention))
    answers = []
    for model in (whole, lean):
        answer = model(input_ids=IDS, attention_mask=MASK, output_hidden_states=True)
        answer.logits.square().sum().backward()
        answers.append(answer)
    torch.testing.assert_close(answers[1].logits, answers[0].logits)
    assert answers[0].hidden_states[-1].shape == (3, 6, 16)
    assert answers[1].hidden_states[-1].shape == (3, 1, 16)
    torch.testing.assert_close(
        answers[1].hidden_states[-1][:, 0], answers[0].hidden_states[-1][:, 0]
    )
    for name, parameter in whole.named_parameters():
        torch.testing.assert_close(
            lean.get_parameter(name).grad, parameter.grad, msg=name, atol=1e-6, rtol=1e-4
        )
    assert list(lean.state_dict()) == list(whole.state_dict())
    alone = lean(input_ids=IDS[1:2]).logits  # no mask where nothing is padding
    torch.testing.assert_close(alone, answers[0].logits[1:2])


@pytest.mark.parametrize("kind", FAMILIES)
def test_a_model_that_is_cut_has_its_new_last_layer_so(kind: str) -> None:
    whole, lean = model_of(kind), reading_first(model_of(kind))
    family = family_of(whole)
    assert family is not None
    with without(whole, family, [3]), without(lean, family, [3]), torch.no_grad():
        torch.testing.assert_close(lean(IDS, MASK).logits, whole(IDS, MASK).logits)
    width = family.feed_forward(family.layers_of(whole)[0])[0].out_features
    rows = [torch.arange(width).numpy()] * 2
    few: Any = cut(lean, family, [0, 2], rows)
    with without(whole, family, [1, 3]), torch.no_grad():
        expected = whole(IDS, MASK).logits
        found = few(IDS, MASK, output_hidden_states=True)
    torch.testing.assert_close(found.logits, expected)
    assert found.hidden_states[-1].shape[1] == 1


def test_one_that_needs_every_token_stays_as_it_is() -> None:
    mean: Any = reading_first(pooled(model_of("bert"), "mean"))
    decoder: Any = reading_first(model_of("llama"))
    for model in (mean, decoder):
        assert not type(layers_of(model)[-1].get_submodule("")).__name__.startswith("FirstToken")
    with torch.no_grad():
        assert mean(IDS, MASK, output_hidden_states=True).hidden_states[-1].shape[1] == 6


def test_the_graph_has_less_to_do(workspace: Path) -> None:
    """The products of the last layer's feed-forward network go over one token."""
    nodes = {}
    for name, model in (("whole", model_of("bert")), ("lean", reading_first(model_of("bert")))):
        path = workspace / f"{name}.onnx"
        export_onnx(model, ["input_ids", "attention_mask"], path, 20)
        graph = onnx.shape_inference.infer_shapes(onnx.load(path)).graph
        shapes = {
            each.name: [d.dim_value or d.dim_param for d in each.type.tensor_type.shape.dim]
            for each in graph.value_info
        }
        products = [node for node in graph.node if node.op_type in ("MatMul", "Gemm")]
        wide = [each.output[0] for each in products if shapes.get(each.output[0], [0])[-1] == 24]
        nodes[name] = shapes[wide[-1]]
    assert nodes["whole"][-2] != 1
    assert nodes["lean"][-2] == 1
