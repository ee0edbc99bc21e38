"""An int8 attention in one operator with its products: the same answers, where it can be had."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from tasks.compression.families import family_of
from tasks.compression.surgery import compact
from tasks.inference import quantisation
from tasks.inference.fusion import FUSED
from tasks.inference.onnx_export import export_onnx
from tasks.inference.projections import JOINED
from tasks.inference.quantisation import Recipe, quantise
from tasks.training.first_token import reading_first
from tests.made import model_of

NAMES = ["input_ids", "attention_mask"]
IDS = np.array([[2, 5, 7, 9, 3], [2, 8, 3, 0, 0]])
KINDS = ["bert", "roberta", "electra", "distilbert", "albert"]


def graph_of(model: Any, folder: Path) -> Path:
    export_onnx(model.eval(), NAMES, folder / "fp32.onnx", opset=20, attention=True)
    return folder / "fp32.onnx"


def answers(path: Path) -> np.ndarray:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found: np.ndarray = session.run(None, {"input_ids": IDS, "attention_mask": 1 * (IDS != 0)})[0]
    return found


def kinds_of(path: Path) -> Counter[str]:
    return Counter(node.op_type for node in onnx.load(path).graph.node)


def apart(graph: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The int8 graph as it would be without."""
    with monkeypatch.context() as patch:
        patch.setattr(quantisation, "join_projections", lambda _: None)
        quantise(graph, target)
    return target


@pytest.mark.parametrize("kind", KINDS)
def test_every_family_answers_to_the_last_bit_as_with_three_products(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model: Any = model_of(kind)
    torch.manual_seed(3)
    for weight in model.parameters():
        weight.data += 0.2 * torch.randn_like(weight)  # biases and scales among them
    graph = graph_of(model, tmp_path)
    before = apart(graph, tmp_path / "apart.onnx", monkeypatch)
    quantise(graph, tmp_path / "joined.onnx")
    had, has = kinds_of(before), kinds_of(tmp_path / "joined.onnx")
    layers = had[FUSED]
    assert layers == model.config.num_hidden_layers
    assert (has[JOINED], has[FUSED]) == (layers, 0)
    assert had["MatMulInteger"] - has["MatMulInteger"] == 3 * layers
    assert answers(tmp_path / "joined.onnx").tolist() == answers(before).tolist()


def test_weights_that_all_layers_share_are_there_once(tmp_path: Path) -> None:
    quantise(graph_of(model_of("albert"), tmp_path), tmp_path / "int8.onnx")
    graph = onnx.load(tmp_path / "int8.onnx").graph
    weights = [node.input[1] for node in graph.node if node.op_type == JOINED]
    assert len(weights) == 4
    assert len(set(weights)) == 1
    assert {*weights} <= {each.name for each in graph.initializer}


def test_layers_may_have_heads_of_different_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = model_of("bert")
    model.bert.encoder.layer[1].attention.output.dense.weight.data[:, :8] = 0
    family = family_of(model)
    assert family is not None
    compact(model, family)
    graph = graph_of(model, tmp_path)
    before = apart(graph, tmp_path / "apart.onnx", monkeypatch)
    quantise(graph, tmp_path / "joined.onnx")
    heads = [
        onnx.helper.get_node_attr_value(node, "num_heads")
        for node in onnx.load(tmp_path / "joined.onnx").graph.node
        if node.op_type == JOINED
    ]
    assert heads == [2, 1, 2, 2]
    assert answers(tmp_path / "joined.onnx").tolist() == answers(before).tolist()


@pytest.mark.parametrize("part", ["query", "key", "value"])
def test_one_product_in_fp32_keeps_that_layer_apart(tmp_path: Path, part: str) -> None:
    model = model_of("bert")
    exact = f"bert.encoder.layer.0.attention.self.{part}"
    graph = graph_of(model, tmp_path)
    quantise(graph, tmp_path / "int8.onnx", Recipe(exact=(exact,)))
    kinds = kinds_of(tmp_path / "int8.onnx")
    assert (kinds[JOINED], kinds[FUSED]) == (3, 1)
    assert np.abs(answers(tmp_path / "int8.onnx") - answers(graph)).max() < 0.05


def test_a_query_of_its_own_is_left_alone(tmp_path: Path) -> None:
    """The last layer's, where it is computed for the first token and reads them all."""
    quantise(graph_of(reading_first(model_of("bert")), tmp_path), tmp_path / "int8.onnx")
    kinds = kinds_of(tmp_path / "int8.onnx")
    assert (kinds[JOINED], kinds[FUSED]) == (3, 1)
