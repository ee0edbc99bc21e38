"""Training on tokens alone: the texts of a batch end to end, apart only where they attend.

Texts that meet by chance are of all lengths, and up to half of their batch is padding. Batches of
texts of like length have little, but what they teach is less of a random sample, and that costs
accuracy. Here nothing is padded but queries, keys and values, of a few texts of like length at a
time; what is left of a layer takes each token by itself. No answer and no gradient changes. After
the unpadding of Zeng et al. 2022 ("Boosting Distributed Training Performance of the Unpadded BERT
Model"), whose fused kernels need a GPU; this is plain torch on any device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from typing import Any

import torch
from torch import nn
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from tasks.training.attention import attend, attention
from tasks.training.parts import layers_of
from tasks.training.prefix import KEY as PREFIX

ATTENDING_TOGETHER = 16
"""Texts whose queries, keys and values are padded to the longest of them."""
NAME = "nightshift-unpadded"
"""What transformers calls the attention of these models."""
FAMILIES = ("bert", "roberta", "xlm-roberta", "camembert", "electra", "distilbert", "albert")
"""By `config.model_type`: those whose encoder is given states and a mask, and does with them
nothing that looks at a token's place but attention. Others have positions inside their layers."""

Tensor = torch.Tensor
Attend = Callable[..., tuple[Tensor, Tensor | None]]


class _Taken(torch.autograd.Function):
    """Some rows of a matrix, none of them twice: [n, d], int64 [m] -> [m, d]."""

    @staticmethod
    def forward(ctx: Any, numbers: Tensor, rows: Tensor) -> Tensor:
        ctx.save_for_backward(rows)
        ctx.count = len(numbers)
        return numbers.index_select(0, rows)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (rows,) = ctx.saved_tensors
        return _spread(gradient, rows, ctx.count), None


class _Spread(torch.autograd.Function):
    """The other way round: [m, d], int64 [m] -> [n, d], zero in between."""

    @staticmethod
    def forward(ctx: Any, numbers: Tensor, rows: Tensor, count: int) -> Tensor:
        ctx.save_for_backward(rows)
        return _spread(numbers, rows, count)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (rows,) = ctx.saved_tensors
        return gradient.index_select(0, rows), None, None


def _spread(numbers: Tensor, rows: Tensor, count: int) -> Tensor:
    return numbers.new_zeros(count, *numbers.shape[1:]).index_copy_(0, rows, numbers)


class Layout:
    """Where the tokens of b texts lie when they come end to end, the shortest text first."""

    def __init__(self, inside: Tensor, how: Attend) -> None:
        """`inside` bool [b, t]: which places hold tokens; texts attend by `how`."""
        self.shape, self.how = inside.shape, how
        lengths = inside.sum(1)
        self.order = lengths.argsort(stable=True)
        """The texts as they lie here, int64 [b]."""
        places = torch.arange(inside.numel(), device=inside.device).view(self.shape)
        self.places = places[self.order][inside[self.order]]
        """Those of a batch [b · t] that the tokens come from, int64 [n]."""
        ends = lengths[self.order].cumsum(0)
        self.first = ends - lengths[self.order]
        """Where each text begins, int64 [b]."""
        bounds = [*range(0, len(inside), ATTENDING_TOGETHER), len(inside)]
        begins = [0, *ends.tolist()]
        self.groups = [
            _Group(inside[self.order[start:end]], begins[start], start)
            for start, end in pairwise(bounds)
        ]

    def tokens(self, states: Tensor) -> Tensor:
        """Of a batch [b, t, d] its tokens [1, n, d]."""
        return _taken(states.flatten(0, 1), self.places)[None]

    def first_tokens(self, states: Tensor) -> Tensor:
        """Of tokens [1, n, d] the first one of each text [b, 1, d]."""
        return _taken(states[0], self.first)[:, None]

    def texts(self, states: Tensor) -> Tensor:
        """Tokens [1, n, d] as a batch [b, t, d], zero where there is padding; of first tokens
        [b, 1, d], those in the batch's order."""
        if not self._are_tokens(states):
            return _spread_out(states, self.order, len(states))
        count = self.shape.numel()
        return _spread_out(states[0], self.places, count).view(*self.shape, -1)

    def attended(
        self, module: nn.Module, query: Tensor, key: Tensor, value: Tensor, **options: Any
    ) -> tuple[Tensor, None]:
        """Attention of each text to itself, of `query`, `key`, `value` [1, heads, n, d] -> [1, n,
        heads, d]; of a query for the first tokens alone, [b, heads, 1, d] -> [b, 1, heads, d]."""
        keys, values = (each[0].transpose(0, 1) for each in (key, value))
        if not self._are_tokens(query.transpose(1, 2)):
            answers = [
                self.how(module, query[group.texts], group.padded(keys), group.padded(values),
                         group.mask.to(query.dtype), **options)[0]
                for group in self.groups
            ]  # fmt: skip
            return torch.cat(answers), None
        queries = query[0].transpose(0, 1)
        found = [
            group.unpadded(self.how(
                module, group.padded(queries), group.padded(keys), group.padded(values),
                group.mask.to(query.dtype), **options)[0])
            for group in self.groups
        ]  # fmt: skip
        return torch.cat(found)[None], None

    def _are_tokens(self, numbers: Tensor) -> bool:
        return numbers.shape[:2] == (1, len(self.places))


