"""What the tests of the loop share: a fresh tiny model, opinions to learn, a plan and a recipe."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import torch

from tasks.compression.levels import Recovery
from tasks.data.dataset import SCHEMA
from tasks.sources.pretrained import pin_model
from tasks.stage.outputs import sha256
from tasks.training.batches import Encoded, encode
from tasks.training.classifier import load_pretrained, load_tokenizer
from tasks.training.plan import Plan
from tests.made import opinions

PLAN = Plan("cpu", "gloo", "fp32", "eager", processes=1, threads=1, why=())
RECIPE = Recovery(epochs=3, batch=16, learning_rate=3e-3, seed=1, evaluations=2)

SMALL_STAGE: dict[str, Any] = {
    "batch": 16, "learning_rate": 3e-3, "epochs": 2, "max_length": 32, "threads": 1,
    "precision": "fp32", "device": "cpu",
}  # fmt: skip


class Parts(NamedTuple):
    """A fresh model, 128 texts to train on, 64 to choose by."""

    model: Any
    train: Encoded
    validation: Encoded


def make_parts(tiny_model: Path, dropout: float = 0.1) -> Parts:
    torch.manual_seed(0)
    tokenizer = load_tokenizer(tiny_model, 32)
    rows = sorted(opinions(), key=lambda row: hash_of(row[0]))[:192]
    texts, labels = [text for text, _ in rows], [int(label == "good") for _, label in rows]
    return Parts(
        load_pretrained(tiny_model, tokenizer, ["bad", "good"], "eager", 32, dropout),
        encode(tokenizer, texts[:128], labels[:128], 32),
        encode(tokenizer, texts[128:], labels[128:], 32),
    )


def hash_of(text: str) -> bytes:
    """Puts texts in an order that has nothing to do with what they say."""
    return hashlib.blake2b(text.encode()).digest()


def weights(model: Any) -> torch.Tensor:
    """All of a model's numbers, end to end."""
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def approve(folder: Path, tiny_model: Path) -> None:
    """What the stages before `finetune` leave: 256 texts to train on, 64 to choose by, a model."""
    rows = sorted(opinions(), key=lambda row: hash_of(row[0]))
    splits, facts = {"train": rows[:256], "validation": rows[256:320]}, {}
    (folder / "data/dataset").mkdir(parents=True)
    (folder / "models").mkdir()
    for split, part in splits.items():
        path = folder / f"data/dataset/{split}.parquet"
        columns = {"id": [f"{split}-{i}" for i in range(len(part))]}
        columns |= {"text": [text for text, _ in part], "label": [label for _, label in part]}
        empty = {name: pa.nulls(len(part), pa.string()) for name in SCHEMA.names}
        pq.write_table(pa.table({**empty, **columns}, schema=SCHEMA), path)
        facts[split] = {"sha256": sha256(path), "rows": len(part)}
    approved = {"splits": facts, "labels": ["bad", "good"]}
    (folder / "data/approved.json").write_text(json.dumps(approved))
    (folder / "models/base.json").write_text(json.dumps(pin_model(str(tiny_model))))
