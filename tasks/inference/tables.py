"""What a graph adds up of embedding tables at every run, added up once.

A text's tokens come in turn, so their positions are the first rows of a table, not some to be
looked up; and where texts come alone, not in pairs, every token's type is the same row of another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from tasks.compression.families import family_of
from tasks.training.prefix import KEY as PREFIX

TYPES_INPUT = "token_type_ids"
_WORDS, _POSITIONS, _TYPES = "word_embeddings", "position_embeddings", "token_type_embeddings"


def needed_inputs(model: nn.Module, names: Sequence[str], pairs: bool) -> list[str]:
    """Of a model's inputs those that its graph takes: no types where texts come alone."""
    spared = not pairs and hasattr(_embeddings(model), _TYPES)
    return [name for name in names if not (spared and name == TYPES_INPUT)]


@contextmanager
def added_up(model: nn.Module, names: Sequence[str], tokens: int) -> Iterator[None]:
    """While the block lasts, the model embeds inputs `names` of at most so many tokens, adding up
    as little as it can. It answers as before, but for the order of a sum."""
    module = _embeddings(model)
    if module is None:
        yield
        return
    words, positions = module.word_embeddings, module.position_embeddings
    table, made = positions.weight.detach(), dict[str, nn.Module]()
    if hasattr(module, _TYPES) and TYPES_INPUT not in names:
        table = table + module.token_type_embeddings.weight.detach()[0]
        made[_TYPES] = _Nothing()
    if positions.padding_idx is None:
        made |= {_WORDS: _InTurn(words.weight, table[:tokens]), _POSITIONS: _Nothing()}
    else:  # padding has a position of its own, on which those of tokens depend
        made[_POSITIONS] = nn.Embedding.from_pretrained(table)  # type: ignore[no-untyped-call]
    before = {name: getattr(module, name) for name in made}
    for name, part in made.items():
        setattr(module, name, part)
    try:
        yield
    finally:
        for name, part in before.items():
            setattr(module, name, part)


class _InTurn(nn.Embedding):
    """Words [b, t] at positions that count up from 0: [b, t, d]."""

    def __init__(self, words: torch.Tensor, positions: torch.Tensor) -> None:
        count, width = words.shape
        super().__init__(count, width, _weight=words, _freeze=True)
        self.positions = nn.Parameter(positions.contiguous(), requires_grad=False)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return super().forward(ids) + self.positions[: ids.shape[1]]


class _Nothing(nn.Module):
    """What is added elsewhere."""

    def forward(self, _: torch.Tensor) -> float:
        return 0.0


def _embeddings(model: nn.Module) -> Any:
    """The module that adds up tables, of an encoder with standard blocks; None: it's another.

    With a prefix, the positions of a text's tokens don't begin at 0.
    """
    if family_of(model) is None or hasattr(model.config, PREFIX):
        return None
    for module in model.modules():
        if isinstance(getattr(module, _POSITIONS, None), nn.Embedding):
            return module
    return None
