"""What a release is made for: its graph is what that takes, and answers as PyTorch does."""

from __future__ import annotations

import shutil
import sys
import warnings
from pathlib import Path
from typing import Any, get_args

import numpy as np
import onnx
import pytest
import torch

from tasks.data.dataset import Text
from tasks.export import wanted
from tasks.inference.agreement import Agreement
from tasks.inference.predictor import Predictor
from tasks.inference.quantisation import Recipe, without
from tasks.inference.release import COMPILED, MODEL, Precision, Release, graph_of, verify
from tasks.inference.targets import TARGETS
from tasks.inference.timing import fewest, time_threads
from tasks.inference.variants import WHOLE, Exported
from tasks.params.export import Export, TargetName
from tasks.stage.errors import BadInput
from tasks.training.classifier import load_finetuned, load_pretrained, load_tokenizer
from tests.inference.made import KINDS, MAX_LENGTH, STRIDE
from tests.made import opinions

TEXTS = [text for text, _ in opinions()][:32]
SEEN = [text for text, _ in opinions()][32:96]
STEPS = 100
OFFERED = [(name, each) for name, target in TARGETS.items() for each in target.precisions]


def test_the_parameters_know_every_target() -> None:
    assert get_args(TargetName) == tuple(TARGETS)


@pytest.fixture(scope="module")
def exported(tiny_classifier: Path, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """The tiny classifier after two seconds of learning: random weights bear no 8 bits."""
    tokenizer = load_tokenizer(tiny_classifier)
    model: Any = load_finetuned(tiny_classifier, "eager")
    rows = opinions()[96:]
    truth = torch.tensor([label == "good" for _, label in rows]).long()
    inputs: Any = tokenizer([text for text, _ in rows], padding=True, return_tensors="pt")
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    model.classifier.weight.data /= 50
    torch.manual_seed(0)
    for _ in range(STEPS):
        drawn = torch.randint(len(rows), (64,))
        batch = {name: each[drawn] for name, each in inputs.items()}
        loss: Any = torch.nn.functional.cross_entropy(model(**batch).logits, truth[drawn])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    source, work = tmp_path_factory.mktemp("learnt"), tmp_path_factory.mktemp("work")
    model.save_pretrained(source)
    tokenizer.save_pretrained(source)
    return Exported("finetuned", source, work, Export(threads=1), [*TEXTS], [*SEEN])


class Variant:
    """One that was exported, and how far it answers as PyTorch does."""

    def __init__(self, folder: Path, agreement: Agreement) -> None:
        self.folder, self.agreement = folder, agreement
        self.card = Release.read(folder)

    @property
    def graph(self) -> onnx.GraphProto:
        return onnx.load(self.folder / MODEL).graph

    def kinds(self) -> set[str]:
        return {node.op_type for node in self.graph.node}

    def stored(self, *kinds: int) -> list[Any]:
        """Weights of these types, as arrays."""
        return [
            onnx.numpy_helper.to_array(each)
            for each in self.graph.initializer
            if each.data_type in kinds
        ]


@pytest.fixture(scope="module")
def variants(
    exported: Exported, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str], Variant]:
    """All that every target offers."""
    place = tmp_path_factory.mktemp("variants")
    found: dict[tuple[str, str], Variant] = {}
    for name, precision in OFFERED:
        target, folder = TARGETS[name], place / f"{name}-{precision}"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            fusion = target.fusion or "attention"
            agreement, _ = exported.variant(folder, target, precision, fusion)
        found[name, precision] = Variant(folder, agreement)
    return found


