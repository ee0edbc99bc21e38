"""An encoder reads texts before it learns the task."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tasks.stage.errors import BadInput
from tasks.task.answers import IGNORED
from tasks.training import adaptation
from tasks.training.adaptation import adapt, encoder_weights, read_domain, take_over
from tasks.training.checkpoints import Checkpoint
from tasks.training.classifier import load_pretrained, load_tokenizer
from tasks.training.guessing import Guess, Masked, load_guesser, texts_of, to_guess
from tasks.training.steps import Stepper
from tests.made import opinions
from tests.training.made import PLAN, RECIPE, TASK

TEXTS = [text for text, _ in opinions()]


@dataclass(frozen=True)
class How:
    epochs: int = 2
    share: float = 0.15
    learning_rate: float = 3e-3
    max_tokens: int | None = None


@pytest.fixture(scope="module")
def masked(tiny_model: Path) -> Masked:
    return to_guess(load_tokenizer(tiny_model, 32), TEXTS[:160], 32, 0.15, seed=1)


def test_what_is_hidden_depends_on_the_row_and_the_epoch_alone(masked: Masked) -> None:
    together = masked.collate(np.arange(8))
    alone = masked.collate(np.array([3]))
    length = alone["input_ids"].shape[1]
    for name in ("input_ids", "labels"):
        assert torch.equal(together[name][3, :length], alone[name][0])
    later = replace(masked, epoch=1).collate(np.array([3]))
    assert not torch.equal(later["labels"], alone["labels"])


def test_a_share_of_the_words_is_to_be_guessed_and_no_special_token(tiny_model: Path) -> None:
    long = [" ".join(TEXTS[at : at + 20]) for at in range(0, len(TEXTS), 20)]
    masked = to_guess(load_tokenizer(tiny_model, 64), long, 64, 0.15, seed=1)
    rows = np.arange(len(masked))
    batch = masked.collate(rows)
    hidden = batch["labels"] != IGNORED
    assert hidden.any(1).all()
    inside = masked.inside(rows)
    before = torch.from_numpy(masked.padded(masked.ids, rows).astype(np.int64))
    assert torch.equal(batch["labels"][hidden], before[hidden])
    assert torch.equal(batch["input_ids"][~hidden], before[~hidden])
    assert not set(batch["labels"][hidden].tolist()) & set(masked.special.tolist())
    plain = inside.sum() - 2 * len(rows)
    assert hidden.sum() / plain == pytest.approx(0.15, abs=0.01)
    shown = batch["input_ids"][hidden]
    assert (shown == masked.mask).float().mean() == pytest.approx(0.8, abs=0.06)
    assert (shown == before[hidden]).float().mean() == pytest.approx(0.1, abs=0.05)


def test_long_texts_are_read_to_their_end_and_a_limit_is_kept(tiny_model: Path) -> None:
    tokenizer = load_tokenizer(tiny_model, 32)
    long = " ".join(TEXTS[:20])
    found = to_guess(tokenizer, [long, "", TEXTS[0]], 16, 0.15, seed=1)
    assert found.lengths.max() == 16
    words = len(tokenizer(long, add_special_tokens=False, verbose=False)["input_ids"])
    words += len(tokenizer(TEXTS[0], add_special_tokens=False)["input_ids"])
    assert len(found.ids) - 2 * len(found) == words
    few = to_guess(tokenizer, TEXTS, 32, 0.15, seed=1, max_tokens=500)
    assert 450 < len(few.ids) <= 500


def test_the_loss_is_that_of_the_whole_model_at_the_hidden_tokens(
    tiny_model: Path, masked: Masked
) -> None:
    rows = np.arange(6)
    batch = masked.collate(rows)
    inputs = {name: tensor for name, tensor in batch.items() if name != "labels"}
    model: Any = load_guesser(tiny_model, load_tokenizer(tiny_model), "eager", 32, 1).eval()
    logits = model(**inputs).logits
    each = torch.nn.functional.cross_entropy(
        logits.transpose(1, 2), batch["labels"], ignore_index=IGNORED, reduction="none"
    )
    expected = (each.sum(1) / (batch["labels"] != IGNORED).sum(1)).sum()
    torch.testing.assert_close(Guess(model)(model, batch, rows), expected)


def test_a_killed_run_goes_on_from_its_last_epoch_and_a_finished_one_is_not_repeated(
    tiny_model: Path, workspace: Path, masked: Masked, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps, dies_at = 0, 0
    take = Stepper.take

    def counted(*arguments: Any) -> float:
        nonlocal steps
        steps += 1
        if steps == dies_at:
            raise KeyboardInterrupt
        return take(*arguments)

    monkeypatch.setattr(Stepper, "take", counted)

    def run(checkpoint: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        model = load_guesser(tiny_model, load_tokenizer(tiny_model), "eager", 32, 1)
        found = adapt(model, masked, masked, How(), RECIPE, PLAN, Checkpoint(checkpoint))
        return encoder_weights(model), found

    expected, undisturbed = run(workspace / "one.pt")
    assert undisturbed["after"] < 0.9 * undisturbed["before"]
    steps, dies_at = 0, 15  # of 20
    with pytest.raises(KeyboardInterrupt):
        run(workspace / "two.pt")
    steps, dies_at = 0, 0
    weights, found = run(workspace / "two.pt")
    assert steps == 10
    again, _ = run(workspace / "two.pt")
    assert steps == 10
    assert found == undisturbed
    assert all(torch.equal(weights[name], expected[name]) for name in expected)
    assert all(torch.equal(again[name], expected[name]) for name in expected)


def test_the_encoder_is_taken_over_and_the_rest_of_the_model_stays(
    tiny_model: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adaptation, "EXAMINED", 8)
    tokenizer = load_tokenizer(tiny_model, 32)
    checkpoint = Checkpoint(workspace / "state.pt")
    weights, _ = read_domain(
        tiny_model, tokenizer, TEXTS[:32], TEXTS[32:], 32, How(1), RECIPE, PLAN, checkpoint
    )
    model: Any = load_pretrained(tiny_model, tokenizer, TASK, "eager", 32, None)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    take_over(model, weights)
    changed = {
        name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])
    }
    assert {name.removeprefix("bert.") for name in changed} == set(weights)
    assert {name for name in before if name not in changed} == {
        "bert.pooler.dense.weight", "bert.pooler.dense.bias", "classifier.weight", "classifier.bias"
    }  # fmt: skip


def test_what_can_not_read_so_is_one_clear_line(tiny_model: Path, workspace: Path) -> None:
    from transformers import LlamaConfig

    tokenizer = load_tokenizer(tiny_model, 32)
    LlamaConfig().save_pretrained(workspace)
    with pytest.raises(BadInput, match=r"finetune.adapt: llama models don't guess masked words"):
        load_guesser(workspace, tokenizer, "eager", 32, 1)
    with pytest.raises(BadInput, match=r"finetune.max_length: got 65; .* has positions for 64"):
        load_guesser(tiny_model, tokenizer, "eager", 65, 1)
    with pytest.raises(BadInput, match="there are no texts to read"):
        to_guess(tokenizer, ["", " "], 32, 0.15, seed=1)
    tokenizer.mask_token = None
    with pytest.raises(BadInput, match="has no token to mask words with"):
        to_guess(tokenizer, TEXTS, 32, 0.15, seed=1)


def test_both_texts_of_a_pair_are_read() -> None:
    assert texts_of(["one", ("two", "three")]) == ["one", "two", "three"]
