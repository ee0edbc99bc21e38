"""Where a transformer keeps its embeddings, its layers and what comes after them."""

from __future__ import annotations

from torch import nn

from tasks.stage.errors import BadInput


def layers_of(model: nn.Module) -> nn.ModuleList:
    """The list of the model's layers: the one that holds most of its numbers.

    Raises BadInput for a model without a list of modules.
    """
    lists = [module for module in model.modules() if isinstance(module, nn.ModuleList)]
    if not any(len(found) for found in lists):
        raise BadInput(
            f"{type(model).__name__} has no list of layers: finetune.layer_decay, "
            "finetune.freeze_layers and finetune.sharding: fsdp need one"
        )
    return max(lists, key=lambda found: sum(p.numel() for p in found.parameters()))


def embedding_of(model: nn.Module) -> nn.Embedding:
    """The embedding of the tokens: the first one that the model has."""
    return next(module for module in model.modules() if isinstance(module, nn.Embedding))


def depths(model: nn.Module) -> dict[str, int]:
    """How deep each parameter lies, by name: 0 embeddings, 1 … n the layers, n + 1 after them.

    Embeddings are what the encoder registers before its layers, positions and normalisation
    included; what comes after them (pooler, heads) and what stands outside it is all one depth.
    """
    layers = layers_of(model)
    number = {id(p): i for i, layer in enumerate(layers, 1) for p in layer.parameters()}
    before = _before(_encoder(model, layers), layers)
    return {
        name: number.get(id(parameter), 0 if id(parameter) in before else len(layers) + 1)
        for name, parameter in model.named_parameters()
    }


def freeze(model: nn.Module, embeddings: bool, layers: int) -> None:
    """Train neither the embeddings, if so wished, nor the first `layers` layers.

    Raises BadInput when the model has fewer layers.
    """
    if not embeddings and not layers:
        return
    have = len(layers_of(model))
    if layers > have:
        raise BadInput(
            f"params.yaml: finetune.freeze_layers: got {layers}; takes {have} or less: "
            "the model has no more layers"
        )
    for name, depth in depths(model).items():
        if (depth == 0 and embeddings) or 1 <= depth <= layers:
            model.get_parameter(name).requires_grad_(False)


def trained_share(model: nn.Module) -> float:
    """The share of the parameters that training changes, 0 to 1."""
    sizes = [(p.numel(), p.requires_grad) for p in model.parameters()]
    return sum(size for size, trained in sizes if trained) / sum(size for size, _ in sizes)


def head_of(model: nn.Module) -> list[str]:
    """The names of the parameters after the layers: what a task adds, or trains anew."""
    found = depths(model)
    return [name for name, depth in found.items() if depth == max(found.values())]


def _encoder(model: nn.Module, layers: nn.ModuleList) -> nn.Module:
    """The smallest module that holds both the token embedding and the layers."""
    embedding = embedding_of(model)
    around = [
        module
        for module in model.modules()
        if {id(embedding), id(layers)} <= {id(inner) for inner in module.modules()}
    ]
    return around[-1]


def _before(encoder: nn.Module, layers: nn.ModuleList) -> set[int]:
    """The parameters that `encoder` registers before those of its layers."""
    inside = {id(parameter) for parameter in layers.parameters()}
    found: set[int] = set()
    for parameter in encoder.parameters():
        if id(parameter) in inside:
            break
        found.add(id(parameter))
    return found