@pytest.mark.parametrize(("name", "precision"), OFFERED)
@pytest.mark.filterwarnings("ignore:.*runs on the CPU, slowly:RuntimeWarning")
def test_every_variant_serves_and_answers_as_pytorch_does(
    variants: dict[tuple[str, str], Variant], exported: Exported, name: str, precision: str
) -> None:
    variant, target = variants[name, precision], TARGETS[name]
    assert verify(variant.folder) == variant.card
    card = variant.card
    assert (card.precision, card.params["target"]) == (precision, name)
    assert (card.session.provider, card.session.runtime) == (target.provider, target.runtime)
    reference, predictor = exported.answer(), Predictor.load(variant.folder, threads=2)
    limit = {"fp32": 1e-8, "fp16": 1e-3, "int8": 0.1}[precision]
    alone = np.concatenate([predictor.logits([text]) for text in TEXTS])
    for found in (alone, predictor.logits(TEXTS, batch_size=4)):
        assert np.square(found - reference).mean() < limit * reference.var(0).mean()
    assert predictor([]) == []


@pytest.mark.parametrize("kind", ["several", "with entities"])
@pytest.mark.filterwarnings("ignore:.*runs on the CPU, slowly:RuntimeWarning")
def test_heads_and_windows_come_through_every_target(
    tiny_model: Path, tmp_path: Path, kind: str
) -> None:
    task, tokenizer = KINDS[kind], load_tokenizer(tiny_model, MAX_LENGTH)
    torch.manual_seed(1)
    model: Any = load_pretrained(tiny_model, tokenizer, task, "eager", MAX_LENGTH, None)
    model.config.nightshift_stride = STRIDE if task.per_token else 0
    source, work = tmp_path / "model", tmp_path / "work"
    model.save_pretrained(source)
    tokenizer.save_pretrained(source)
    work.mkdir()
    texts: list[Text] = [*TEXTS[:3], "the film is moving " * 12]
    wishes = Export(threads=1, min_agreement=0)
    exported = Exported("finetuned", source, work, wishes, texts, texts)
    reference = exported.answer()
    for name, precision in OFFERED:
        folder, target = tmp_path / f"{name}-{precision}", TARGETS[name]
        exported.write(folder, target, precision, target.fusion or "attention")
        predictor = Predictor.load(folder, threads=2)
        for found in (predictor.logits(texts), predictor.logits(texts, batch_size=1)):
            assert found.shape == reference.shape
            off = np.abs(found - reference).max()
            assert off < {"fp32": 1e-5, "fp16": 1e-2, "int8": 1.0}[precision], name
        assert [*map(type, predictor(texts))] == [dict] * len(texts)


def test_fp16_is_half_the_size_and_keeps_what_goes_in_and_out(
    variants: dict[tuple[str, str], Variant],
) -> None:
    half, plain = variants["cuda", "fp16"], variants["cpu", "fp32"]
    assert not half.stored(onnx.TensorProto.FLOAT)
    weights = [sum(each.nbytes for each in one.stored(1, 10)) for one in (half, plain)]
    assert weights[0] == weights[1] / 2
    assert half.graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    assert "MultiHeadAttention" in half.kinds()


def test_tensorrt_gets_symmetric_int8_and_operators_of_onnx_alone(
    variants: dict[tuple[str, str], Variant],
) -> None:
    variant = variants["tensorrt", "int8"]
    zeros = [
        onnx.numpy_helper.to_array(each)
        for each in variant.graph.initializer
        if each.name.endswith("zero_point")
    ]
    assert zeros
    assert all(not zero.any() and zero.dtype == np.int8 for zero in zeros)
    assert {node.domain for node in variant.graph.node} == {""}
    products = [node for node in variant.graph.node if node.op_type == "MatMul"]
    given = {node.output[0]: node.op_type for node in variant.graph.node}
    of_weights = [n for n in products if given.get(n.input[1]) == "DequantizeLinear"]
    assert len(of_weights) >= 4 * 6
    assert all(given[node.input[0]] == "DequantizeLinear" for node in of_weights)


