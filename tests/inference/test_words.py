from __future__ import annotations

import random
import string
from collections.abc import Callable
from typing import Any

import pytest
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors

from tasks.inference.words import Words

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "film", "Film", "##s", "##ing", "good", "'"]
VOCABULARY += [".", "-", "_", "1", "##9", "199", "don", "t", "é", "caf", "##é", "x" * 101]
PLAIN = [
    "",
    "a film",
    "A Film",
    "  good\tfilms,\nfilming \r\n a-good_film.. ",
    "don't 1999 199 19",
    "unknowable",
    "(film)[film]{film}~`|\\^",
    "x" * 100,
    "x" * 101,
    "film " * 40,
    "film" * 40,
]
OTHERS = ["a café film", "film\x00", "good\x7ffilm", "bad \u200b film", "[SEP]", "a [mask] film"]


def bert(
    lowercase: bool = True, template: str = "[CLS] $A [SEP]", length: int = 12, **truncation: Any
) -> Tokenizer:
    vocabulary = {word: number for number, word in enumerate(VOCABULARY)}
    made = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = [(name, vocabulary[name]) for name in ("[CLS]", "[SEP]")]
    made.post_processor = processors.TemplateProcessing(single=template, special_tokens=special)
    made.add_special_tokens([*VOCABULARY[:4], "[MASK]"])
    made.enable_truncation(length, **truncation)
    return made


@pytest.mark.parametrize(
    "tokenizer",
    [
        bert(),
        bert(lowercase=False),
        bert(template="[CLS] $A"),
        bert(template="$A [SEP] [SEP]"),
        bert(template="$A"),
        bert(length=3),
        bert(length=2),
    ],
)
def test_plain_text_is_read_as_the_library_reads_it(tokenizer: Tokenizer) -> None:
    words, draw = Words.of(tokenizer), random.Random(3)
    assert words is not None
    parts = [*VOCABULARY[4:20], *string.printable[:-2], "  ", "filmings", "unseen"]
    mixed = ["".join(draw.choices(parts, k=draw.randrange(30))) for _ in range(2_000)]

    for text in [*PLAIN, *mixed]:
        read = words.read(text)
        if read is None:
            assert not text.isascii() or "[" in text, text
        else:
            expected = tokenizer.encode(text)
            assert (read.ids, len(read)) == (expected.ids, len(expected)), text
            assert read.type_ids == expected.type_ids
    assert all(words.read(text) is not None for text in PLAIN)


@pytest.mark.parametrize("text", OTHERS)
def test_what_is_not_plain_is_left_to_the_library(text: str) -> None:
    words = Words.of(bert())
    assert words is not None
    assert words.read(text) is None


def test_a_token_that_was_added_is_left_to_the_library_wherever_it_stands() -> None:
    tokenizer = bert()
    tokenizer.add_tokens([AddedToken("goodf", normalized=True)])
    words = Words.of(tokenizer)

    assert words is not None
    assert words.read("good film") is not None
    assert words.read("a GOODFilm") is None


def _left(made: Tokenizer) -> None:
    made.enable_truncation(12, direction="left")


def _uncut(made: Tokenizer) -> None:
    made.no_truncation()


def _padded(made: Tokenizer) -> None:
    made.enable_padding()


def _other_words(made: Tokenizer) -> None:
    made.pre_tokenizer = pre_tokenizers.Whitespace()


def _other_letters(made: Tokenizer) -> None:
    made.normalizer = normalizers.Lowercase()


def _other_pieces(made: Tokenizer) -> None:
    made.model = models.BPE()


@pytest.mark.parametrize(
    "change", [_left, _uncut, _padded, _other_words, _other_letters, _other_pieces]
)
def test_a_tokenizer_of_another_kind_is_left_alone(change: Callable[[Tokenizer], None]) -> None:
    tokenizer = bert()
    change(tokenizer)

    assert Words.of(tokenizer) is None