class _Group:
    """A few texts that lie side by side, and attend together."""

    def __init__(self, inside: Tensor, start: int, first: int) -> None:
        """`inside` bool [g, t]; their tokens begin at `start`, they are texts `first` and on."""
        lengths = inside.sum(1, keepdim=True)
        inside = torch.arange(int(lengths.max()), device=inside.device) < lengths
        self.shape = inside.shape
        self.rows = inside.flatten().nonzero().flatten()
        self.texts = slice(first, first + len(inside))
        self.tokens = slice(start, start + len(self.rows))
        shown = torch.zeros(self.shape, device=inside.device)
        self.mask = shown.masked_fill(~inside, -torch.inf)[:, None, None]
        """What is added to scores [g, heads, t, t]: less than anything for padding."""

    def padded(self, numbers: Tensor) -> Tensor:
        """Of all tokens [n, heads, d] these, as texts [g, heads, t, d]."""
        own = _spread_out(numbers[self.tokens], self.rows, self.shape.numel())
        return own.view(*self.shape, *numbers.shape[1:]).transpose(1, 2)

    def unpadded(self, numbers: Tensor) -> Tensor:
        """Texts [g, t, heads, d] as tokens."""
        return _taken(numbers.flatten(0, 1), self.rows)


def _taken(numbers: Tensor, rows: Tensor) -> Tensor:
    found: Tensor = _Taken.apply(numbers, rows)  # type: ignore[no-untyped-call]
    return found


def _spread_out(numbers: Tensor, rows: Tensor, count: int) -> Tensor:
    found: Tensor = _Spread.apply(numbers, rows, count)  # type: ignore[no-untyped-call]
    return found


class _Unpadded:
    """An encoder that goes through its layers with tokens alone."""

    def forward(
        self, hidden_states: Tensor, attention_mask: Tensor | None = None, **rest: Any
    ) -> Any:
        """As the plain one, of states [b, t, d] and 1 for each token [b, t]; what comes out has
        states [b, t, d], zero for padding."""
        forward = super().forward  # type: ignore[misc]
        if attention_mask is None:
            return forward(hidden_states, **rest)
        layout = Layout(attention_mask.bool(), self.how)  # type: ignore[attr-defined]
        output = forward(layout.tokens(hidden_states), attention_mask=layout, **rest)
        output.last_hidden_state = layout.texts(output.last_hidden_state)
        return output


def can_do_without_padding(model: nn.Module) -> bool:
    """Whether `unpadded` changes such a model: one of FAMILIES, without a prefix."""
    config: Any = model.config
    return config.model_type in FAMILIES and not hasattr(config, PREFIX)


@contextmanager
def unpadded(model: Any) -> Iterator[None]:
    """While the block lasts, the model computes nothing for padding, if it is one that can do so.

    Of its hidden states the last are those of a batch, the others of tokens end to end.
    """
    if not can_do_without_padding(model):
        yield
        return
    before = model.config._attn_implementation
    encoder = _encoder(model)
    kind: type = type(encoder)
    encoder.__class__ = _made(kind)
    encoder.how = ALL_ATTENTION_FUNCTIONS.get(before, attention)
    attend(model, _attention, _mask, NAME)
    try:
        yield
    finally:
        model.set_attn_implementation(before)
        del encoder.how
        encoder.__class__ = kind


def _encoder(model: nn.Module) -> Any:
    """The module that hands its states from layer to layer."""
    layers = layers_of(model)
    return next(each for each in model.modules() if any(layers is own for own in each.children()))


@cache
def _made(kind: type) -> type:
    return type(f"Unpadded{kind.__name__}", (_Unpadded, kind), {})


def _attention(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor,
    attention_mask: Layout | None, **options: Any,
) -> tuple[Tensor, Tensor | None]:  # fmt: skip
    if attention_mask is None:
        return attention(module, query, key, value, None, **options)
    return attention_mask.attended(module, query, key, value, **options)


def _mask(*_: Any, attention_mask: Tensor | None, **__: Any) -> Tensor | None:
    return attention_mask