def test_an_npu_gets_one_shape_and_nothing_in_floating_point(
    variants: dict[tuple[str, str], Variant],
) -> None:
    variant = variants["qnn", "int8"]
    shapes = [
        [each.dim_value for each in given.type.tensor_type.shape.dim]
        for given in variant.graph.input
    ]
    assert shapes == [[1, 32]] * len(shapes)
    assert variant.card.fixed
    assert variant.stored(onnx.TensorProto.UINT16)
    assert not variant.kinds() & {"Shape", "Range", "Expand"}, "what depends on the shape alone"
    by_output = {node.output[0]: node for node in variant.graph.node}
    rounded = {"DequantizeLinear", "QuantizeLinear"}
    for node in variant.graph.node:
        if node.op_type in ("MatMul", "Gemm", "LayerNormalization", "Softmax", "Gelu"):
            sources = [by_output[name].op_type for name in node.input if name in by_output]
            assert set(sources) <= rounded, node.name


def test_a_mobile_release_is_optimised_for_good_and_answers_as_the_cpu_does(
    variants: dict[tuple[str, str], Variant],
) -> None:
    mobile, plain = variants["mobile", "int8"], variants["cpu", "int8"]
    assert graph_of(mobile.folder).name == COMPILED
    assert not (mobile.folder / MODEL).exists()
    assert graph_of(mobile.folder).read_bytes()[4:8] == b"ORTM"
    one, other = (Predictor.load(each.folder).logits(TEXTS[:1]) for each in (mobile, plain))
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_openvino_rounds_products_and_tables_to_8_bits(
    variants: dict[tuple[str, str], Variant],
) -> None:
    small, plain = (variants["openvino", each] for each in ("int8", "fp32"))
    assert Predictor.load(small.folder).runs_on == "OpenVINO"
    sizes = [(each.folder / MODEL).stat().st_size for each in (small, plain)]
    assert sizes[0] < 0.6 * sizes[1]


@pytest.mark.parametrize(
    ("name", "precision"),
    [("cpu", "fp32"), ("cpu", "int8"), ("openvino", "int8"), ("cuda", "fp16")],
)
@pytest.mark.filterwarnings("ignore:.*runs on the CPU, slowly:RuntimeWarning")
def test_weights_that_are_too_many_for_one_file_lie_beside_it(
    exported: Exported, variants: dict[tuple[str, str], Variant], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, name: str, precision: Precision,
) -> None:  # fmt: skip
    monkeypatch.setattr("tasks.inference.onnx_export.LARGEST", 20_000)
    monkeypatch.setattr(exported, "work", tmp_path)
    fusion, usual = TARGETS[name].fusion or "attention", variants[name, precision]
    recipe = Recipe(bits=Release.read(usual.folder).params.get("bits", 8))
    assert precision != "int8" or without((), exported.harms(TARGETS[name], fusion)) == recipe
    for folder in ("one", "other"):
        exported.write(tmp_path / folder, TARGETS[name], precision, fusion, recipe)
    card = verify(tmp_path / "one")
    assert card.files == verify(tmp_path / "other").files, "equal graphs, equal bytes"
    sizes = {file: (tmp_path / "one" / file).stat().st_size for file in card.files}
    assert sizes[f"{MODEL}.data"] > 20_000
    one, other = (
        Predictor.load(each).logits(TEXTS[:4]) for each in (usual.folder, tmp_path / "one")
    )
    np.testing.assert_array_equal(one, other)
    (tmp_path / "one" / f"{MODEL}.data").unlink()
    with pytest.raises(BadInput, match=f"{MODEL}.data is missing"):
        verify(tmp_path / "one")


