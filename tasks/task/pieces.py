"""Where the tokens of a text lie in it, and which speak for it when it is cut in windows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from tasks.task.answers import Pieces

UNSPACED = re.compile(r"[\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uff65]")
"""Characters of scripts that put no space between words."""


def pieces_of(text: str, encoding: Any) -> Pieces:
    """The places of a text's tokens, from the `tokenizers.Encoding` of it (or of a window of it).

    A word begins where the tokenizer says so, after white space, and beside a character of a script
    that writes without it: tokenizers that split at spaces alone take a Chinese sentence for a
    word. The space that some tokens begin with is not counted as theirs.
    """
    spans = np.zeros((len(encoding.ids), 2), np.int64)
    first = np.zeros(len(encoding.ids), np.bool_)
    last_word, end = None, 0
    for at, ((start, stop), word) in enumerate(
        zip(encoding.offsets, encoding.word_ids, strict=True)
    ):
        if word is None:  # a special token
            continue
        while start < stop and text[start].isspace():
            start += 1
        while start < stop and text[stop - 1].isspace():
            stop -= 1
        if start == stop:
            continue
        spans[at] = start, stop
        first[at] = word != last_word or _apart(text, end, start)
        last_word, end = word, max(end, stop)
    return Pieces(spans, first)


def windows(text: str, encodings: Sequence[Any], stride: int) -> list[Pieces]:
    """The places of the tokens of each window of a text; neighbours share `stride` tokens.

    Of the tokens that two windows share each word belongs to the window in which it is farther from
    the edge. In the other one its tokens lie nowhere, as special tokens do. So the windows of a
    text, one after the other, hold every word once, and what is told of their tokens can be read as
    if they were of one text.
    """
    found = []
    for number, encoding in enumerate(encodings):
        inner = 1 - np.array(encoding.special_tokens_mask, np.int64)
        end = int(inner.sum())
        low = stride // 2 if number else 0
        high = end - (stride - stride // 2) if number + 1 < len(encodings) else end
        pieces = pieces_of(text, encoding)
        begins = np.maximum.accumulate(np.where(pieces.first, np.arange(len(inner)), -1))
        place = (np.cumsum(inner) - 1)[begins]
        own = (begins >= 0) & (place >= low) & (place < high)
        found.append(Pieces(np.where(own[:, None], pieces.spans, 0), pieces.first & own))
    return found


def joined(pieces: Sequence[Pieces]) -> Pieces:
    """The windows of a text as one, end to end."""
    return Pieces(
        np.concatenate([each.spans for each in pieces]),
        np.concatenate([each.first for each in pieces]),
    )


def _apart(text: str, end: int, start: int) -> bool:
    """Whether what begins at `start` is another word than what ended at `end`."""
    if start < end or end == 0:  # a character that several tokens share
        return False
    beside = UNSPACED.match(text[start]) or UNSPACED.match(text[end - 1])
    return bool(beside) or text[end:start].isspace()
