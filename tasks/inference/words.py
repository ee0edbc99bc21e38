"""The tokens of one text, by its words: those of `tokenizers`, at a fifth of its time.

A BERT tokenizer cuts a text at spaces and punctuation and looks each word up, so of plain text it
takes no more than that. The library, which can do anything, also keeps where every token lies, and
that is longer in the making than a small model's first layer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

PLAIN = re.compile(r"[\t\n\r -~]*")
"""What reads the same under every setting of BERT's normaliser, but for its case."""
WORD = re.compile(r"[0-9A-Za-z]+|[!-/:-@\[-`{-~]")
"""In plain text: what stands between spaces and punctuation, or a single mark of it."""


@dataclass(frozen=True, slots=True)
class Read:
    """A text as `tokenizers.Encoding` has it, as far as the graph is given it."""

    ids: list[int]

    @property
    def type_ids(self) -> list[int]:
        return [0] * len(self.ids)

    def __len__(self) -> int:
        return len(self.ids)


class Words:
    """Reads plain text as a tokenizer does that is of BERT's kind and cuts at the right."""

    def __init__(
        self, tokenizer: Tokenizer, model: WordPiece, lowercase: bool, max_length: int
    ) -> None:
        longest = model.max_input_chars_per_word
        self._pieces, self._lowercase = model, lowercase
        self._known = {
            word: number
            for word, number in tokenizer.get_vocab(with_added_tokens=False).items()
            if len(word) <= longest
        }
        added = [each.content.lower() for each in tokenizer.get_added_tokens_decoder().values()]
        self._added = re.compile("|".join(map(re.escape, added)) or "(?!)")
        self._before, self._after = _frame(tokenizer)
        self._most = max_length - len(self._after)

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> Words | None:
        """Of a tokenizer that cuts long texts; None where it is of another kind."""
        model, normalizer = tokenizer.model, tokenizer.normalizer
        truncation = tokenizer.truncation or {}
        if not (
            isinstance(model, WordPiece)
            and isinstance(normalizer, BertNormalizer)
            and isinstance(tokenizer.pre_tokenizer, BertPreTokenizer)
            and truncation.get("direction") == "right"
            and tokenizer.padding is None
        ):
            return None
        return cls(tokenizer, model, normalizer.lowercase, truncation["max_length"])

    def read(self, text: str) -> Read | None:
        """Its tokens; None of one that is not plain, or names a special token."""
        lowered = text.lower()
        if PLAIN.fullmatch(text) is None or self._added.search(lowered) is not None:
            return None
        known, ids = self._known, [*self._before]
        for word in WORD.findall(lowered if self._lowercase else text):
            number = known.get(word)
            if number is None:
                ids += [piece.id for piece in self._pieces.tokenize(word)]
            else:
                ids.append(number)
        del ids[self._most :]
        return Read(ids + self._after)


def _frame(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """What a tokenizer puts before and after every text."""
    empty, probe = tokenizer.encode("").ids, tokenizer.encode("a").ids
    own = len(probe) - len(empty)
    before = next(at for at in range(len(empty) + 1) if probe[at + own :] == empty[at:])
    return empty[:before], empty[before:]
