"""A vocabulary of what the texts use: fewer rows of the embedding, which is most of a small model.

What is left out is spelled by what stays: every single character does, so that nothing becomes
unknown that was known. Texts of tokens that stay are read as before (a longest match, a likeliest
split and merges by rank are the same when no part of them is gone), the others in more pieces.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer
from torch import nn

from tasks.data.dataset import Text
from tasks.stage.errors import BadInput

Ids = npt.NDArray[np.int64]
AT_ONCE = 1_000
"""Texts that are tokenised together."""


@dataclass(frozen=True)
class Trimmed:
    """A tokenizer of fewer tokens; token i of it was `kept[i]` before."""

    tokenizer: Any
    kept: Ids
    before: Any
    """The tokenizer of all tokens."""

    def cut(self, model: Any) -> nn.Module:
        """The model with the embedding's rows of these tokens alone, in place."""
        embedding = model.get_input_embeddings()
        rows = embedding.weight.detach()[torch.from_numpy(self.kept)].clone()
        embedding.weight = nn.Parameter(rows)
        embedding.num_embeddings = model.config.vocab_size = len(rows)
        found: nn.Module = model
        return found

    def on(self, texts: Sequence[Text]) -> dict[str, Any]:
        """What it comes to on other texts: the share read as before, and unknown tokens in all."""
        one, other = ([*_pieces(each, texts)] for each in (self.before, self.tokenizer))
        unknown = self.before.unk_token
        return {
            "tokens": len(self.kept),
            "of": len(self.before),
            "read_alike": sum(map(list.__eq__, one, other)) / max(1, len(texts)),
            "unknown": sum(text.count(unknown) for text in other),
            "unknown_before": sum(text.count(unknown) for text in one),
        }


def trimmed(tokenizer: Any, texts: Sequence[Text]) -> Trimmed:
    """A fast tokenizer without the tokens that these texts don't use and single characters aren't.

    The special ones stay, and all numbers up to the padding's, which models look for. Raises
    BadInput for one that is neither WordPiece nor Unigram nor BPE.
    """
    written = json.loads(tokenizer.backend_tokenizer.to_str())
    model = written["model"]
    if model["type"] not in _PARTS:
        raise BadInput(
            f"params.yaml: export.vocabulary: got 'used'; takes whole: the tokenizer's model is "
            f"{model['type']}, and how to shorten it is known of {', '.join(_PARTS)}"
        )
    tokens = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    wanted = {token for text in _pieces(tokenizer, texts) for token in text}
    wanted |= {each["content"] for each in written["added_tokens"]}
    wanted |= set(tokens[: (tokenizer.pad_token_id or 0) + 1])
    wanted |= {token for token in tokens if len(_spelled(token, model)) == 1}
    wanted = _PARTS[model["type"]](model, wanted)
    kept = [i for i, token in enumerate(tokens) if token in wanted]
    number = {tokens[i]: place for place, i in enumerate(kept)}
    _renumber(written, number, tokens)
    found = copy.deepcopy(tokenizer)
    found._tokenizer = Tokenizer.from_str(json.dumps(written))
    return Trimmed(found, np.array(kept, np.int64), tokenizer)


def _pieces(tokenizer: Any, texts: Sequence[Text]) -> Iterator[list[str]]:
    """The tokens of each text as they are written; nothing is cut."""
    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    backend.no_truncation()
    backend.no_padding()
    for start in range(0, len(texts), AT_ONCE):
        for found in backend.encode_batch([*texts[start : start + AT_ONCE]]):
            yield found.tokens


def _spelled(token: str, model: dict[str, Any]) -> str:
    """A token's own characters, without what marks that it goes on with a word or begins one."""
    mark = model.get("continuing_subword_prefix") or "▁"
    return token.removeprefix(mark) or token


def _word_piece(model: dict[str, Any], wanted: set[str]) -> set[str]:
    """And what has a character that is no token by itself where it stands."""
    vocabulary, mark = model["vocab"], model["continuing_subword_prefix"]

    def spelt(token: str) -> bool:
        inner = token.removeprefix(mark)
        first = mark + inner[:1] if inner != token else inner[:1]
        return first in vocabulary and all(mark + each in vocabulary for each in inner[1:])

    return wanted | {token for token in vocabulary if not spelt(token)}


def _unigram(model: dict[str, Any], wanted: set[str]) -> set[str]:
    """And what has a character that is no token by itself, and the one that is unknown."""
    known = {piece for piece, _ in model["vocab"]}
    spelt = {piece for piece in known if all(each in known for each in piece)}
    return wanted | (known - spelt) | {model["vocab"][model["unk_id"] or 0][0]}


def _bpe(model: dict[str, Any], wanted: set[str]) -> set[str]:
    """And the parts that each is merged of, and theirs."""
    parts: dict[str, tuple[str, str]] = {}
    for pair in model["merges"]:
        one, other = pair if isinstance(pair, list) else pair.split(" ")
        parts.setdefault(one + other, (one, other))
    todo, found = [*wanted], set(wanted)
    while todo:
        for part in parts.get(todo.pop(), ()):
            if part not in found:
                found.add(part)
                todo.append(part)
    return found


_PARTS = {"WordPiece": _word_piece, "Unigram": _unigram, "BPE": _bpe}
"""By the kind of a tokenizer's model: what must stay besides, for the rest to be spelled."""


def _renumber(written: dict[str, Any], number: dict[str, int], old: Sequence[str]) -> None:
    """Give the tokens of `number` those numbers and take the others out, in a tokenizer's JSON."""
    model = written["model"]
    if model["type"] == "Unigram":
        unknown = model["vocab"][model["unk_id"] or 0][0]
        model["vocab"] = [each for each in model["vocab"] if each[0] in number]
        model["unk_id"] = [piece for piece, _ in model["vocab"]].index(unknown)
    else:
        model["vocab"] = {token: number[token] for token in model["vocab"] if token in number}
    if model["type"] == "BPE":
        model["merges"] = [pair for pair in model["merges"] if _stays(pair, number)]
    for each in written["added_tokens"]:
        each["id"] = number[each["content"]]
    after = written.get("post_processor") or {}
    for processor in after.get("processors", [after]):
        for special in (processor.get("special_tokens") or {}).values():
            special["ids"] = [number[old[i]] for i in special["ids"]]
        for name in ("sep", "cls"):
            if name in processor:
                processor[name][1] = number[processor[name][0]]


def _stays(pair: Any, number: dict[str, int]) -> bool:
    one, other = pair if isinstance(pair, list) else pair.split(" ")
    return one in number and other in number and one + other in number
