"""A model that computes nothing for padding says and learns the same."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
)

from tasks.training.early import leaving_early
from tasks.training.first_token import reading_first
from tasks.training.loop import recompute
from tasks.training.pooling import pooled
from tasks.training.prefix import with_prefix
from tasks.training.unpadded import FAMILIES, Layout, can_do_without_padding, unpadded

LENGTHS = [5, 17, 3, 9, 9, 1, 12, 30, 2, 8, 7, 25, 6, 6, 11, 4, 19, 2, 3, 14]
SMALL: dict[str, Any] = {
    "vocab_size": 100, "pad_token_id": 0, "num_labels": 3, "hidden_size": 32, "embedding_size": 16,
    "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 64,
    "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0,
    "classifier_dropout_prob": 0.0,
}  # fmt: skip
SMALL_DISTILBERT: dict[str, Any] = {
    "vocab_size": 100, "pad_token_id": 0, "num_labels": 3, "dim": 32, "n_layers": 3, "n_heads": 4,
    "hidden_dim": 64, "dropout": 0.0, "attention_dropout": 0.0, "seq_classif_dropout": 0.0,
}  # fmt: skip
PARTS = {"texts": AutoModelForSequenceClassification, "tokens": AutoModelForTokenClassification}
Answer = tuple[torch.Tensor, dict[str, torch.Tensor]]


def made(family: str, of: str = "texts", attention: str = "eager") -> Any:
    torch.manual_seed(0)
    sizes = SMALL_DISTILBERT if family == "distilbert" else SMALL
    config = AutoConfig.for_model(family, **sizes)
    model = PARTS[of].from_config(config, attn_implementation=attention)  # type: ignore[no-untyped-call]
    return model.train()


def batch(lengths: list[int]) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    mask = (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()
    return {"input_ids": torch.randint(5, 90, mask.shape) * mask, "attention_mask": mask}


def learnt(model: Any, inputs: dict[str, torch.Tensor]) -> Answer:
    """The logits of all tokens, or texts, and the gradient of something that depends on each."""
    model.zero_grad()
    output = model(**inputs)
    logits = torch.cat([output.logits, *getattr(output, "early", {}).values()], dim=-1)
    if logits.dim() == 3:
        logits = logits[inputs["attention_mask"].bool()]
    total = (logits * torch.linspace(-1, 2, logits.numel()).view(logits.shape)).sum()
    total.backward()  # type: ignore[no-untyped-call]
    return logits.detach(), {n: p.grad for n, p in model.named_parameters() if p.grad is not None}


def assert_the_same(one: Answer, other: Answer) -> None:
    torch.testing.assert_close(one[0], other[0])
    assert one[1].keys() == other[1].keys()
    for name, gradient in one[1].items():
        torch.testing.assert_close(gradient, other[1][name], rtol=1e-3, atol=1e-4, msg=name)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("of", PARTS)
@pytest.mark.parametrize("family", FAMILIES)
def test_answers_and_gradients_are_those_of_the_padded(
    family: str, of: str, attention: str
) -> None:
    model, inputs = made(family, of, attention), batch(LENGTHS)
    before = learnt(model, inputs)
    with unpadded(model):
        assert_the_same(before, learnt(model, inputs))
    assert model.config._attn_implementation == attention
    assert torch.equal(learnt(model, inputs)[0], before[0])


@pytest.mark.parametrize("lengths", [[7], [1], [4, 4, 4], [1, 1], [9, 2]])
def test_batches_of_every_kind(lengths: list[int]) -> None:
    model, inputs = reading_first(made("bert")), batch(lengths)
    before = learnt(model, inputs)
    with unpadded(model):
        assert_the_same(before, learnt(model, inputs))


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert"])
def test_with_every_way_of_reading(family: str) -> None:
    inputs = batch(LENGTHS)
    for change in (reading_first, lambda model: pooled(model, "mean")):
        model = change(made(family))
        before = learnt(model, inputs)
        with unpadded(model):
            assert_the_same(before, learnt(model, inputs))


@pytest.mark.parametrize("first", [True, False])
def test_with_answers_on_the_way(first: bool) -> None:
    model, inputs = made("bert"), batch(LENGTHS)
    model = leaving_early(reading_first(model) if first else model, {1: 0.9, 2: 0.8})
    before = learnt(model, inputs)
    assert before[0].shape == (len(LENGTHS), 9)
    with unpadded(model):
        assert_the_same(before, learnt(model, inputs))


def test_with_activations_computed_again() -> None:
    model, inputs = made("bert"), batch(LENGTHS)
    before = learnt(model, inputs)
    recompute(model)
    with unpadded(model):
        assert_the_same(before, learnt(model, inputs))


def test_the_last_hidden_state_is_that_of_a_batch() -> None:
    model, inputs = made("bert").eval(), batch(LENGTHS)
    before = model(**inputs, output_hidden_states=True).hidden_states[-1]
    with unpadded(model):
        found = model(**inputs, output_hidden_states=True).hidden_states[-1]
    inside = inputs["attention_mask"].bool()
    torch.testing.assert_close(found[inside], before[inside])
    assert not found[~inside].any()


def test_nothing_is_computed_for_padding() -> None:
    model, inputs = made("bert"), batch(LENGTHS)
    seen: list[tuple[int, ...]] = []
    for module in model.bert.encoder.modules():
        if isinstance(module, nn.Linear):
            module.register_forward_hook(
                lambda _m, given, _out: seen.append(tuple(given[0].shape[:2]))
            )
    with unpadded(model):
        model(**inputs)
    assert set(seen) == {(1, sum(LENGTHS))}


def test_an_error_leaves_the_model_as_it_was() -> None:
    model = made("bert")
    kind = type(model.bert.encoder)
    with pytest.raises(IndexError), unpadded(model):
        model(input_ids=torch.full((2, 3), 1000), attention_mask=torch.ones(2, 3))
    assert type(model.bert.encoder) is kind
    assert model.config._attn_implementation == "eager"


@pytest.mark.parametrize("family", ["llama", "modernbert", "bert"])
def test_decoders_and_models_with_positions_in_their_layers_stay_as_they_are(family: str) -> None:
    model = with_prefix(made(family), 2) if family == "bert" else made(family)
    kinds = [type(each) for each in model.modules()]
    assert not can_do_without_padding(model)
    with unpadded(model):
        assert [type(each) for each in model.modules()] == kinds


def test_a_layout_gives_back_what_it_took() -> None:
    inside = batch(LENGTHS)["attention_mask"].bool()
    states = torch.randn(*inside.shape, 4) * inside[..., None]
    layout = Layout(inside, nn.Identity())
    assert len(layout.groups) == 2
    tokens = layout.tokens(states)
    assert tokens.shape == (1, sum(LENGTHS), 4)
    assert torch.equal(layout.texts(tokens), states)
    assert torch.equal(layout.texts(layout.first_tokens(tokens))[:, 0], states[:, 0])
