"""From a PyTorch classifier to an ONNX graph."""

from __future__ import annotations

import ast
import contextlib
import inspect
import io
import itertools
import logging
import math
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import nn

from tasks.inference.early import LOGITS, early_output, state_output
from tasks.inference.fusion import joined_attention, without_heads
from tasks.stage.errors import BadInput
from tasks.task.answers import Exit
from tasks.training.early import as_plain, places_of

OPERATORS = ["MatMul", "Gemm", "Gather"]
"""Matrix products, and the embedding tables, which are half of a small encoder's bytes."""
LARGEST = 2_000_000_000
"""Bytes of weights in one file; protobuf's limit is 2 GiB."""
SCOPES = "pkg.torch.onnx.name_scopes"
"""Where the exporter writes down the modules that a node comes from, the outermost first."""


class _Logits(nn.Module):
    """The model as a function of its inputs by position, returning the logits alone, by exit."""

    def __init__(
        self, model: Any, names: list[str], exits: Mapping[str, Exit], early: bool
    ) -> None:
        super().__init__()
        self.model, self.names, self.exits, self.early = model, names, exits, early
        # a decoder would hand back its keys and values, for a next token that nobody asks for
        known = inspect.signature(model.forward).parameters
        self.options = {"use_cache": False} if "use_cache" in known else {}

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        feeds = dict(zip(self.names, inputs, strict=True))
        if self.early:
            output, early, states = self.model.walk(**feeds)
            return (output.logits, *early.values(), *states.values())
        logits: torch.Tensor = self.model(**feeds, **self.options).logits
        if len(self.exits) <= 1:
            return logits
        return tuple(_leaving(logits, one) for one in self.exits.values())


def _leaving(logits: torch.Tensor, one: Exit) -> torch.Tensor:
    own = logits[..., one.part]
    return own[:, 0] if own.dim() == 3 and not one.per_token else own


def input_names(tokenizer: Any, model: nn.Module) -> list[str]:
    """What the model's graph takes, in order: the tokenizer's outputs that `forward` knows."""
    known = set(inspect.signature(model.forward).parameters)
    return [name for name in tokenizer.model_input_names if name in known]


def export_onnx(
    model: nn.Module,
    names: list[str],
    target: Path,
    opset: int,
    exits: Mapping[str, Exit] | None = None,
    *,
    attention: bool = False,
    early: bool = False,
) -> None:
    """Write an fp32 graph with inputs `names` int64 [batch, tokens] and the model's logits.

    They are one output, `logits`, of the shape that the model gives them, or those of several
    `exits` (`Task.exits`). Batch and length are dynamic. Uses torch's exporter on a plain
    attention, whose graph has no shape arithmetic that a quantiser would stumble over; with
    `attention` that of each layer is a single operator, for a model that is `fusable`. With `early`
    there are the answers and states of its places besides, of one that `LeavesEarly`. Raises
    BadInput when the model can't be traced. Paths and versions of this machine, which the exporter
    writes into the graph, are taken out: equal models give equal files.
    """
    exits = exits or {}
    wrapper = _Logits(model.eval(), names, exits, early).eval()
    outputs = list(exits) or [LOGITS]
    if early:
        asked = places_of(model)
        outputs = [LOGITS, *map(early_output, asked), *map(state_output, asked)]
    # a tensor of its own for each input: the exporter takes one that comes twice for one input
    inputs = tuple(
        torch.full((2, 7), int(name != "token_type_ids"), dtype=torch.int64) for name in names
    )
    dynamic = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    joined = joined_attention(model) if attention else contextlib.nullcontext()
    with _quiet(), joined, contextlib.nullcontext() if early else as_plain(model):
        try:
            program = torch.onnx.export(
                wrapper,
                inputs,
                dynamo=True,
                opset_version=opset,
                input_names=names,
                output_names=outputs,
                dynamic_shapes=(tuple(dynamic for _ in names),),
                verbose=False,
            )
        except torch.onnx.errors.OnnxExporterError as error:
            cause = " ".join(str(error.__cause__ or error).split())[:500]
            raise BadInput(f"{target.stem}: the model can't be exported: {cause}") from error
    assert program is not None
    if attention:
        without_heads(program.model)
    proto = program.model_proto
    _turn_weights(proto.graph)
    _name_products(proto.graph)
    save(without_traces(proto), target)


