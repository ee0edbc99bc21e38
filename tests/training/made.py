"""What the tests of the loop share: a fresh tiny model, opinions to learn, a plan and a recipe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import torch

from tasks.compression.recovery import Recovery
from tasks.data.dataset import SCHEMA
from tasks.sources.pretrained import pin_model
from tasks.stage.outputs import sha256
from tasks.training.batches import Encoded, encode
from tasks.training.classifier import load_pretrained, load_tokenizer
from tasks.training.objective import TaskLoss
from tasks.training.plan import Plan
from tasks.training.steps import Objective
from tests.training.lessons import lessons

PLAN = Plan("cpu", "gloo", "fp32", "eager", processes=1, threads=1, why=())
TASK = lessons()["classification"].task
cross_entropy = TaskLoss(TASK)
RECIPE = Recovery(epochs=3, batch=16, learning_rate=3e-3, seed=1, evaluations=2)

SMALL_STAGE: dict[str, Any] = {
    "batch": 16, "learning_rate": 3e-3, "epochs": 2, "max_length": 32, "threads": 1,
    "precision": "fp32", "device": "cpu",
}  # fmt: skip


class Parts(NamedTuple):
    """A fresh model, texts to train on (128, if nothing else is said), 64 to choose by."""

    model: Any
    train: Encoded
    validation: Encoded


def make_parts(
    tiny_model: Path, dropout: float = 0.1, kind: str = "classification", texts: int = 128
) -> Parts:
    torch.manual_seed(0)
    tokenizer = load_tokenizer(tiny_model, 32)
    lesson = lessons()[kind]
    train, validation = (
        encode(tokenizer, lesson.texts[part], lesson.truth[part], lesson.task, 32)
        for part in (slice(texts), slice(texts, texts + 64))
    )
    model = load_pretrained(tiny_model, tokenizer, lesson.task, "eager", 32, dropout)
    return Parts(model, train, validation)


def sound_until(call: int, bad: int, objective: Objective) -> Objective:
    """The objective, killed when asked so often (0: never), and infinite at its `bad`th loss."""
    calls = 0

    def counted(*arguments: Any) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if calls == call:
            raise KeyboardInterrupt
        loss = objective(*arguments)
        return loss * float("inf") if calls == bad else loss

    return counted


def weights(model: Any) -> torch.Tensor:
    """All of a model's numbers, end to end."""
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def approve(folder: Path, tiny_model: Path, kind: str = "classification") -> None:
    """What the stages before `finetune` leave: 256 texts to train on, 64 to choose by, a model."""
    task, texts, labels, tasks = lessons()[kind]
    splits, facts = {"train": slice(256), "validation": slice(256, 320)}, {}
    (folder / "data/dataset").mkdir(parents=True)
    (folder / "models").mkdir()
    for split, part in splits.items():
        path = folder / f"data/dataset/{split}.parquet"
        columns = {"text": texts[part], "label": labels[part], "task": tasks[part]}
        rows = len(columns["text"])
        columns["id"] = [f"{split}-{i}" for i in range(rows)]
        empty = {name: pa.nulls(rows, pa.string()) for name in SCHEMA.names}
        pq.write_table(pa.table({**empty, **columns}, schema=SCHEMA), path)
        facts[split] = {"sha256": sha256(path), "rows": rows}
    unlabelled = {name: pa.nulls(0, pa.string()) for name in SCHEMA.names}
    pq.write_table(pa.table(unlabelled, schema=SCHEMA), folder / "data/unlabelled.parquet")
    approved = {"splits": facts, "labels": list(task.labels), "task": task.describe()}
    (folder / "data/approved.json").write_text(json.dumps(approved))
    (folder / "models/base.json").write_text(json.dumps(pin_model(str(tiny_model))))
