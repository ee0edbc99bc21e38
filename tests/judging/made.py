"""Releases made in a blink: a real graph and tokenizer that add up the weights of words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, pre_tokenizers

from tasks.inference.release import MODEL, TOKENIZER, Release
from tasks.task import Task
from tasks.task.classification import Classification
from tests.made import BAD, GOOD

Twist = Literal["none", "batch", "order", "random", "slow"]
Weights = Mapping[str, tuple[float, ...]]

OPINIONS: dict[str, tuple[float, ...]] = {
    **dict.fromkeys(BAD, (4.0, 0.0)),
    **dict.fromkeys(GOOD, (0.0, 4.0)),
}
"""What each word says of (bad, good): every one of `tests.made.opinions` is labelled rightly."""

SLOW = 700
"""Rows and columns of a product that takes milliseconds."""

_NODES: dict[Twist, list[tuple[str, list[str], str]]] = {
    "none": [("Identity", ["sums"], "logits")],
    "batch": [("ReduceMean", ["sums", "first"], "mean"), ("Sub", ["sums", "mean"], "logits")],
    "order": [("CumSum", ["sums", "zero"], "logits")],
    "random": [("RandomUniformLike", ["sums"], "noise"), ("Add", ["sums", "noise"], "logits")],
    "slow": [
        ("ReduceMean", ["sums"], "mean"),
        ("Add", ["large", "mean"], "larger"),
        ("MatMul", ["larger", "larger"], "product"),
        ("ReduceMean", ["product"], "far"),
        ("Mul", ["far", "nothing"], "none"),
        ("Add", ["sums", "none"], "logits"),
    ],
}


def word_release(
    folder: Path,
    weights: Weights = OPINIONS,
    labels: tuple[str, ...] = ("bad", "good"),
    unknown: float = 0.0,
    twist: Twist = "none",
    pairs: bool = False,
    task: Task | None = None,
) -> Path:
    """A release whose logits are the sums of the weights of a text's words.

    Its task is `task`, that of whole texts, or to tell the classes `labels` apart.

    `twist` makes it depend on what shares its batch, on the order, on chance, or take its time.
    A word without weights breaks it, one that is not in `weights` counts as `unknown`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    known = {word: row for word, row in weights.items() if row}
    broken = [word for word, row in weights.items() if not row]
    vocabulary = {"[UNK]": 0, **{word: at for at, word in enumerate([*known, *broken], 1)}}
    task = task or Classification(labels)
    table = np.array([[unknown] * len(task.outputs), *known.values()], np.float32)
    onnx.save(_graph(table, twist, task), folder / MODEL)
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / TOKENIZER))
    inputs = ("input_ids", "attention_mask")
    Release((), 64, inputs, "fp32", "words", pairs=pairs).answering(task).write(folder)
    return folder


def _graph(table: np.ndarray, twist: Twist, task: Task) -> onnx.ModelProto:
    constants = {
        "table": table,
        "last": np.array([2], np.int64),
        "tokens": np.array([1], np.int64),
        "first": np.array([0], np.int64),
        "zero": np.array(0, np.int64),
        "nothing": np.array(0, np.float32),
    }
    if twist == "slow":
        constants["large"] = np.zeros((SLOW, SLOW), np.float32)
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["words"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["column"]),
        helper.make_node("Mul", ["words", "column"], ["counted"]),
        helper.make_node("ReduceSum", ["counted", "tokens"], ["sums"], keepdims=0),
        *(helper.make_node(kind, given, [out]) for kind, given, out in _NODES[twist]),
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["texts", "tokens"])
        for name in ("input_ids", "attention_mask")
    ]
    outputs = []
    for name, (part, *_) in task.exits.items():
        if name != "logits":  # of several tasks: its columns of all
            constants |= {
                f"{name}_from": np.array([part.start]),
                f"{name}_to": np.array([part.stop]),
            }
            given = ["logits", f"{name}_from", f"{name}_to", "tokens"]
            nodes.append(helper.make_node("Slice", given, [name]))
        shape = ["texts", part.stop - part.start]
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    fixed = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "words", inputs, outputs, fixed)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 9
    return model