def _turn_weights(graph: onnx.GraphProto) -> None:
    """Have a weight that is read the other way round lie so: once, for all who read it.

    The exporter does it for a weight that is read once; one that is read again it turns at every
    run, and a quantiser doesn't see that what is turned is a weight.
    """
    weights = {each.name: each for each in graph.initializer}
    turned = [
        node for node in graph.node if node.op_type == "Transpose" and node.input[0] in weights
    ]
    for node in turned:
        (way,) = (tuple(each.ints) for each in node.attribute if each.name == "perm")
        number = onnx.numpy_helper.to_array(weights[node.input[0]]).transpose(way)
        lying = onnx.numpy_helper.from_array(np.ascontiguousarray(number), node.output[0])
        graph.initializer.append(lying)
        graph.node.remove(node)
    read = {name for node in graph.node for name in node.input}
    for name in {node.input[0] for node in turned} - read:
        graph.initializer.remove(weights[name])


def _name_products(graph: onnx.GraphProto) -> None:
    """Call what a module with weights became by the module: `bert.encoder.layer.0.output.dense`.

    The exporter notes the modules that a node stands in; one that is used again gets a number.
    """
    taken = {node.name for node in graph.node}
    for node, _ in with_weights(graph):
        scopes = next((each.value for each in node.metadata_props if each.key == SCOPES), "[]")
        within = [each for each in ast.literal_eval(scopes)[:-1] if each]
        module = within[-1].removeprefix("model.") if within else node.name
        again = (f"{module}#{time}" for time in itertools.count(2))
        node.name = next(name for name in itertools.chain([module], again) if name not in taken)
        taken.add(node.name)


def with_weights(graph: onnx.GraphProto) -> Iterator[tuple[onnx.NodeProto, str]]:
    """The operators that have weights of more than one dimension, each with their name."""
    weights = {weight.name for weight in graph.initializer if len(weight.dims) > 1}
    for node in graph.node:
        if node.op_type in OPERATORS:
            name = node.input[0 if node.op_type == "Gather" else 1]
            if name in weights:
                yield node, name


def without_traces(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph without documentation, metadata and names of who made it, in place."""
    model.doc_string = ""
    model.producer_version = ""
    del model.metadata_props[:]
    for graph in (model.graph, *model.functions):
        graph.doc_string = ""
        del graph.metadata_props[:]
        for node in graph.node:
            node.doc_string = ""
            del node.metadata_props[:]
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        value.doc_string = ""
        del value.metadata_props[:]
    return model


def save(model: onnx.ModelProto, target: Path) -> None:
    """Write a graph, its bytes a function of the graph alone.

    Where its weights are more than a file of ONNX holds they go into `TARGET.data` beside it.
    """
    beside = target.with_name(f"{target.name}.data")
    beside.unlink(missing_ok=True)
    if _size(model) < LARGEST:
        target.write_bytes(model.SerializeToString(deterministic=True))
    else:
        onnx.save_model(model, target, save_as_external_data=True, location=beside.name)


def is_large(graph: Path) -> bool:
    """Whether a graph's weights are more than one file holds."""
    return _size(onnx.load(graph, load_external_data=False)) >= LARGEST


def _size(model: onnx.ModelProto) -> int:
    """Bytes of a graph's weights, those in another file among them."""
    of_kind = onnx.helper.tensor_dtype_to_np_dtype
    return sum(
        math.prod(weight.dims) * of_kind(weight.data_type).itemsize
        for weight in model.graph.initializer
    )


@contextlib.contextmanager
def _quiet() -> Any:
    """Without the exporter's notes on operators that nobody here uses."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
