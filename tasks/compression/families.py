"""Where each model family keeps its layers: all that surgery has to know of it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class Family:
    """Paths and configuration names of a family of encoders with standard blocks."""

    layers: str
    """From the model to the list of its layers."""
    projections: tuple[str, str, str]
    """From a layer to the matrices of queries, keys and values."""
    merge: str
    """From a layer to the matrix that brings the heads together."""
    up: str
    """From a layer to the first matrix of its feed-forward network."""
    down: str
    """From a layer to the second one."""
    depth: str = "num_hidden_layers"
    width: str = "intermediate_size"

    def layers_of(self, model: nn.Module) -> nn.ModuleList:
        layers = model.get_submodule(self.layers)
        assert isinstance(layers, nn.ModuleList)
        return layers

    def feed_forward(self, layer: nn.Module) -> tuple[nn.Linear, nn.Linear]:
        """The two matrices of a layer's feed-forward network, [n, d] and [d, n]."""
        return _linear(layer, self.up), _linear(layer, self.down)

    def attention(self, layer: nn.Module) -> tuple[list[nn.Linear], nn.Linear]:
        """The matrices of queries, keys and values, each [h, d], and that of what is read, [d, h];
        a head has `head_size` of these h places, one head after the other."""
        return [_linear(layer, path) for path in self.projections], _linear(layer, self.merge)

    def head_size(self, layer: nn.Module) -> int:
        """Places of a layer's head."""
        parent, _, _ = self.projections[0].rpartition(".")
        return int(layer.get_submodule(parent).attention_head_size)  # type: ignore[arg-type]


def _linear(layer: nn.Module, path: str) -> nn.Linear:
    found = layer.get_submodule(path)
    assert isinstance(found, nn.Linear)
    return found


def _like_bert(kind: str) -> Family:
    return Family(
        f"{kind}.encoder.layer",
        projections=("attention.self.query", "attention.self.key", "attention.self.value"),
        merge="attention.output.dense",
        up="intermediate.dense",
        down="output.dense",
    )


FAMILIES = {
    "bert": _like_bert("bert"),
    "roberta": _like_bert("roberta"),
    "xlm-roberta": _like_bert("roberta"),
    "camembert": _like_bert("roberta"),
    "electra": _like_bert("electra"),
    "distilbert": Family(
        "distilbert.transformer.layer",
        projections=("attention.q_lin", "attention.k_lin", "attention.v_lin"),
        merge="attention.out_lin",
        up="ffn.lin1",
        down="ffn.lin2",
        depth="n_layers",
        width="hidden_dim",
    ),
}
"""By `config.model_type`."""


def family_of(model: nn.Module) -> Family | None:
    """The model's family, or None for one whose blocks we don't know."""
    return FAMILIES.get(model.config.model_type)  # type: ignore[union-attr,arg-type]
