"""Training with the rows of the token embedding that some text uses, and no others.

What no text uses gets no gradient, yet an optimiser goes through it at every step: through half of
a small encoder's numbers, on the sample. Left out and put back afterwards, those rows stay as they
were pre-trained.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from tasks.training.batches import Encoded
from tasks.training.parts import embedding_of


class Vocabulary:
    """The tokens that some texts use, numbered anew; up to that of the padding they keep theirs.

    It is all of them, by their old numbers, where the embedding is not trained: by an adapter, or
    frozen.
    """

    def __init__(self, model: nn.Module, texts: Sequence[Encoded]) -> None:
        embedding = embedding_of(model)
        self.size = embedding.num_embeddings
        used: list[npt.NDArray[Any]] = [np.unique(each.ids) for each in texts]
        kept = max(each.pad for each in texts) + 1  # models look for the padding by its number
        used.append(np.arange(kept if embedding.weight.requires_grad else self.size))
        self.tokens: npt.NDArray[np.int64] = np.unique(np.concatenate(used)).astype(int)
        self._rest: torch.Tensor | None = None

    def renumbered(self, encoded: Encoded) -> Encoded:
        """The same texts in the new numbers."""
        number = np.zeros(self.size, np.int32)
        number[self.tokens] = np.arange(len(self.tokens))
        return replace(encoded, ids=number[encoded.ids])

    def narrow(self, model: nn.Module) -> nn.Module:
        """The model with an embedding of these tokens alone, in place."""
        embedding = embedding_of(model)
        whole = embedding.weight.detach()
        self._rest = whole.cpu().clone()
        _set(embedding, whole[torch.from_numpy(self.tokens).to(whole.device)].clone())
        return model

    @contextmanager
    def whole(self, model: nn.Module) -> Iterator[nn.Module]:
        """The model with its embedding of every token, as long as the block lasts."""
        embedding = embedding_of(model)
        narrow = embedding.weight.detach()
        assert self._rest is not None, "it was never narrowed"
        rows = self._rest.to(narrow).clone()
        rows[torch.from_numpy(self.tokens).to(narrow.device)] = narrow
        _set(embedding, rows)
        try:
            yield model
        finally:
            _set(embedding, narrow)


def _set(embedding: nn.Embedding, rows: torch.Tensor) -> None:
    wanted = embedding.weight.requires_grad
    embedding.weight = nn.Parameter(rows, requires_grad=wanted)
    embedding.num_embeddings = len(rows)
