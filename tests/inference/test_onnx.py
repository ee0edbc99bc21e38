"""Export, fusion and quantisation against PyTorch, on a tiny model."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from tasks.export import _fastest, _judge
from tasks.inference.agreement import compare
from tasks.inference.fusion import FUSED, fusable
from tasks.inference.onnx_export import export_onnx, input_names
from tasks.inference.projections import JOINED
from tasks.inference.quantisation import quantise
from tasks.inference.timing import Speed, latencies, speeds
from tasks.params.export import Export
from tasks.stage.errors import BadInput
from tasks.task.classification import Classification
from tasks.training.classifier import load_finetuned, load_tokenizer
from tasks.training.prefix import with_prefix
from tests.made import model_of

TASK = Classification(("bad", "good"))
TEXTS = ["the film is dull", "superb plot , what else is there to say", "awful"]


@pytest.fixture(scope="module")
def exported(tiny_classifier: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("onnx")
    tokenizer, model = load_tokenizer(tiny_classifier), load_finetuned(tiny_classifier, "eager")
    export_onnx(model, input_names(tokenizer, model), folder / "plain.onnx", opset=20)
    return folder


def torch_logits(folder: Path, texts: list[str]) -> Any:
    tokenizer, model = load_tokenizer(folder), load_finetuned(folder, "eager").eval()
    with torch.no_grad():
        return model(**tokenizer(texts, padding=True, return_tensors="pt")).logits.numpy()


def onnx_logits(path: Path, folder: Path, texts: list[str]) -> Any:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    inputs = load_tokenizer(folder)(texts, padding=True, return_tensors="np")
    wanted = {value.name for value in session.get_inputs()}
    feeds = {name: array for name, array in inputs.items() if name in wanted}
    return session.run(None, feeds)[0]


@pytest.mark.parametrize("texts", [TEXTS[:1], TEXTS, TEXTS * 5], ids=["one", "three", "many"])
def test_any_batch_and_length_gives_pytorchs_logits(
    exported: Path, tiny_classifier: Path, texts: list[str]
) -> None:
    found = onnx_logits(exported / "plain.onnx", tiny_classifier, texts)
    np.testing.assert_allclose(found, torch_logits(tiny_classifier, texts), atol=1e-5)


@pytest.mark.parametrize("attention", [False, True], ids=["plain", "joined"])
def test_joining_and_quantising_keep_the_answer(
    tiny_classifier: Path, tmp_path: Path, attention: bool
) -> None:
    tokenizer, model = load_tokenizer(tiny_classifier), load_finetuned(tiny_classifier, "eager")
    expected = torch_logits(tiny_classifier, TEXTS)
    graph, small = tmp_path / "fp32.onnx", tmp_path / "int8.onnx"
    export_onnx(model, input_names(tokenizer, model), graph, opset=20, attention=attention)
    exact = compare(TASK, expected, onnx_logits(graph, tiny_classifier, TEXTS))
    assert exact.same_labels == 1
    assert exact.largest_difference < 1e-4
    quantise(graph, small)
    rounded = compare(TASK, expected, onnx_logits(small, tiny_classifier, TEXTS))
    assert rounded.largest_difference < 0.5 * np.abs(expected).max()
    kinds = [node.op_type for node in onnx.load(small).graph.node]
    assert "MatMulInteger" in kinds
    layers: int = model.config.num_hidden_layers  # type: ignore[union-attr, assignment]
    # the last one's query is the first token's alone
    found = (kinds.count(JOINED), kinds.count(FUSED))
    assert found == ((layers - 1, 1) if attention else (0, 0))
    assert ("Softmax" in kinds) is not attention
    assert torch_logits(tiny_classifier, TEXTS).tolist() == expected.tolist()


def test_a_joined_attention_leaves_no_heads_in_the_graph(
    exported: Path, tiny_classifier: Path, tmp_path: Path
) -> None:
    tokenizer, model = load_tokenizer(tiny_classifier), load_finetuned(tiny_classifier, "eager")
    before = model.config._attn_implementation  # type: ignore[union-attr]
    path = tmp_path / "joined.onnx"
    export_onnx(model, input_names(tokenizer, model), path, opset=20, attention=True)
    plain, joined = (
        Counter(node.op_type for node in onnx.load(graph).graph.node)
        for graph in (exported / "plain.onnx", path)
    )
    assert joined["Reshape"] == joined["Transpose"] == 0
    assert joined.total() < 0.6 * plain.total()
    assert model.config._attn_implementation == before  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", ["bert", "roberta", "electra", "distilbert"])
def test_every_family_can_have_its_attention_joined(kind: str, tmp_path: Path) -> None:
    model = model_of(kind).eval()
    names = ["input_ids", "attention_mask"]
    assert fusable(model)
    path = tmp_path / "joined.onnx"
    export_onnx(model, names, path, opset=20, attention=True)
    ids = torch.tensor([[2, 5, 7, 9, 3], [2, 8, 3, 0, 0]])
    mask = (ids != 0).long()
    with torch.no_grad():
        expected = model(ids, attention_mask=mask).logits.numpy()
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"input_ids": ids.numpy(), "attention_mask": mask.numpy()})
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_decoder_and_a_prefix_keep_a_plain_attention() -> None:
    assert not fusable(model_of("llama"))
    assert not fusable(with_prefix(model_of("bert"), 5))


def test_equal_models_give_equal_files_without_traces_of_this_machine(
    exported: Path, tiny_classifier: Path, tmp_path: Path
) -> None:
    tokenizer, model = load_tokenizer(tiny_classifier), load_finetuned(tiny_classifier, "eager")
    export_onnx(model, input_names(tokenizer, model), tmp_path / "again.onnx", opset=20)
    content = (tmp_path / "again.onnx").read_bytes()
    assert content == (exported / "plain.onnx").read_bytes()
    assert b".py" not in content
    assert str(Path.home()).encode() not in content


def test_logits_that_are_no_numbers_never_agree() -> None:
    fine, broken = np.ones((2, 2), np.float32), np.full((2, 2), np.nan, np.float32)
    assert compare(TASK, fine, broken).same_labels == 0


@pytest.mark.parametrize(
    ("precision", "difference", "message"),
    [("fp32", 0.01, "export.max_difference allows 0.001"), ("int8", 9.0, "min_agreement is 95 %")],
)
def test_a_variant_that_disagrees_fails_the_stage(
    precision: str, difference: float, message: str
) -> None:
    one = np.array([[1.0, 0.0]] * 10, np.float32)
    other = one.copy()
    other[0] += [-difference, difference]
    finding = {"variant": f"x-{precision}", "precision": precision, "latency_threads": 1}
    finding |= asdict(compare(TASK, one, other))
    with pytest.raises(BadInput, match=f"x-{precision} must not ship: .*{message}"):
        _judge(finding, Export(), [finding])


def test_latencies_are_medians_of_interleaved_calls() -> None:
    calls: list[str] = []
    predictors = {name: lambda _texts, name=name: calls.append(name) for name in ("a", "b")}
    assert set(latencies(predictors, ["x", "y"], rounds=2)) == {"a", "b"}
    assert calls == ["a", "a", "b", "b"] * 3


def test_a_fusion_is_chosen_by_single_texts_and_by_many_alike() -> None:
    fast_alone, fast_together = Speed(1.0, 0.9), Speed(1.1, 0.6)
    assert _fastest({"layernorm": fast_alone, "none": fast_together}) == "none"
    assert _fastest({"attention": None}) == "attention"


def test_many_texts_are_timed_in_one_call() -> None:
    calls: list[int] = []
    found = speeds({"a": lambda texts: calls.append(len(texts))}, ["x", "y", "z"], rounds=1)
    assert calls == [1] * 6 + [3] * 2
    assert found["a"].together > 0
