"""Classifiers that answer sure texts before their last layers.

Most texts are easy. A model leaves early where its own last layer and head, put on after the first
layers, are sure enough of a class; what comes between is for the texts that stay. After BranchyNet
(Teerapittayanon et al. 2016), and as LayerSkip (Elhoushi et al. 2024) has it with one head for all
depths. Since the last layer is computed for the token that is read alone
(`tasks.training.first_token`), asking it costs a fraction of a layer. A model learns that while it
is trained, or it is given lenses: a linear map a place (the tuned lens of Belrose et al. 2023,
before the last layer in place of the head alone), which turns a state into what the layers between
would have made of it, as far as a map can. The model itself stays as it is then, and so does its
answer where a text stays.

A folder keeps in `exits.safetensors` the places, the probability of a class above which a text
leaves, and the lenses. A plain `from_pretrained` goes through all layers for every text:
`tasks.training.classifier.load_finetuned` is what loads such a folder.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache, wraps
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from tasks.task.answers import Floats
from tasks.task.figures import softmax
from tasks.training.parts import layers_of

FILE = "exits.safetensors"
LEAVING = "leaving"
"""Where the file's metadata has a list of `Leaving`."""
NEVER = 1.0
"""No probability is above it."""
EDGE = 1e-4
"""Of a probability: more than fp32 and the order of its sums make of it."""
PLAIN = 2
"""Where the family's own class stands: after the made one and `LeavesEarly`."""

Tensor = torch.Tensor


class Walk(NamedTuple):
    """What a model says of b texts of t tokens on its way through its layers."""

    output: Any
    """Of all layers, as the plain model gives it."""
    early: dict[int, Tensor]
    """After so many layers: logits [b, outputs]."""
    states: dict[int, Tensor]
    """What those layers have made of the texts: [b, t, d]."""


@dataclass(frozen=True)
class Leaving:
    """One place at which texts leave."""

    after: int
    """Layers."""
    certainty: float
    """The probability of the best class above which they do."""
    share: float
    """Of the texts that it was chosen on, how many did."""


class Lens(nn.Module):
    """Of what some layers have made of texts, [b, t, d], what the last layer is to be given.

    The state and a linear map of it, which is nothing until it is taught.
    """

    def __init__(self, dimensions: int) -> None:
        super().__init__()
        self.change = nn.Linear(dimensions, dimensions)
        nn.init.zeros_(self.change.weight)
        nn.init.zeros_(self.change.bias)

    def forward(self, state: Tensor) -> Tensor:
        found: Tensor = state + self.change(state)
        return found


class LeavesEarly:
    """How such a classifier answers: in training its output has `early` beside the logits of all
    layers; otherwise the logits are those with which each text leaves."""

    certainties: dict[int, float]
    """After how many layers texts leave, and the probability above which they do."""
    lenses: nn.ModuleDict
    """By place; one without has the last layer see the state itself."""

    def forward(self, **inputs: Any) -> Any:
        """As the plain model, of inputs by name."""
        output, early, _ = self.walk(**inputs)
        output.early = early
        if not self.training:  # type: ignore[attr-defined]
            output.logits = self._chosen(output.logits, early)
        return output

    def walk(self, **inputs: Any) -> Walk:
        """All layers, and after each place its lens, if it has one, the last one and the head."""
        model: Any = self
        layers, states = layers_of(model), {}

        def keep(place: int) -> Any:
            def hook(_module: nn.Module, given: tuple[Tensor, ...]) -> None:
                states[place] = given[0]

            return hook

        hooks = [layers[place].register_forward_pre_hook(keep(place)) for place in places_of(model)]
        try:
            output = super().forward(**inputs)  # type: ignore[misc]
        finally:
            for each in hooks:
                each.remove()
        alone = {
            name: each
            for name, each in inputs.items()
            if name not in ("labels", "output_hidden_states")
        }
        path = next(name for name, module in model.named_modules() if module is layers)
        early = {}
        for place, state in states.items():
            seen = model.lenses[str(place)](state) if str(place) in model.lenses else state
            with _in_place_of(model, path, nn.ModuleList([_Given(seen), layers[-1]])):
                early[place] = super().forward(**alone).logits  # type: ignore[misc]
        return Walk(output, early, states)

    def _chosen(self, logits: Tensor, early: Mapping[int, Tensor]) -> Tensor:
        for place in sorted(early, reverse=True):
            sure = early[place].float().softmax(-1).amax(-1, keepdim=True) > self.certainties[place]
            logits = torch.where(sure, early[place].to(logits), logits)
        return logits


