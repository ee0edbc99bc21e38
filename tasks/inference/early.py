"""A graph that gives sure texts their answer before its last layers (`tasks.training.early`).

Each text of a batch leaves by itself: what comes after a place is computed for those that stay, and
not at all where none does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import helper, numpy_helper

LOGITS = "logits"


def early_output(place: int) -> str:
    """The output of a graph with the answer after so many layers: float32 [b, classes]."""
    return f"early_{place}"


def state_output(place: int) -> str:
    """That with what so many layers have made of the texts: float32 [b, t, d]."""
    return f"state_{place}"


def opset_of(model: onnx.ModelProto) -> int:
    """Which version of ONNX's own operators a graph has."""
    return next(int(each.version) for each in model.opset_import if each.domain in ("", "ai.onnx"))


def leave_early(model: onnx.ModelProto, certainties: Mapping[int, float]) -> onnx.ModelProto:
    """The graph, in place, with one output `logits` for the answers and states after each place.

    `certainties` are the probabilities of a class, by place, above which a text leaves. Between
    two places the graph hands on nothing but the state: what else it needs is made again of its
    inputs, and of the state of the texts that stay, so nothing has to be known of its operators.
    """
    graph, places = model.graph, sorted(certainties)
    limits = [certainties[place] for place in places]
    nodes, logits = _answered(graph, opset_of(model), _stages(graph, places), limits, "", {})
    nodes.append(helper.make_node("Identity", [logits], [LOGITS]))
    answer = _like_logits(graph, LOGITS)
    for part, kept in ((graph.node, nodes), (graph.output, [answer]), (graph.value_info, [])):
        del part[:]
        part.extend(kept)
    return model


class _Stage(NamedTuple):
    """What lies between two places."""

    nodes: list[onnx.NodeProto]
    given: set[str]
    """Of the graph's inputs and the state before it those that it reads."""
    logits: str


def _stages(graph: onnx.GraphProto, places: Sequence[int]) -> list[_Stage]:
    made = {name: node for node in graph.node for name in node.output}
    starts = set(_inputs(graph))
    found = []
    for place in [*places, None]:
        wanted = [LOGITS] if place is None else [early_output(place), state_output(place)]
        nodes = _made_of(graph, made, wanted, starts)
        read = {name for node in nodes for name in node.input}
        found.append(_Stage(nodes, starts & read, wanted[0]))
        starts = {*_inputs(graph), *wanted[1:]}
    return found


def _made_of(
    graph: onnx.GraphProto, made: Mapping[str, onnx.NodeProto], wanted: Sequence[str],
    starts: set[str],
) -> list[onnx.NodeProto]:  # fmt: skip
    """The nodes that some values are made by, of `starts` and constants, in the graph's order."""
    needed: set[int] = set()
    left = list(wanted)
    while left:
        name = left.pop()
        node = None if name in starts else made.get(name)
        if node is not None and id(node) not in needed:
            needed.add(id(node))
            left.extend(node.input)
    return [node for node in graph.node if id(node) in needed]


def _answered(
    graph: onnx.GraphProto, opset: int, stages: Sequence[_Stage], limits: Sequence[float],
    stay: str, given: Mapping[str, str],
) -> tuple[list[onnx.NodeProto], str]:  # fmt: skip
    """The nodes of some stages, for the texts that have come so far, and the name of their logits.

    Their values have names that end in `stay`; `given` are those of what they have been handed.
    """
    stage, *later = stages
    called = {name: f"{name}{stay}" for node in stage.nodes for name in node.output if name}
    called |= given
    nodes = [_renamed(node, called, stay) for node in stage.nodes]
    logits = called[stage.logits]
    if not later:
        return nodes, logits
    nodes += _asked(graph, opset, logits, limits[0], stay)
    deeper = f"{stay}/stay"
    needed = sorted(set().union(*(each.given for each in later)) & {*_inputs(graph), *called})
    handed = {name: f"{name}{deeper}" for name in needed}
    rest = [
        helper.make_node(
            "Compress", [called.get(name, name), f"leave{stay}/stays"], [taken], axis=0
        )
        for name, taken in handed.items()
    ]
    further, theirs = _answered(graph, opset, later, limits[1:], deeper, handed)
    rest += [
        *further,
        helper.make_node("NonZero", [f"leave{stay}/stays"], [f"leave{stay}/places"]),
        helper.make_node("Transpose", [f"leave{stay}/places"], [f"leave{stay}/where"], perm=[1, 0]),
        helper.make_node(
            "ScatterND", [logits, f"leave{stay}/where", theirs], [f"leave{stay}/mixed"]
        ),
    ]
    none = [helper.make_node("Identity", [logits], [f"leave{stay}/same"])]
    ways = {
        "then_branch": helper.make_graph(
            rest, f"leave{stay}/some", [], [_like_logits(graph, f"leave{stay}/mixed")]
        ),
        "else_branch": helper.make_graph(
            none, f"leave{stay}/none", [], [_like_logits(graph, f"leave{stay}/same")]
        ),
    }
    nodes.append(helper.make_node("If", [f"leave{stay}/any"], [f"leave{stay}/answered"], **ways))
    return nodes, f"leave{stay}/answered"


def _asked(
    graph: onnx.GraphProto, opset: int, logits: str, limit: float, stay: str
) -> list[onnx.NodeProto]:
    """The nodes that say which texts stay: the value `stays` [b], and whether there are `any`."""

    def node(kind: str, given: str, found: str, **options: Any) -> onnx.NodeProto:
        inputs = [name if name == logits else f"leave{stay}/{name}" for name in given.split()]
        return helper.make_node(kind, inputs, [f"leave{stay}/{found}"], **options)

    constants = {"last": np.array([-1], np.int64), "limit": np.array(limit, np.float32)}
    graph.initializer.extend(
        numpy_helper.from_array(np.asarray(value), f"leave{stay}/{name}")
        for name, value in constants.items()
    )
    # what is reduced is an input since opset 18, and may be true or false since 20
    largest = (
        node("ReduceMax", "probabilities last", "certainty", keepdims=0)
        if opset >= 18
        else node("ReduceMax", "probabilities", "certainty", axes=[-1], keepdims=0)
    )
    whether = [node("ReduceMax", "stays", "any", keepdims=0)]
    if opset < 20:
        whether = [
            node("Cast", "stays", "numbers", to=onnx.TensorProto.INT32),
            node("ReduceMax", "numbers", "number", keepdims=0),
            node("Cast", "number", "any", to=onnx.TensorProto.BOOL),
        ]
    return [
        node("Softmax", logits, "probabilities", axis=-1),
        largest,
        node("LessOrEqual", "certainty limit", "stays"),
        *whether,
    ]


def _inputs(graph: onnx.GraphProto) -> list[str]:
    return [each.name for each in graph.input]


def _renamed(node: onnx.NodeProto, called: Mapping[str, str], stay: str) -> onnx.NodeProto:
    found = onnx.NodeProto()
    found.CopyFrom(node)
    found.name = f"{node.name}{stay}"
    for names in (found.input, found.output):
        for place, name in enumerate(names):
            names[place] = called.get(name, name)
    return found


def _like_logits(graph: onnx.GraphProto, name: str) -> onnx.ValueInfoProto:
    """An output of the logits' type and shape."""
    found = onnx.ValueInfoProto()
    found.CopyFrom(next(each for each in graph.output if each.name == LOGITS))
    found.name = name
    return found
