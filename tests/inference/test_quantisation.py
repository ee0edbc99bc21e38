"""An int8 that answers otherwise than fp32, and what is found to be the cause."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import pytest
import torch

from tasks.export import _check_exact
from tasks.inference.fusion import FUSIONS, LAYERNORM
from tasks.inference.harm import Harm
from tasks.inference.onnx_export import export_onnx, input_names
from tasks.inference.predictor import Predictor
from tasks.inference.quantisation import (
    Recipe,
    Way,
    mend,
    quantisable,
    quantise,
    without,
)
from tasks.inference.release import MODEL, Release
from tasks.inference.targets import TARGETS
from tasks.inference.variants import Exported
from tasks.measuring.machine import describe_cpu
from tasks.params.export import Export
from tasks.stage.errors import BadInput
from tasks.task.answers import Floats
from tasks.training.classifier import load_finetuned, load_tokenizer
from tests.made import opinions

CPU = TARGETS["cpu"]
LAYER = "bert.encoder.layer.1"
TEXTS = ["the film is dull", "superb plot , what else is there to say"]


class Crooked(NamedTuple):
    """A model that bears no plain int8, and texts that it is sure of, as many of each class."""

    model: Path
    texts: list[str]


@pytest.fixture(scope="module")
def outlier(tiny_classifier: Path, tmp_path_factory: pytest.TempPathFactory) -> Crooked:
    """One of its neurons is far more active than the others, and gives nothing on.

    The range of 8 bits is lost on it, which the product behind it suffers from.
    """
    model: Any = load_finetuned(tiny_classifier, "eager")
    layer = model.bert.encoder.layer[1]
    torch.manual_seed(1)
    with torch.no_grad():
        model.classifier.weight.normal_()
        for weight in model.bert.encoder.parameters():
            weight *= 6 if weight.ndim == 2 else 1  # so that texts differ
        layer.intermediate.dense.bias[0] = 4000.0
        layer.output.dense.weight *= 8.0
        layer.output.dense.weight[:, 0] = 0.0
    return crooked(model, tiny_classifier, tmp_path_factory.mktemp("outlier") / "model")


@pytest.fixture(scope="module")
def overflowing(tiny_classifier: Path, tmp_path_factory: pytest.TempPathFactory) -> Crooked:
    """The weights of one product are all as large as they can be, neighbours with one sign.

    8 bits have them exactly, but two of its products are more than 16 bits hold.
    """
    model: Any = load_finetuned(tiny_classifier, "eager")
    torch.manual_seed(1)
    with torch.no_grad():
        model.classifier.weight.normal_()
        for weight in model.bert.encoder.parameters():
            weight *= 6 if weight.ndim == 2 else 1
        value = model.bert.encoder.layer[1].attention.self.value.weight
        value.copy_(torch.randn(len(value), value.shape[1] // 2).sign().repeat_interleave(2, 1))
    return crooked(model, tiny_classifier, tmp_path_factory.mktemp("overflowing") / "model")


def crooked(model: Any, base: Path, folder: Path) -> Crooked:
    """Write the model, its bias between the texts of either class."""
    tokenizer, texts = load_tokenizer(base), [text for text, _ in opinions()]
    with torch.no_grad():
        logits = model(**tokenizer(texts, padding=True, return_tensors="pt")).logits
        margins = logits[:, 1] - logits[:, 0]
        order = margins.argsort()
        model.classifier.bias[0] += (margins[order[7]] + margins[order[-8]]) / 2
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return Crooked(folder, [texts[at] for at in (*order[:8].tolist(), *order[-8:].tolist())])


def exported(model: Path, work: Path, texts: list[str], exact: list[str] | None = None) -> Exported:
    work.mkdir()
    wishes = Export(fusion="attention", threads=1, min_agreement=0.9, exact=exact)
    return Exported("finetuned", model, work, wishes, [*texts], [*texts])


def test_an_operator_is_called_by_the_module_it_comes_from(
    tiny_classifier: Path, tmp_path: Path
) -> None:
    tokenizer, model = load_tokenizer(tiny_classifier), load_finetuned(tiny_classifier, "eager")
    export_onnx(model, input_names(tokenizer, model), tmp_path / "plain.onnx", opset=20)
    names = quantisable(tmp_path / "plain.onnx")
    modules = dict(model.named_modules())
    assert set(names) <= set(modules)
    kinds = (torch.nn.Linear, torch.nn.Embedding)
    assert set(names) == {name for name, each in modules.items() if isinstance(each, kinds)}


def test_a_module_that_is_used_twice_gives_two_names(tmp_path: Path) -> None:
    class Twice(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = torch.nn.Embedding(9, 4)
            self.mix = torch.nn.Linear(4, 4)

        def forward(self, input_ids: torch.Tensor) -> object:
            found = self.mix(self.mix(self.words(input_ids)))
            return type("Output", (), {"logits": found})()

    export_onnx(Twice(), ["input_ids"], tmp_path / "plain.onnx", opset=20)
    assert sorted(quantisable(tmp_path / "plain.onnx")) == ["mix", "mix#2", "words"]


@pytest.fixture(scope="module")
def tiny(tiny_classifier: Path, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return exported(tiny_classifier, tmp_path_factory.mktemp("tiny") / "work", TEXTS)


def test_what_is_exact_stays_in_fp32(tiny: Exported, tmp_path: Path) -> None:
    name = f"{LAYER}.output.dense"
    quantise(tiny.graph(), tmp_path / "int8.onnx", Recipe(exact=(name,)))
    products = [n for n in onnx.load(tmp_path / "int8.onnx").graph.node if n.name == name]
    assert [product.op_type for product in products] == ["MatMul"]


@pytest.mark.parametrize("ranges", ["tensor", "token"])
def test_a_product_that_adds_a_bias_stays_so_as_well(
    tiny: Exported, tmp_path: Path, ranges: Any
) -> None:
    quantise(tiny.graph(), tmp_path / "int8.onnx", Recipe(exact=("classifier",), ranges=ranges))
    products = [n for n in onnx.load(tmp_path / "int8.onnx").graph.node if n.op_type == "MatMul"]
    assert [each.name for each in products if not each.name.startswith("node_")] == [
        "classifier_MatMul"
    ]


def test_what_is_to_be_exact_and_is_not_there_is_named(tiny: Exported) -> None:
    name = "bert.pooler.sense"
    with pytest.raises(BadInput, match=rf"export.exact: got '{name}'; takes .*bert.pooler.dense"):
        _check_exact(Export(exact=[f"{LAYER}.output.dense", name]), tiny)
    _check_exact(Export(exact=[f"{LAYER}.output.dense"]), tiny)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_a_release_says_what_onnx_runtime_is_not_to_join(
    tiny: Exported, tmp_path: Path, fusion: str
) -> None:
    tiny.write(tmp_path / "release", CPU, "int8", fusion)
    card = Release.read(tmp_path / "release")
    assert card.params["fusion"] == fusion
    assert card.session.disabled == (() if "layernorm" in fusion else (LAYERNORM,))
    predictor = Predictor.load(tmp_path / "release")
    optimised = predictor.logits(TEXTS)
    assert np.abs(optimised - tiny.answer()).max() < 0.5


def test_seven_bits_leave_the_eighth_unused(tiny: Exported, tmp_path: Path) -> None:
    largest = {}
    for bits in (8, 7):
        quantise(tiny.graph(), tmp_path / "int8.onnx", Recipe(bits=bits))
        weights = [
            onnx.numpy_helper.to_array(weight)
            for weight in onnx.load(tmp_path / "int8.onnx").graph.initializer
            if weight.data_type == onnx.TensorProto.INT8
        ]
        largest[bits] = max(int(np.abs(weight.astype(int)).max()) for weight in weights)
    assert largest == {8: 127, 7: 64}


@pytest.mark.parametrize("target", ["cpu", "openvino"])
def test_the_operator_that_does_the_harm_is_found_and_left_in_fp32(
    outlier: Crooked, tmp_path: Path, target: str
) -> None:
    model = exported(outlier.model, tmp_path / "work", outlier.texts)
    folder = tmp_path / "release"
    agreement, mending = model.variant(folder, TARGETS[target], "int8", "attention")
    assert mending is not None
    assert mending.recipe.exact == (f"{LAYER}.output.dense",)
    worst = max(mending.harms, key=lambda name: mending.harms[name].rounding)
    assert (worst,) == mending.recipe.exact
    assert (
        mending.harms[worst].rounding
        > 10 * sorted(each.rounding for each in mending.harms.values())[-2]
    )
    assert agreement.same_labels >= 0.9
    card = Release.read(folder)
    assert card.params["exact"] == [*mending.recipe.exact]
    kinds = [node.op_type for node in onnx.load(folder / MODEL).graph.node]
    rest = {"cpu": "MatMulInteger", "openvino": "QuantizeLinear"}[target]
    assert rest in kinds, "the rest is int8 still"


def test_what_is_pinned_is_not_looked_for(outlier: Crooked, tmp_path: Path) -> None:
    model = exported(outlier.model, tmp_path / "work", outlier.texts, [f"{LAYER}.output.dense"])
    agreement, mending = model.variant(tmp_path / "a", CPU, "int8", "attention")
    assert (mending, agreement.same_labels >= 0.9) == (None, True)
    model = exported(outlier.model, tmp_path / "again", outlier.texts, [])
    agreement, mending = model.variant(tmp_path / "b", CPU, "int8", "attention")
    assert (mending, agreement.same_labels < 0.9) == (None, True)


def test_what_would_overflow_without_vnni_gets_7_bits_wherever_it_is_exported(
    overflowing: Crooked, tmp_path: Path
) -> None:
    model = exported(overflowing.model, tmp_path / "work", overflowing.texts)
    agreement, mending = model.variant(tmp_path / "variant", CPU, "int8", "attention")
    assert Release.read(tmp_path / "variant").params["bits"] == 7
    assert (mending, agreement.same_labels >= 0.9) == (None, True)
    model.write(tmp_path / "eight", CPU, "int8", "attention", Recipe(bits=8))
    eight = model.compare(model.answer(CPU), Predictor.load(tmp_path / "eight"))
    instructions = describe_cpu()["instructions"]
    overflows = "avx2" in instructions and not any("vnni" in each for each in instructions)
    assert (eight.same_labels < 0.9) == overflows, "what was computed is what this processor does"


def answer(worth: dict[str, float]) -> object:
    """Logits as far off as the operators in int8 put them."""

    def found(recipe: Recipe) -> np.ndarray:
        off = sum(each for name, each in worth.items() if name not in recipe.exact)
        return np.full((2, 2), off, np.float32)

    return found


def way(worth: dict[str, float]) -> Way:
    harms = {name: Harm(each, 0.0) for name, each in worth.items()}
    return Way("tensor", harms, len(harms) - 1)


def test_fewer_bits_are_for_what_is_not_left_out() -> None:
    found = {"a": Harm(1.0, 3.0), "b": Harm(2.0, 1.5), "c": Harm(0.5, 0.5)}
    assert without((), found) == Recipe((), 7)
    assert without(["a"], found) == Recipe(("a",), 8)
    assert without(["b"], found) == Recipe(("b",), 7)
    assert without(["b", "a"], found) == Recipe(("a", "b"), 8), "as harmful is not more"


def small(logits: np.ndarray) -> bool:
    return bool(np.abs(logits).max() < 0.5)


@pytest.mark.parametrize(
    ("limit", "recipe"),
    [
        (small, Recipe(exact=("a", "c"))),
        (lambda _logits: False, Recipe(exact=("a", "b", "c", "d"))),
    ],
    ids=["the worst two", "never enough: the nearest"],
)
def test_as_little_as_will_do_is_left_out(limit: object, recipe: Recipe) -> None:
    worth = {"a": 3.0, "b": 0.2, "c": 1.0, "d": 0.1, "e": 0.05}
    reference = np.zeros((2, 2), np.float32)
    mending = mend([way(worth)], answer(worth), reference, limit)  # type: ignore[arg-type]
    assert mending.recipe == recipe


def test_logits_that_are_no_numbers_are_not_the_nearest() -> None:
    def found(recipe: Recipe) -> np.ndarray:
        return np.full((1, 1), 9 if recipe.exact == ("a",) else np.nan, np.float32)

    worth = {"b": 1.0, "a": 2.0, "c": 0.5}
    mending = mend([way(worth)], found, np.zeros((1, 1), np.float32), lambda _logits: False)
    assert mending.recipe == Recipe(exact=("a",))


def test_where_leaving_out_a_few_is_not_enough_each_token_has_a_range() -> None:
    told: list[Recipe] = []
    tensor = way({"a": 3.0, "b": 1.0, "c": 0.5})._replace(most=1)
    token = Way("token", {"a": Harm(0.1, 0.0), "b": Harm(0.3, 0.0), "c": Harm(0.2, 0.0)}, 2)

    def found(recipe: Recipe) -> np.ndarray:
        told.append(recipe)
        return np.full((1, 1), 9.0 - 3 * (recipe.ranges == "token") - len(recipe.exact), np.float32)

    mending = mend([tensor, token], found, np.zeros((1, 1), np.float32), lambda _logits: False)
    assert told == [
        Recipe(("a",)),
        Recipe(ranges="token"),
        Recipe(("b",), ranges="token"),
        Recipe(("b", "c"), ranges="token"),
    ]
    assert mending.recipe == told[-1], "the nearest"
    assert mending.harms == token.harms
    assert str(mending) == (
        "a range of its own for each token, and 2 of 3 operators in fp32 (b, c)"
    )

    def near(logits: Floats) -> bool:
        return bool(logits.max() < 7)

    mending = mend([tensor, token], found, np.zeros((1, 1), np.float32), near)
    assert mending.recipe == Recipe(ranges="token")