class _Given(nn.Module):
    """In place of layers: what they have said already."""

    def __init__(self, state: Tensor) -> None:
        super().__init__()
        self.state = state

    def forward(self, *_: Any, **__: Any) -> Tensor:
        return self.state


@contextmanager
def _in_place_of(model: nn.Module, path: str, layers: nn.ModuleList) -> Iterator[None]:
    """The model with these layers where it has its own, as long as the block lasts."""
    owner, _, name = path.rpartition(".")
    parent, whole = model.get_submodule(owner), model.get_submodule(path)
    setattr(parent, name, layers)
    try:
        yield
    finally:
        setattr(parent, name, whole)


def leaving_early(model: nn.Module, certainties: Mapping[int, float]) -> nn.Module:
    """The model, in place, answering after some layers where it is surer than `certainties`, of
    which none means that every text goes through all layers."""
    if not certainties:
        return going_through(model)
    found: Any = model
    if not isinstance(model, LeavesEarly):
        found.__class__ = _made(found.__class__)
        found.lenses = nn.ModuleDict()
    found.certainties = dict(certainties)
    return model


def with_lenses(model: Any, places: Iterable[int]) -> None:
    """Give a model that leaves early lenses, in place, that change nothing yet."""
    for place in places:
        lens = Lens(model.config.hidden_size)
        model.lenses[str(place)] = lens.to(model.device, model.dtype)


def going_through(model: nn.Module) -> nn.Module:
    """The model, in place, with every text going through all layers: `leaving_early` undone."""
    if isinstance(model, LeavesEarly):
        found: Any = model
        found.__class__ = type(model).__mro__[PLAIN]
        del found.lenses, found.certainties
    return model


@contextmanager
def as_plain(model: nn.Module) -> Iterator[None]:
    """While the block lasts, the model has its family's own class, and no lenses."""
    if not isinstance(model, LeavesEarly):
        yield
        return
    found: Any = model
    made, lenses = type(model), found.lenses
    del found.lenses
    found.__class__ = made.__mro__[PLAIN]
    try:
        yield
    finally:
        found.__class__, found.lenses = made, lenses


@cache
def _made(kind: type) -> type:
    forward = wraps(kind.forward)(LeavesEarly.forward)  # type: ignore[attr-defined]
    return type(f"Early{kind.__name__}", (LeavesEarly, kind), {"forward": forward})


def write_exits(model: nn.Module, leaving: Sequence[Leaving], folder: Path) -> None:
    """Keep in a folder where texts leave the model, and the lenses it has there."""
    lenses = getattr(model, "lenses", nn.ModuleDict())
    tensors = {name: each.contiguous().cpu() for name, each in lenses.state_dict().items()}
    told = json.dumps([asdict(each) for each in leaving])
    save_file(tensors, folder / FILE, {LEAVING: told})


def read_exits(model: nn.Module, folder: Path) -> list[Leaving]:
    """Have texts leave the model, in place, where its folder says; a folder without the file says
    nothing."""
    if not (folder / FILE).is_file():
        return []
    with safe_open(folder / FILE, "pt") as file:
        leaving = [Leaving(**each) for each in json.loads(file.metadata()[LEAVING])]
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no dict
    leaving_early(model, {each.after: each.certainty for each in leaving})
    if tensors:
        found: Any = model
        with_lenses(found, sorted({int(name.partition(".")[0]) for name in tensors}))
        found.lenses.load_state_dict(tensors)
    return leaving


def certainties_of(model: Any) -> dict[int, float]:
    """After how many layers texts leave, and the probability above which they do; none: {}."""
    return dict(model.certainties) if isinstance(model, LeavesEarly) else {}


def places_of(model: Any) -> list[int]:
    """After how many layers texts may leave."""
    return sorted(certainties_of(model))


def at_the_edge(model: nn.Module, early: Mapping[int, Floats]) -> npt.NDArray[np.bool_]:
    """Whether rounding decides where a text gets its answer, [texts], of the logits at each of the
    model's places."""
    certainties = certainties_of(model)
    near = [
        np.abs(softmax(logits).max(1) - certainties[place]) < EDGE
        for place, logits in early.items()
    ]
    edge: npt.NDArray[np.bool_] = np.any(near, axis=0)
    return edge
