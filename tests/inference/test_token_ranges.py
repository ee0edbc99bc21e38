"""Products in int8 where each token has a range: what a few large activations do to the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper, numpy_helper

from tasks.inference.harm import Ranges, harms
from tasks.inference.quantisation import Recipe, quantise
from tasks.inference.release import MODEL, Release
from tasks.inference.targets import TARGETS
from tasks.training.classifier import load_finetuned
from tests.inference.test_quantisation import Crooked, crooked, exported

WIDTH, OUT = 24, 10
RANDOM = np.random.default_rng(5)
WEIGHTS = {
    name: RANDOM.normal(size=(WIDTH, OUT)).astype(np.float32) for name in ("first", "second")
}
STATES = RANDOM.normal(size=(3, 5, WIDTH)).astype(np.float32)
LARGE = (1, 2)
"""The text and the token whose activations are a thousand times the others'."""
STATES[LARGE] *= 1000


def products(folder: Path, opset: int = 20) -> Path:
    """A graph of two products of one input, and another one by the weights of the first."""
    nodes = [
        helper.make_node("MatMul", ["x", "first"], ["one"], name="module.one"),
        helper.make_node("MatMul", ["x", "second"], ["two"], name="module.two"),
        helper.make_node("Tanh", ["x"], ["bounded"]),
        helper.make_node("MatMul", ["bounded", "first"], ["three"], name="module.three"),
    ]
    graph = helper.make_graph(
        nodes,
        "products",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["b", "t", WIDTH])],
        [
            helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["b", "t", OUT])
            for name in ("one", "two", "three")
        ],
        [numpy_helper.from_array(weight, name) for name, weight in WEIGHTS.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    onnx.save(model, folder / "plain.onnx")
    return folder / "plain.onnx"


def run(path: Path, states: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found: list[np.ndarray] = session.run(["one", "two", "three"], {"x": states})
    return found


def off(found: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """How far each token is off, as a share of its own size: [b, t]."""
    norm = np.linalg.norm
    shares: np.ndarray = norm(found - expected, axis=-1) / norm(expected, axis=-1)
    return shares


def int8(source: Path, ranges: Ranges, **recipe: Any) -> Path:
    target = source.with_name(f"{ranges}.onnx")
    quantise(source, target, Recipe(ranges=ranges, **recipe))
    return target


@pytest.mark.parametrize("opset", [17, 20])
def test_a_large_token_spoils_no_other(tmp_path: Path, opset: int) -> None:
    plain = products(tmp_path, opset)
    expected = run(plain, STATES)
    others = np.ones(STATES.shape[:2], bool)
    others[LARGE] = False
    shared = [off(*each) for each in zip(run(int8(plain, "tensor"), STATES), expected, strict=True)]
    assert min(each[others].min() for each in shared[:2]) > 0.5, "the range is lost on the one"
    alone = [off(*each) for each in zip(run(int8(plain, "token"), STATES), expected, strict=True)]
    assert max(each.max() for each in alone) < 0.02, "the large one is right as well"


def test_a_text_has_the_same_answer_in_any_company(tmp_path: Path) -> None:
    small = int8(products(tmp_path), "token")
    together = run(small, STATES)
    for text in range(len(STATES)):
        for found, wanted in zip(run(small, STATES[text : text + 1]), together, strict=True):
            np.testing.assert_array_equal(found[0], wanted[text])


def test_nothing_and_next_to_nothing_are_no_divisions_by_nought(tmp_path: Path) -> None:
    small = int8(products(tmp_path), "token")
    states = np.stack([np.zeros((2, WIDTH)), np.full((2, WIDTH), 1e-42)]).astype(np.float32)
    assert all(np.abs(each).max() < 1e-30 for each in run(small, states))


@pytest.mark.parametrize(("bits", "largest"), [(8, 127), (7, 64)])
def test_weights_have_as_many_bits_as_they_may(tmp_path: Path, bits: Any, largest: int) -> None:
    graph = onnx.load(int8(products(tmp_path), "token", bits=bits)).graph
    weights = [
        numpy_helper.to_array(each)
        for each in graph.initializer
        if each.data_type == onnx.TensorProto.INT8
    ]
    assert len(weights) == 2, "those of two products are there once"
    assert {int(np.abs(each.astype(int)).max()) for each in weights} == {largest}


def test_what_is_exact_stays_though_another_has_its_weights_in_int8(tmp_path: Path) -> None:
    plain = products(tmp_path)
    small = int8(plain, "token", exact=("module.three",))
    one, _, three = run(small, STATES)
    expected = run(plain, STATES)
    np.testing.assert_array_equal(three, expected[2])
    assert 0 < off(one, expected[0]).max() < 0.02
    names = {each.name for each in onnx.load(small).graph.initializer}
    assert "first" in names
    assert "second" not in names


def test_harm_is_told_where_a_large_token_would_hide_it(tmp_path: Path) -> None:
    """By power alone the large token is all that counts, and it is right."""
    plain = products(tmp_path)
    feeds: Any = {"x": STATES}
    shared, alone = harms(plain, feeds), harms(plain, feeds, ranges="token")
    assert shared["module.one"].rounding < 1e-3
    assert 0 < alone["module.one"].rounding < 1e-3
    assert max(each.overflow for each in alone.values()) < 1


@pytest.fixture(scope="module")
def massive(tiny_classifier: Path, tmp_path_factory: pytest.TempPathFactory) -> Crooked:
    """In every layer a neuron is thousands of times as active as the others for the token that ends
    a text, and for that alone; it gives nothing on, and neither do that token's others."""
    model: Any = load_finetuned(tiny_classifier, "eager")
    end = 3
    torch.manual_seed(1)
    with torch.no_grad():
        model.classifier.weight.normal_()
        tables = model.bert.embeddings
        for table in (tables.word_embeddings, tables.position_embeddings):
            table.weight[:, 0] = 0.0
        tables.token_type_embeddings.weight[:, 0] = 0.0
        tables.word_embeddings.weight[end, 0] = 0.3
        for layer in model.bert.encoder.layer:
            for weight in layer.parameters():
                weight *= 6 if weight.ndim == 2 else 1  # so that texts differ
            self = layer.attention.self
            for first in (self.query, self.key, self.value):
                first.weight[:, 0] = 0.0
            for last in (layer.attention.output.dense, layer.output.dense):
                last.weight[0] = last.bias[0] = 0.0
            layer.output.dense.weight[:, 0] = 0.0
            layer.intermediate.dense.weight[:, 0] = -2.0
            layer.intermediate.dense.weight[0] = 0.0
            layer.intermediate.dense.weight[0, 0] = 9000.0
            layer.intermediate.dense.bias[0] = -18000.0
    return crooked(model, tiny_classifier, tmp_path_factory.mktemp("massive") / "model")


@pytest.mark.parametrize("target", ["cpu", "mobile"])
def test_a_model_that_bears_no_shared_range_is_mended(
    massive: Crooked, tmp_path: Path, target: str
) -> None:
    model = exported(massive.model, tmp_path / "work", massive.texts)
    agreement, mending = model.variant(tmp_path / "out", TARGETS[target], "int8", "attention")
    assert mending is not None
    assert (mending.recipe.ranges, mending.recipe.exact) == ("token", ())
    assert agreement.same_labels >= 0.9
    card = Release.read(tmp_path / "out")
    assert (card.params["ranges"], card.params["exact"]) == ("token", [])
    if target == "cpu":
        kinds = [node.op_type for node in onnx.load(tmp_path / "out" / MODEL).graph.node]
        assert kinds.count("MatMulIntegerToFloat") == 6 * 4 + 2
