"""Where each model family keeps its layers: all that surgery has to know of it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class Family:
    """Paths and configuration names of a family of encoders with standard blocks."""

    layers: str
    """From the model to the list of its layers."""
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
        up, down = layer.get_submodule(self.up), layer.get_submodule(self.down)
        assert isinstance(up, nn.Linear)
        assert isinstance(down, nn.Linear)
        return up, down


_BERT = Family("bert.encoder.layer", up="intermediate.dense", down="output.dense")
_ROBERTA = Family("roberta.encoder.layer", up="intermediate.dense", down="output.dense")

FAMILIES = {
    "bert": _BERT,
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
    "camembert": _ROBERTA,
    "electra": Family("electra.encoder.layer", up="intermediate.dense", down="output.dense"),
    "distilbert": Family(
        "distilbert.transformer.layer",
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
