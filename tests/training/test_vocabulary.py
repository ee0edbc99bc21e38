"""Training on the rows that are used gives what training on all of them gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from tasks.training.loop import fit
from tasks.training.parts import embedding_of
from tasks.training.vocabulary import Vocabulary
from tests.training.made import PLAN, RECIPE, cross_entropy, make_parts


def test_it_learns_as_the_whole_model_does_and_leaves_the_rest_alone(tiny_model: Path) -> None:
    plain, train, validation = make_parts(tiny_model)
    fit(plain, cross_entropy, train, validation, RECIPE, PLAN)
    lean, _, _ = make_parts(tiny_model)
    before = embedding_of(lean).weight.detach().clone()
    vocabulary = Vocabulary(lean, [train, validation])
    few, few_too = (vocabulary.renumbered(each) for each in (train, validation))
    fit(vocabulary.narrow(lean), cross_entropy, few, few_too, RECIPE, PLAN)
    unused = np.setdiff1d(np.arange(vocabulary.size), vocabulary.tokens)
    assert len(unused)
    with vocabulary.whole(lean):
        assert torch.equal(embedding_of(lean).weight[unused], before[unused])
        rows = embedding_of(plain).weight.detach()
        rows[unused] = before[unused]  # which weight decay alone has moved
        for name, weight in plain.state_dict().items():
            torch.testing.assert_close(lean.state_dict()[name], weight, msg=name)
    assert embedding_of(lean).num_embeddings == len(vocabulary.tokens)


def test_an_embedding_that_is_not_trained_keeps_its_numbers(tiny_model: Path) -> None:
    model, train, _ = make_parts(tiny_model)
    embedding_of(model).weight.requires_grad_(False)
    vocabulary = Vocabulary(model, [train])
    assert np.array_equal(vocabulary.renumbered(train).ids, train.ids)
    before = embedding_of(model).weight.clone()
    vocabulary.narrow(model)
    with vocabulary.whole(model):
        assert torch.equal(embedding_of(model).weight, before)


def test_tokens_get_new_numbers_but_the_padding_keeps_its_own(tiny_model: Path) -> None:
    model, train, _ = make_parts(tiny_model)
    vocabulary = Vocabulary(model, [train])
    assert vocabulary.tokens[: train.pad + 1].tolist() == list(range(train.pad + 1))
    assert np.array_equal(vocabulary.tokens[vocabulary.renumbered(train).ids], train.ids)
