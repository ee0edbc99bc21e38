"""Keys and values of their own in front of the text's, through all that comes after."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tasks.compression.families import FAMILIES, family_of
from tasks.compression.surgery import cut
from tasks.finetune import finetune
from tasks.inference.onnx_export import export_onnx
from tasks.measuring.contender import Contender
from tasks.params.finetune import Finetune
from tasks.stage.errors import BadInput
from tasks.training.adapters import adapted, merged
from tasks.training.classifier import load_finetuned
from tasks.training.loop import fit
from tasks.training.prefix import KEY, Prefix, with_prefix
from tasks.training.scoring import predict, score
from tests.made import model_of
from tests.training.made import PLAN, RECIPE, SMALL_STAGE, TASK, approve, cross_entropy, make_parts
from tests.training.test_adapters import How, experienced  # noqa: F401 - a fixture

IDS = torch.tensor([[2, 7, 9, 3, 0, 0], [2, 11, 8, 6, 5, 3]])
MASK = (IDS != 0).long()
HOW = How("prefix", tokens=5)


def answer(model: Any, ids: torch.Tensor = IDS, mask: torch.Tensor = MASK) -> torch.Tensor:
    with torch.no_grad():
        logits: torch.Tensor = model.eval()(input_ids=ids, attention_mask=mask).logits
    return logits


def prefixes(model: Any) -> list[Prefix]:
    return [module for module in model.modules() if isinstance(module, Prefix)]


@pytest.mark.parametrize("kind", [*FAMILIES, "llama", "gpt2"])
def test_every_layer_of_a_family_gets_one_and_padding_changes_nothing(kind: str) -> None:
    plain, model = model_of(kind), with_prefix(model_of(kind), 5)
    for each in (plain, model):
        each.config.pad_token_id = 0  # type: ignore[union-attr]
    found = prefixes(model)
    assert len(found) == plain.config.num_hidden_layers
    assert all(prefix.keys.shape[1] == 5 for prefix in found)
    assert {p for p in model.parameters() if p.requires_grad} == {
        p for prefix in found for p in prefix.parameters()
    }
    assert not torch.allclose(answer(model), answer(plain))
    torch.testing.assert_close(answer(model)[:1], answer(model, IDS[:1, :4], MASK[:1, :4]))


@pytest.mark.parametrize("kind", ["bert", "llama"])
def test_what_is_in_front_is_what_peft_would_put_there(kind: str) -> None:
    """Its own way: as keys and values of an earlier text, the text's positions left as they are."""
    from transformers import DynamicCache

    plain: Any = model_of(kind)
    model = with_prefix(model_of(kind), 5)
    plain.config.pad_token_id = model.config.pad_token_id = 0  # type: ignore[union-attr]
    for prefix in prefixes(model):
        torch.nn.init.normal_(prefix.keys)
        torch.nn.init.normal_(prefix.values)
    earlier = [
        (prefix.keys.detach().expand(2, -1, -1, -1), prefix.values.detach().expand(2, -1, -1, -1))
        for prefix in prefixes(model)
    ]
    seen = torch.cat([torch.ones(2, 5, dtype=torch.long), MASK], 1)
    with torch.no_grad():
        expected = plain(
            input_ids=IDS, attention_mask=seen, past_key_values=DynamicCache(earlier),
            position_ids=torch.arange(6)[None],
        ).logits  # fmt: skip
    torch.testing.assert_close(answer(model), expected, atol=1e-5, rtol=1e-4)


def test_it_learns_while_the_weights_stay(
    tiny_model: Path,
    experienced: dict[str, torch.Tensor],  # noqa: F811
    tmp_path: Path,
) -> None:
    base, train, validation = make_parts(tiny_model)
    base.load_state_dict(experienced, strict=False)
    model = adapted(base, HOW, steps=16)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    recipe = replace(RECIPE, epochs=4)
    fit(model, cross_entropy, train, validation, recipe, PLAN)
    answers = predict(model, validation, PLAN)
    assert score(TASK, answers, validation)["figure"] > 0.9
    changed = {k for k, v in model.state_dict().items() if not torch.equal(v, before[k])}
    assert all("prefix" in name or "pooler" in name or "classifier" in name for name in changed)
    assert sum("prefix" in name for name in changed) == 8
    assert all(prefix.keys.std(1).min() > 0 for prefix in prefixes(model))

    merged(model).save_pretrained(tmp_path / "model")  # type: ignore[operator]
    loaded = load_finetuned(tmp_path / "model", "eager")
    assert loaded.config.nightshift_prefix == 5  # type: ignore[union-attr]
    torch.testing.assert_close(predict(loaded, validation, PLAN), answers)


@pytest.mark.parametrize("kind", ["bert", "llama"])
def test_the_onnx_graph_has_it(kind: str, tmp_path: Path) -> None:
    import onnxruntime

    model = with_prefix(model_of(kind), 5)
    model.config.pad_token_id = 0  # type: ignore[union-attr]
    names = ["input_ids", "attention_mask"]
    export_onnx(model.eval(), names, tmp_path / "model.onnx", opset=20)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    (found,) = session.run(None, {"input_ids": IDS.numpy(), "attention_mask": MASK.numpy()})
    np.testing.assert_allclose(found, answer(model).numpy(), atol=1e-5)


def test_a_smaller_model_keeps_that_of_its_layers() -> None:
    model = with_prefix(model_of("bert"), 5)
    family = family_of(model)
    assert family is not None
    smaller = cut(model, family, [0, 2], [np.arange(12)] * 2)
    kept = prefixes(smaller)
    assert [torch.equal(kept[i].keys, prefixes(model)[j].keys) for i, j in enumerate((0, 2))]
    assert len(kept) == 2
    answer(smaller)


def test_the_stages_after_see_it(workspace: Path, tiny_model: Path) -> None:
    approve(workspace, tiny_model)
    found = finetune(Finetune(**SMALL_STAGE, adapter={"method": "prefix", "tokens": 3}))  # type: ignore[arg-type]
    assert 0 < found["metrics"]["trained_share"] < 0.2
    folder = Path("models/finetuned")
    model: Any = load_finetuned(folder, "eager")
    for prefix in prefixes(model):
        torch.nn.init.normal_(prefix.keys, std=3)
        torch.nn.init.normal_(prefix.values, std=3)
    model.save_pretrained(folder)
    baseline = Contender.baseline(folder, 1, TASK, 0).load()
    texts = ["a superb cast", "the plot is dull"]
    from tasks.training.classifier import load_tokenizer

    inputs = load_tokenizer(folder)(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        expected = model.eval()(**inputs).logits.softmax(1).max(1).values.tolist()
    answers = [baseline.one(text).score for text in texts]
    assert answers == pytest.approx(expected, abs=1e-5)


def test_trained_anew_it_has_none(workspace: Path, tiny_model: Path) -> None:
    approve(workspace, tiny_model)
    finetune(Finetune(**SMALL_STAGE, adapter={"method": "prefix"}))  # type: ignore[arg-type]
    from tasks.training.classifier import load_pretrained, load_tokenizer

    folder = Path("models/finetuned")
    model: Any = load_pretrained(folder, load_tokenizer(folder), TASK, "eager", 32, None)
    assert not hasattr(model.config, KEY)
    assert not prefixes(model)


def test_a_family_with_an_attention_of_its_own_is_one_clear_line() -> None:
    with pytest.raises(BadInput, match="got 'prefix'; takes lora, adalora or ia3: deberta-v2 mod"):
        with_prefix(model_of("deberta-v2"), 5)
