"""Graphs that answer sure texts before their last layers."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from tasks.data.dataset import Text
from tasks.inference.fusion import FUSIONS
from tasks.inference.onnx_export import with_weights
from tasks.inference.predictor import Predictor
from tasks.inference.quantisation import Recipe
from tasks.inference.release import MODEL, Release
from tasks.inference.targets import TARGETS
from tasks.inference.variants import Exported
from tasks.params.export import Export
from tasks.task.figures import softmax
from tasks.training.classifier import load_pretrained, load_tokenizer
from tasks.training.early import (
    FILE,
    Leaving,
    as_plain,
    leaving_early,
    with_lenses,
    write_exits,
)
from tasks.training.parts import layers_of
from tasks.training.scoring import predict_early
from tests.inference.made import KINDS, MAX_LENGTH

ALWAYS = -1.0
"""Every probability is above it."""
CPU = TARGETS["cpu"]
TEXTS: list[Text] = [
    f"{start} {middle} {'film ' * many}"
    for start in ("a fine", "the worst", "moving", "no")
    for middle in ("plot", "cast and music", "")
    for many in (0, 1, 5)
]


@pytest.fixture(scope="module")
def exported(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """A model that a third of `TEXTS` leave after one layer, and half of the others after two."""
    place = tmp_path_factory.mktemp("early")
    tokenizer = load_tokenizer(tiny_model, MAX_LENGTH)
    torch.manual_seed(1)
    task = KINDS["classification"]
    model: Any = load_pretrained(tiny_model, tokenizer, task, "eager", MAX_LENGTH, None)
    for layer in layers_of(model):
        for parameter in layer.parameters():
            parameter.data += 0.1 * torch.randn_like(parameter)
    model.classifier.weight.data *= 50
    work = place / "work"
    work.mkdir()

    with_lenses(leaving_early(model, {1: ALWAYS, 2: ALWAYS}), (1, 2))
    for parameter in model.lenses.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)

    def saved(certainties: dict[int, float]) -> Exported:
        with as_plain(model):
            model.save_pretrained(place / "model")
        leaving = [Leaving(after, certainty, 0.0) for after, certainty in certainties.items()]
        write_exits(leaving_early(model, certainties), leaving, place / "model")
        tokenizer.save_pretrained(place / "model")
        return Exported("level1", place / "model", work, Export(threads=1), TEXTS, TEXTS)

    def sure_after(layers: int) -> np.ndarray:
        found: np.ndarray = softmax(saved({layers: ALWAYS}).answer(CPU)).max(1)
        return found

    one, two = sure_after(1), sure_after(2)
    first = float(np.quantile(one, 0.66))
    return saved({1: first, 2: float(np.median(two[one <= first]))})


def places(exported: Exported) -> list[int]:
    """After how many layers each text leaves; 4 where it goes through all."""
    found = np.full(len(exported.texts), 4)
    logits = predict_early(exported.model, *exported._asked())
    for place in (2, 1):
        found[softmax(logits[place]).max(1) > exported.certainties[place]] = place
    return found.tolist()


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_graph_answers_as_pytorch_does_however_texts_come(
    exported: Exported, tmp_path: Path, precision: Any, fusion: str
) -> None:
    leave = places(exported)
    assert min(leave.count(place) for place in (1, 2, 4)) >= 5, "all three ways are gone"
    agreement, mending = exported.variant(tmp_path / "variant", CPU, precision, fusion)
    assert mending is None
    assert agreement.same_labels == 1
    predictor, reference = Predictor.load(tmp_path / "variant"), exported.answer(CPU)
    alone = np.concatenate([predictor.logits([text]) for text in exported.texts])
    for found in (alone, predictor.logits(exported.texts, batch_size=5)):
        off = np.abs(found - reference).max(1)
        if precision == "fp32":
            assert off.max() < 1e-4
        else:
            assert np.median(off) < 0.05 * np.abs(reference).mean()
    assert Release.read(tmp_path / "variant").params["early"] == {
        str(place): certainty for place, certainty in exported.certainties.items()
    }


@pytest.mark.parametrize("fusion", FUSIONS)
def test_so_it_does_where_each_token_has_a_range(
    exported: Exported, tmp_path: Path, fusion: str
) -> None:
    predictor = exported.served(tmp_path / "out", CPU, "int8", fusion, Recipe(ranges="token"))
    reference = exported.answer(CPU)
    together = predictor.logits(exported.texts, batch_size=5)
    off = np.abs(together - reference).max(1)
    assert np.median(off) < 0.05 * np.abs(reference).mean()
    assert exported.compare(reference, predictor).same_labels == 1
    products = onnx.load(tmp_path / "out" / MODEL).graph
    assert "MatMulIntegerToFloat" in {node.op_type for node in _all_nodes(products)}


def _all_nodes(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """Those of the graphs within it as well."""
    within = [each.g for node in graph.node for each in node.attribute if each.HasField("g")]
    return [*graph.node, *(node for each in within for node in _all_nodes(each))]


@pytest.mark.parametrize("opset", [17, 18, 23])
def test_older_and_newer_opsets_answer_so_too(
    exported: Exported, tmp_path: Path, opset: int
) -> None:
    (tmp_path / "work").mkdir()
    source = exported.work.parent / "model"
    wishes = Export(threads=1, opset=opset)
    other = Exported("level1", source, tmp_path / "work", wishes, TEXTS, TEXTS)
    other.write(tmp_path / "variant", CPU, "fp32", "none")
    graph = onnx.load(tmp_path / "variant" / MODEL)
    assert graph.opset_import[0].version >= opset
    found = Predictor.load(tmp_path / "variant").logits(other.texts, batch_size=5)
    assert np.abs(found - exported.answer(CPU)).max() < 1e-4


def test_what_comes_after_a_place_is_not_computed_for_a_text_that_leaves(
    exported: Exported, tmp_path: Path
) -> None:
    exported.write(tmp_path / "variant", CPU, "fp32", "none")
    graph = onnx.load(tmp_path / "variant" / MODEL).graph
    within = [node for node in graph.node if node.op_type == "If"]
    assert len(within) == 1
    assert [each.name for each in graph.output] == ["logits"]

    def products(graph: onnx.GraphProto) -> set[str]:
        return {node.name for node in graph.node if node.op_type in ("MatMul", "Gemm")}

    ways = {each.name: each.g for each in within[0].attribute}
    assert not products(ways["else_branch"]), "nothing where all texts leave"
    outside, inside = products(graph), products(ways["then_branch"])
    assert any("layer.0." in name for name in outside)
    assert not any("layer.1." in name or "layer.2." in name for name in outside)
    assert any("layer.1." in name for name in inside)
    assert not any("layer.2." in name for name in inside), "that is a step further in"


def test_a_model_whose_folder_does_not_say_so_leaves_early_where_it_is_told(
    exported: Exported, tmp_path: Path
) -> None:
    (tmp_path / "work").mkdir()
    source = exported.work.parent / "model"
    shutil.copytree(source, tmp_path / "model", ignore=shutil.ignore_patterns(FILE))
    told = Exported(
        "finetuned", tmp_path / "model", tmp_path / "work", Export(threads=1), TEXTS, TEXTS,
        exits=source,
    )  # fmt: skip
    assert told.certainties == exported.certainties
    told.write(tmp_path / "variant", CPU, "fp32", "none")
    found = Predictor.load(tmp_path / "variant").logits(told.texts, batch_size=5)
    assert np.abs(found - exported.answer(CPU)).max() < 1e-4


def test_no_weight_is_there_twice(exported: Exported) -> None:
    plain, early = (onnx.load(exported.graph("none", each)).graph for each in (False, True))
    ours, theirs = (
        {name for _, name in with_weights(graph) if name.startswith("model.")}
        for graph in (early, plain)
    )
    assert ours == theirs
    lenses = [node.name for node, _ in with_weights(early) if "lenses" in node.name]
    assert lenses == [f"lenses.{place}.change" for place in (1, 2)], "each once"
    asked = [node.name for node, _ in with_weights(early) if "classifier" in node.name]
    assert asked == ["classifier", "classifier#2", "classifier#3"]


def test_a_runtime_that_can_not_goes_through_all_layers(exported: Exported, tmp_path: Path) -> None:
    target = TARGETS["tensorrt"]
    full, early = exported.answer(target), exported.answer(CPU)
    assert np.abs(full - early).max() > 0.01
    exported.write(tmp_path / "variant", target, "fp16", "none")
    card = Release.read(tmp_path / "variant")
    assert "early" not in card.params
    with pytest.warns(RuntimeWarning, match="runs on the CPU"):
        found = Predictor.load(tmp_path / "variant").logits(exported.texts)
    assert np.abs(found - full).max() < 0.05
