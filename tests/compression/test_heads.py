"""Levels with fewer attention heads, from `prune` to the graph that serves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from transformers import AutoModelForSequenceClassification

from tasks.data.dataset import Text
from tasks.inference.predictor import Predictor
from tasks.inference.release import MODEL
from tasks.inference.targets import TARGETS
from tasks.inference.variants import Exported
from tasks.params.export import Export
from tasks.params.prune import Prune
from tasks.prune import prune
from tasks.stage.outputs import sha256
from tests.training.lessons import lessons

WANTED = Prune(
    layers=0, neurons=0, heads=0.4, max_levels=2, max_drop=100, threads=1, precision="fp32",
    device="cpu", probe=16, augment=0, early=0,
)  # fmt: skip
LEVELS = [Path("models/pruned") / name for name in ("level1", "level2")]


def heads_of(folder: Path) -> list[int]:
    """Heads of each layer that something is read of, in a folder as anybody loads it."""
    model: Any = AutoModelForSequenceClassification.from_pretrained(folder)
    columns = [
        layer.attention.output.dense.weight.abs().amax(0) for layer in model.bert.encoder.layer
    ]
    return [int((each.view(-1, 8).amax(1) > 0).sum()) for each in columns]


def test_heads_are_taken_out_and_stay_out(finetuned: Path) -> None:
    found = prune(WANTED)["levels"]
    assert [sum(level["heads"]) for level in found] == [10, 6]
    assert [heads_of(folder) for folder in LEVELS] == [level["heads"] for level in found]
    assert min(found[1]["heads"]) >= 1
    assert json.loads((LEVELS[1] / "config.json").read_text())["num_attention_heads"] == 4


def test_of_a_list_each_level_takes_the_next_share_and_begins_again(finetuned: Path) -> None:
    turns = {"layers": [0.5, 0.0], "neurons": [0.0, 0.5], "heads": 0.0, "max_levels": 3}
    found = prune(WANTED.model_copy(update=turns))["levels"]
    assert [len(level["kept_layers"]) for level in found] == [2, 2, 1]
    width = found[0]["neurons"]
    assert [level["neurons"] for level in found] == [width, width // 2, width // 2]


def test_killed_between_two_levels_it_ends_the_same(
    finetuned: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prune(WANTED)
    whole = [sha256(folder / "model.safetensors") for folder in LEVELS]

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("tasks.prune._tell", killed)
        with pytest.raises(KeyboardInterrupt):
            prune(WANTED)
    prune(WANTED)
    assert [sha256(folder / "model.safetensors") for folder in LEVELS] == whole


@pytest.mark.parametrize("fusion", ["none", "attention"])
def test_the_graph_has_no_trace_of_them(finetuned: Path, tmp_path: Path, fusion: str) -> None:
    (level,) = prune(WANTED.model_copy(update={"max_levels": 1}))["levels"]
    texts: list[Text] = [*lessons()["classification"].texts[:8]]
    (tmp_path / "work").mkdir()
    work, wishes = tmp_path / "work", Export(threads=1)
    exported = Exported("level1", LEVELS[0], work, wishes, texts, texts)
    exported.write(tmp_path / "release", TARGETS["cpu"], "fp32", fusion)
    graph = onnx.load(tmp_path / "release" / MODEL).graph
    shapes = [[*each.dims] for each in graph.initializer]
    whole = level["heads"].count(4)
    assert shapes.count([32, 32]) == 4 * whole + 2, "and the pooler's, and the positions"
    for count in set(level["heads"]) - {4}:
        assert shapes.count([32, 8 * count]) == 3 * level["heads"].count(count)
    if fusion == "attention":
        joined = [node for node in graph.node if node.op_type == "MultiHeadAttention"]
        numbers = [onnx.helper.get_node_attr_value(node, "num_heads") for node in joined]
        assert numbers == level["heads"]
    plain: Any = AutoModelForSequenceClassification.from_pretrained(LEVELS[0]).eval()
    with torch.no_grad():
        inputs: Any = exported.tokenizer(texts, padding=True, return_tensors="pt")
        expected = plain(**inputs).logits
    found = torch.from_numpy(Predictor.load(tmp_path / "release").logits(texts))
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
