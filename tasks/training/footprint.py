"""How much memory training will take, told from a model's files without loading it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.training.attention import ATTENTION

WEIGHT_BYTES = 4
GRADIENT_BYTES = 4
OPTIMISER_BYTES = 8
"""Adam's two moments; weights, gradients and moments are fp32 under mixed precision too."""
CAST_BYTES = 2
"""The 16-bit copy of a weight that autocast keeps from forward to backward."""
_HEADER_LENGTH = 8  # bytes that hold a safetensors header's size, little-endian
_HIDDEN = ("hidden_size", "dim", "d_model", "n_embd")
_LAYERS = ("num_hidden_layers", "n_layers", "num_layers", "n_layer")
_HEADS = ("num_attention_heads", "n_heads", "n_head")


@dataclass(frozen=True)
class Shape:
    """What the memory of a transformer depends on."""

    parameters: int
    layers: int
    hidden: int
    heads: int


def read_shape(folder: Path) -> Shape:
    """The shape of the model in `folder`, from config.json and the weights' headers.

    Raises OSError, ValueError or KeyError when the files do not say.
    """
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise FileNotFoundError(f"{folder} has no *.safetensors")
    return Shape(
        parameters=sum(count_parameters(path) for path in weights),
        layers=_first(config, _LAYERS),
        hidden=_first(config, _HIDDEN),
        heads=_first(config, _HEADS),
    )


def count_parameters(path: Path) -> int:
    """The numbers in a safetensors file, counted in its header alone."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(_HEADER_LENGTH), "little")
        header = json.loads(file.read(length))
    return sum(math.prod(each["shape"]) for key, each in header.items() if key != "__metadata__")


def state_bytes(parameters: int, precision: str) -> int:
    """Weights, gradients and Adam's moments, and the casts of mixed precision."""
    each = WEIGHT_BYTES + GRADIENT_BYTES + OPTIMISER_BYTES
    return parameters * (each + (CAST_BYTES if value_bytes(precision) == CAST_BYTES else 0))


def value_bytes(precision: str) -> int:
    """Of a number in the activations: 2 under mixed precision; TF32 is stored as fp32."""
    return 2 if precision in ("bf16", "fp16") else 4


def activation_bytes(shape: Shape, batch: int, tokens: int, precision: str, attention: str) -> int:
    """What the forward pass keeps for the backward one, for `batch` texts of `tokens` tokens.

    A layer keeps s·b·h·(34 + 5·a·s/h) bytes in 16 bits (s tokens, b texts, h hidden, a heads):
    sixteen tensors of 2 bytes and two dropout masks of 1, and for each head's s × s attention two
    tensors and a mask (Korthikanti et al. 2022, "Reducing Activation Recomputation in Large
    Transformer Models", equation 1). In fp32 the tensors take twice that, the masks don't. The
    fused kernels behind `sdpa` never keep the s × s tensors. The quick dropout keeps its masks as
    numbers of the tensors' own type.
    """
    number = value_bytes(precision)
    mask = number if attention == ATTENTION else 1
    places = tokens * batch * shape.hidden
    squares = 0 if attention == "sdpa" else shape.heads * tokens * tokens * batch
    return shape.layers * (places * (16 * number + 2 * mask) + squares * (2 * number + mask))


def _first(config: Mapping[str, Any], names: tuple[str, ...]) -> int:
    for name in names:
        if isinstance(config.get(name), int):
            return int(config[name])
    raise KeyError(names[0])
