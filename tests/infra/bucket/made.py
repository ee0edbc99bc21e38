"""A tiny release that serves, made by hand, and a project whose graph makes one."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import TensorProto, helper
from tokenizers import Tokenizer, models, pre_tokenizers

from tasks.inference.release import MODEL, TOKENIZER, Release
from tests.handover.project import make_project

NAME = "reviews"
VERDICTS = {"dull": (1.0, 0.0), "superb": (0.0, 1.0)}
"""What each known word says for the classes."""
GRAPH = """
stages:
  export:
    cmd: python -m tasks.make
    deps: [tasks/make.py]
    params: [ingest.source]
    outs: [data/snapshot.json, models/release, reports/metrics.json, reports/export.json]
"""
MAKE = """
import shutil
from pathlib import Path
from tasks.params.ingest import Ingest
from tasks.stage.outputs import whole, write_json
from tasks.stage.run import run_stage

def make(params):
    with whole(Path(".nightshift/checkpoints/export-abc/state")) as draft:
        draft.write_text("half way")
    with whole("models/release") as draft:
        shutil.copytree(params.source, draft)
    write_json("data/snapshot.json", {})
    write_json("reports/metrics.json", {"release": {"accuracy": 0.8}})
    return {"metrics": {}}

run_stage("export", Ingest, make)
"""


def make_release(folder: Path, labels: tuple[str, str]) -> Path:
    """A release that adds up what each word says: real ONNX and a real tokenizer, tiny."""
    folder.mkdir(parents=True)
    words = ["[UNK]", *VERDICTS]
    table = [value for word in words for value in VERDICTS.get(word, (0.0, 0.0))]
    weights = helper.make_tensor("table", TensorProto.FLOAT, [len(words), 2], table)
    axis = helper.make_tensor("axis", TensorProto.INT64, [1], [1])
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["said"]),
        helper.make_node("ReduceSum", ["said", "axis"], ["logits"], keepdims=0),
    ]
    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "length"])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])
    graph = helper.make_graph(nodes, "words", [ids], [logits], [weights, axis])
    opset = [helper.make_opsetid("", 20)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=10), str(folder / MODEL))
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / TOKENIZER))
    Release(labels, 32, ("input_ids",), "fp32", "finetuned").write(folder)
    return folder


def make_project_of(folder: Path, release: Path) -> Path:
    """A project whose graph is one stage, `export`, which makes a release like the one there."""
    project = make_project(folder, release)
    (project / "dvc.yaml").write_text(GRAPH)
    (project / "tasks" / "make.py").write_text(MAKE)
    return project