def test_what_was_timed_is_not_made_again(
    exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(exported.time_fusions(TARGETS["cpu"], "int8")) > 1
    exact, texts = Recipe(("classifier",)), ["dull", "a fine film"]
    exported.write(tmp_path / "anew", TARGETS["cpu"], "int8", "attention")
    monkeypatch.setattr(exported, "write", None)
    served = exported.served(tmp_path / "a", TARGETS["cpu"], "int8", "attention", WHOLE)
    expected = Predictor.load(tmp_path / "anew")
    np.testing.assert_array_equal(served.logits(texts), expected.logits(texts))
    with pytest.raises(TypeError, match="not callable"):
        exported.served(tmp_path / "b", TARGETS["cpu"], "int8", "attention", exact)


def test_as_many_threads_as_are_worth_it_work_on_one_text(
    exported: Exported, variants: dict[tuple[str, str], Variant], tmp_path: Path
) -> None:
    assert fewest({1: 1.0, 2: 0.98, 4: 1.5}) == 1
    assert fewest({1: 1.0, 2: 0.8}) == 1
    assert fewest({1: 1.0, 2: 0.7, 4: 0.6, 8: 2.0}) == 2
    assert fewest({1: 1.0, 2: 0.7, 4: 0.5}) == 4
    folder = Path(shutil.copytree(variants["cpu", "fp32"].folder, tmp_path / "release"))
    times = time_threads(folder, exported.texts, Export(threads=3))
    assert sorted(times) == [1, 2, 3]
    assert verify(folder).session.alone == fewest(times)
    for pinned, expected in ((2, 2), (9, 3)):
        wishes = Export(threads=3, latency_threads=pinned)
        assert time_threads(folder, exported.texts, wishes) == {expected: 0.0}
        assert Release.read(folder).session.alone == expected
    there = Path(shutil.copytree(variants["cuda", "fp16"].folder, tmp_path / "cuda"))
    assert time_threads(there, exported.texts, Export(threads=3)) == {3: 0.0}


def test_without_openvino_it_is_said_what_to_install(
    variants: dict[tuple[str, str], Variant], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(BadInput, match=r"OpenVINO, which is not installed; pip install 'nightshi"):
        Predictor.load(variants["openvino", "int8"].folder)


def test_a_graph_that_openvino_can_not_read_is_named(
    variants: dict[tuple[str, str], Variant], tmp_path: Path
) -> None:
    from tasks.inference.loading import load_session

    session = variants["openvino", "int8"].card.session
    (tmp_path / MODEL).write_bytes(b"not a graph")
    with pytest.raises(BadInput, match=rf"{MODEL}: OpenVINO can't load it"):
        load_session(tmp_path / MODEL, session, 1, ["logits"])
    with pytest.raises(BadInput, match="no output other; it has logits"):
        load_session(variants["openvino", "fp32"].folder / MODEL, session, 1, ["other"])


def test_a_provider_that_is_not_here_is_warned_of(
    variants: dict[tuple[str, str], Variant],
) -> None:
    with pytest.warns(RuntimeWarning, match="made for CUDAExecutionProvider, which"):
        predictor = Predictor.load(variants["cuda", "fp16"].folder)
    assert predictor.runs_on == "CPUExecutionProvider"


@pytest.mark.parametrize(
    ("name", "ran_on", "told"),
    [
        ("cpu", "CPUExecutionProvider", None),
        ("openvino", "OpenVINO", None),
        ("cuda", "CUDAExecutionProvider", None),
        ("cuda", "CPUExecutionProvider", "CPUExecutionProvider in place of CUDAExecutionProvider"),
        ("mobile", "CPUExecutionProvider", "this machine in place of a mobile processor"),
    ],
)
def test_what_stood_in_for_the_hardware_is_told(name: str, ran_on: str, told: str | None) -> None:
    assert TARGETS[name].stand_in(ran_on) == told


def test_each_target_gives_what_it_has_of_the_variants_asked_for() -> None:
    def names(**params: Any) -> list[tuple[str, Precision]]:
        return [(target.name, each) for target, each in wanted(Export(**params))]

    assert names() == [("cpu", "fp32"), ("cpu", "int8")]
    assert names(targets=["cpu", "tensorrt"], variants=["int8"]) == [
        ("cpu", "int8"),
        ("tensorrt", "int8"),
    ]
    with pytest.raises(BadInput, match=r"export.variants: got fp32; takes .* cuda has: fp16"):
        names(targets=["cuda"], variants=["fp32"])
