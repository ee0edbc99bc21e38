"""A shorter vocabulary reads its own texts as before, and knows whatever was known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import PreTrainedTokenizerFast

from tasks.compression.vocabulary import trimmed
from tasks.stage.errors import BadInput
from tasks.training.classifier import load_finetuned, load_tokenizer
from tests.made import opinions

TEXTS = [text for text, _ in opinions()]
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
NAMES = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>",
         "cls_token": "<s>", "sep_token": "</s>", "mask_token": "<mask>"}  # fmt: skip


def of_kind(kind: str) -> Any:
    """A tokenizer trained on all texts, its special tokens' numbers in the post-processor."""
    if kind == "wordpiece":
        backend = Tokenizer(models.WordPiece(unk_token="<unk>"))
        backend.normalizer, backend.pre_tokenizer = (
            normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
        )  # fmt: skip
        trainer: Any = trainers.WordPieceTrainer(vocab_size=400, special_tokens=SPECIAL)
    elif kind == "bpe":
        backend = Tokenizer(models.BPE(unk_token="<unk>"))
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
        backend.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=500, special_tokens=SPECIAL,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        )  # fmt: skip
    else:
        backend = Tokenizer(models.Unigram())
        backend.pre_tokenizer = pre_tokenizers.Metaspace()
        trainer = trainers.UnigramTrainer(vocab_size=300, special_tokens=SPECIAL, unk_token="<unk>")
    backend.train_from_iterator(TEXTS, trainer)
    ids = [("<s>", SPECIAL.index("<s>")), ("</s>", SPECIAL.index("</s>"))]
    if kind == "bpe":
        backend.post_processor = processors.RobertaProcessing(ids[1], ids[0])
    else:
        backend.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>", pair="<s> $A </s> $B </s>", special_tokens=ids
        )
    return PreTrainedTokenizerFast(tokenizer_object=backend, **NAMES)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "unigram"])
def test_texts_of_its_own_are_read_as_before_and_nothing_gets_unknown(kind: str) -> None:
    whole = of_kind(kind)
    own = TEXTS[:4] + TEXTS[300:306]
    others = [text for text in TEXTS if text not in own]
    small = trimmed(whole, own)
    assert len(small.tokenizer) == len(small.kept) < len(whole)
    for text in own:
        assert small.kept[small.tokenizer(text)["input_ids"]].tolist() == whole(text)["input_ids"]
    for text in others:
        ids = small.tokenizer(text)["input_ids"]
        assert small.tokenizer.unk_token_id not in ids
        assert ids[0] == small.tokenizer.cls_token_id
        assert ids[-1] == small.tokenizer.sep_token_id
    found = small.on(others)
    assert found["unknown"] == found["unknown_before"] == 0
    assert 0 < found["read_alike"] < 1
    assert small.on(own)["read_alike"] == 1
    assert small.tokenizer.pad_token_id == whole.pad_token_id


def test_a_model_answers_its_own_texts_as_before(tiny_classifier: Path) -> None:
    tokenizer = load_tokenizer(tiny_classifier)
    whole: Any = load_finetuned(tiny_classifier, "eager").eval()
    few: Any = load_finetuned(tiny_classifier, "eager").eval()
    small = trimmed(tokenizer, TEXTS[:8])
    small.cut(few)
    assert few.config.vocab_size == few.get_input_embeddings().num_embeddings == len(small.kept)
    for text in TEXTS[:8]:
        with torch.no_grad():
            one = whole(**tokenizer(text, return_tensors="pt")).logits
            other = few(**small.tokenizer(text, return_tensors="pt")).logits
        torch.testing.assert_close(one, other)


def test_a_tokenizer_of_whole_words_is_refused() -> None:
    backend = Tokenizer(models.WordLevel({"<pad>": 0, "<unk>": 1, "good": 2}, unk_token="<unk>"))
    names: Any = {"pad_token": "<pad>", "unk_token": "<unk>"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, **names)  # type: ignore[no-untyped-call]
    with pytest.raises(BadInput, match=r"export\.vocabulary: got 'used'; takes whole.*WordLevel"):
        trimmed(tokenizer, ["good"])
