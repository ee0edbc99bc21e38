"""Embedding tables added up before a graph is made: the same answers from fewer look-ups."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from tasks.inference.onnx_export import export_onnx
from tasks.inference.predictor import Predictor
from tasks.inference.tables import added_up, needed_inputs
from tasks.inference.targets import TARGETS
from tasks.inference.variants import Exported
from tasks.params.export import Export
from tasks.training.prefix import with_prefix
from tests.made import model_of

IDS = torch.tensor([[2, 5, 7, 9, 3], [2, 8, 3, 0, 0]])
KNOWN = ["input_ids", "token_type_ids", "attention_mask"]
ALONE = ["input_ids", "attention_mask"]
TOKENS = 8


def answers(model: Any, names: list[str], types: torch.Tensor | None = None) -> np.ndarray:
    given = {"input_ids": IDS, "attention_mask": (IDS != 0).long(), "token_type_ids": types}
    with torch.no_grad():
        found: np.ndarray = model(**{name: given[name] for name in names}).logits.numpy()
    return found


def graph_of(model: Any, names: list[str], path: Path) -> Path:
    with added_up(model, names, TOKENS):
        export_onnx(model.eval(), names, path, opset=20)
    return path


@pytest.mark.parametrize("kind", ["bert", "roberta", "electra", "distilbert", "albert"])
def test_every_family_answers_as_before(kind: str, tmp_path: Path) -> None:
    model: Any = model_of(kind)
    for weight in model.parameters():
        weight.data += 0.3 * torch.randn_like(weight)
    expected = answers(model, ALONE)
    path = graph_of(model, ALONE, tmp_path / "graph.onnx")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    feeds = {"input_ids": IDS.numpy(), "attention_mask": (IDS != 0).long().numpy()}
    np.testing.assert_allclose(session.run(None, feeds)[0], expected, atol=1e-5)
    assert answers(model, ALONE).tolist() == expected.tolist(), "the model is what it was"


def tables(path: Path) -> Counter[int]:
    """How many rows those have that a graph looks something up in."""
    graph = onnx.load(path).graph
    weights = {each.name: each.dims for each in graph.initializer}
    read = [node.input[0] for node in graph.node if node.op_type == "Gather"]
    return Counter(weights[name][0] for name in read if len(weights.get(name, ())) == 2)


def test_words_alone_are_looked_up(tmp_path: Path) -> None:
    model = model_of("bert")
    assert tables(graph_of(model, ALONE, tmp_path / "alone.onnx")) == Counter([50])
    graph = onnx.load(tmp_path / "alone.onnx").graph
    assert [each.name for each in graph.input] == ALONE
    positions = next(each for each in graph.initializer if each.name.endswith("positions"))
    assert list(positions.dims) == [TOKENS, 16]


def test_pairs_keep_the_types_of_their_tokens(tmp_path: Path) -> None:
    model: Any = model_of("bert")
    model.bert.embeddings.token_type_embeddings.weight.data.normal_()
    types = torch.tensor([[0, 0, 1, 1, 1], [0, 0, 1, 0, 0]])
    expected = answers(model, KNOWN, types)
    path = graph_of(model, KNOWN, tmp_path / "pairs.onnx")
    assert tables(path) == Counter([50, 2])
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    feeds = {
        "input_ids": IDS.numpy(),
        "attention_mask": (IDS != 0).long().numpy(),
        "token_type_ids": types.numpy(),
    }
    np.testing.assert_allclose(session.run(None, feeds)[0], expected, atol=1e-5)


def test_which_inputs_a_graph_needs() -> None:
    assert needed_inputs(model_of("bert"), KNOWN, pairs=False) == ALONE
    assert needed_inputs(model_of("bert"), KNOWN, pairs=True) == KNOWN
    assert needed_inputs(model_of("distilbert"), ALONE, pairs=False) == ALONE
    assert needed_inputs(with_prefix(model_of("bert"), 5), KNOWN, pairs=False) == KNOWN


@pytest.mark.parametrize("pairs", [False, True])
def test_a_release_says_what_its_graph_takes(
    tiny_classifier: Path, tmp_path: Path, pairs: bool
) -> None:
    texts: list[Any] = ["the film is dull", "a superb plot"]
    given = [(text, "awful") for text in texts] if pairs else texts
    (tmp_path / "work").mkdir()
    exported = Exported("finetuned", tiny_classifier, tmp_path / "work", Export(), given, given)
    exported.write(tmp_path / "release", TARGETS["cpu"], "fp32", "attention")
    predictor = Predictor.load(tmp_path / "release")
    assert ("token_type_ids" in predictor.release.inputs) is pairs
    found = np.concatenate([predictor.logits(given), predictor.logits(given[:1])])
    expected = exported.answer()
    np.testing.assert_allclose(found, np.concatenate([expected, expected[:1]]), atol=1e-4)
