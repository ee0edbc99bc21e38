"""A decoder with a tokenizer that has no padding token learns to classify."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tasks.compression.families import family_of
from tasks.stage.errors import BadInput
from tasks.training.adapters import adapted, merged
from tasks.training.batches import encode
from tasks.training.classifier import load_finetuned, load_pretrained, load_tokenizer
from tasks.training.loop import fit
from tasks.training.scoring import predict, score
from tests.training.lessons import lessons
from tests.training.made import PLAN, RECIPE, TASK, cross_entropy
from tests.training.test_windows import byte_level


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of two layers and 32 dimensions, as it is pre-trained: for the next token."""
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("model") / "decoder"
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=byte_level(), eos_token="<|end|>", padding_side="left"
    )
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    shape = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, max_position_embeddings=64, eos_token_id=0, bos_token_id=None,
    )  # fmt: skip
    LlamaForCausalLM(shape).save_pretrained(folder)
    return folder


def parts_of(folder: Path) -> Any:
    lesson, tokenizer = lessons()["classification"], load_tokenizer(folder, 48)
    torch.manual_seed(0)
    model = load_pretrained(folder, tokenizer, TASK, "eager", 48, None)
    train, validation = (
        encode(tokenizer, lesson.texts[part], lesson.labels[part], TASK, 48)
        for part in (slice(128), slice(128, 192))
    )
    return model, train, validation


def test_it_learns_through_an_adapter(decoder: Path, workspace: Path) -> None:
    from tasks.params.finetune import Adapter

    base, train, validation = parts_of(decoder)
    model = adapted(base, Adapter(method="lora", targets=["q_proj", "v_proj", "down_proj"]), 1)
    recipe = replace(RECIPE, epochs=12, learning_rate=1e-2, evaluations=1)
    fit(model, cross_entropy, train, validation, recipe, PLAN)
    logits = predict(model, validation, PLAN)
    assert score(TASK, logits, validation)["figure"] > 0.85
    plain: Any = merged(model)
    plain.save_pretrained(workspace / "model")
    loaded = load_finetuned(workspace / "model", "eager")
    np.testing.assert_allclose(predict(loaded, validation, PLAN), logits, atol=1e-4, rtol=1e-3)
    assert family_of(loaded) is None, "prune lets it through"


def test_padding_changes_nothing(decoder: Path) -> None:
    model, _, validation = parts_of(decoder)
    one_by_one = predict(model, validation, PLAN, batch=1)
    np.testing.assert_allclose(predict(model, validation, PLAN, batch=32), one_by_one, atol=1e-5)


def test_tokens_beside_texts_are_no_task_for_it(decoder: Path) -> None:
    tokenizer, several = load_tokenizer(decoder, 48), lessons()["several"].task
    with pytest.raises(BadInput, match="llama models read from left to right"):
        load_pretrained(decoder, tokenizer, several, "eager", 48, None)
    entities = lessons()["entities"].task
    assert load_pretrained(decoder, tokenizer, entities, "eager", 48, None) is not None
