"""Where tokens are labelled a long text becomes windows, and every word counts once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.task.answers import IGNORED
from tasks.task.entities import Entities
from tasks.task.pieces import joined, pieces_of, windows
from tasks.training.batches import encode, join
from tasks.training.classifier import load_tokenizer
from tasks.training.scoring import score
from tests.training.lessons import lessons, opinions

TASK = Entities(("THING", "WORD"))


def long_text(count: int) -> tuple[str, str]:
    """Some opinions in a row, and their entities."""
    text, spans = "", []
    for each in opinions()[:count]:
        start = len(text)
        text += each.text + " "
        spans += [(a + start, b + start, name) for a, b, name in json.loads(each.entities)]
    return text, json.dumps(sorted(spans))


@pytest.mark.parametrize("stride", [0, 3, 6])
def test_windows_cover_a_long_text_word_by_word(tiny_model: Path, stride: int) -> None:
    tokenizer, (text, truth) = load_tokenizer(tiny_model, 64), long_text(12)
    found = encode(tokenizer, [text, "the film is dull"], [truth, "[]"], TASK, 16, stride)
    assert len(found) > 10
    assert found.lengths.max() == 16
    assert found.texts.tolist() == [0] * (len(found) - 1) + [1]
    assert found.bounds.tolist() == [0, found.offsets[-2], found.offsets[-1]]
    once = encode(tokenizer, [text], [truth], TASK, 10_000)
    long = found.labels[: found.bounds[1]]
    assert long[long != IGNORED].tolist() == once.labels[once.labels != IGNORED].tolist()


def test_an_entity_that_two_windows_share_is_one_entity(tiny_model: Path) -> None:
    tokenizer, (text, truth) = load_tokenizer(tiny_model, 64), long_text(12)
    found = encode(tokenizer, [text], [truth], TASK, 16, stride=5)
    logits = np.zeros((len(found.ids), 5), np.float32)
    there = found.labels != IGNORED
    logits[there, found.labels[there]] = 10
    assert TASK.proof(logits, found.labels, found.bounds).tolist() == [[24, 0, 0]]
    assert score(TASK, logits, found)["figure"] == 1.0


def test_what_the_windows_say_can_be_read_as_one_text(tiny_model: Path) -> None:
    tokenizer, (text, truth) = load_tokenizer(tiny_model, 64), long_text(12)
    found = encode(tokenizer, [text], [truth], TASK, 16, stride=6)
    cut = tokenizer(
        [text], truncation=True, max_length=16, stride=6, return_overflowing_tokens=True
    )
    pieces = joined(windows(text, cut.encodings, stride=6))
    logits = np.zeros((len(found.ids), 5), np.float32)
    there = found.labels != IGNORED
    logits[there, found.labels[there]] = 10
    (answer,) = TASK.decode(logits, [text], [pieces], found.bounds)
    assert TASK.label_of(answer) == truth


def test_labels_go_where_their_tokens_go(tiny_model: Path) -> None:
    texts, truth = [each.text for each in opinions()], [each.entities for each in opinions()]
    tokenizer = load_tokenizer(tiny_model, 64)
    found = encode(tokenizer, texts[:40], truth[:40], TASK, 32)
    rows = np.array([7, 3])
    some = found.taking([found.places(rows[:1])[::-1], found.places(rows[1:])], rows)
    assert (
        some.labels[: some.offsets[1]].tolist()
        == found.labels[found.places(rows[:1])][::-1].tolist()
    )
    assert some.texts.tolist() == [7, 3]
    batch = found.collate(np.arange(8))
    assert batch["labels"].shape == batch["input_ids"].shape
    assert (batch["labels"][batch["attention_mask"] == 0] == IGNORED).all()
    both = join([found, some])
    assert both.per_token
    assert len(both.labels) == len(both.ids)
    sample = found.sample(5)
    assert len(sample.labels) == len(sample.ids)


def test_only_the_beginning_of_a_long_text_speaks_for_all_of_it(tiny_model: Path) -> None:
    task, tokenizer = lessons()["several"].task, load_tokenizer(tiny_model, 64)
    (text, entities), other = long_text(8), "the film is dull"
    truth = task.truths(["good", entities, "3.0", "bad"], ["mood", "things", "stars", "mood"])
    found = encode(tokenizer, [text, text, text, other], truth, task, 16, 4)
    windows_of = np.bincount(found.texts)
    assert windows_of.tolist()[0::2] == [1, 1]
    assert windows_of[1] > 5
    firsts = found.offsets[:-1]
    whose = [list(task.members())[int(at)] for at in found.labels[firsts, 0]]
    assert whose == ["mood", *["things"] * windows_of[1], "stars", "mood"]
    assert found.labels[firsts[0], 1] == 1


def byte_level() -> Any:
    """A tokenizer whose tokens begin with the space before them, and know no Chinese."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<|end|>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([each.text for each in opinions()], trainer)
    return tokenizer


def test_the_space_that_a_token_begins_with_is_not_its_own() -> None:
    text = "the  film is superb"
    pieces = pieces_of(text, byte_level().encode(text))
    words = [text[a:b] for a, b in pieces.spans[pieces.first]]
    assert "".join(words).replace(" ", "") == "".join(words)
    assert [text[a] for a, _ in pieces.spans[pieces.first]] == ["t", "f", "i", "s"]


def test_characters_of_a_script_without_spaces_are_words() -> None:
    text = "在北京 the film"
    pieces = pieces_of(text, byte_level().encode(text))
    begins = [text[a] for a, _ in pieces.spans[pieces.first]]
    assert begins == ["在", "北", "京", "t", "f"]
