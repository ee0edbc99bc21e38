"""A tiny release of each kind of task, and the PyTorch model that it was made from."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tasks.task import MultiTask, Task, task_of

MAX_LENGTH, STRIDE = 24, 6

KINDS: dict[str, Task] = {
    "classification": task_of({"kind": "classification", "labels": ["bad", "good"]}),
    "multi-label": task_of({"kind": "multi-label", "labels": ["cast", "music", "plot"]}),
    "regression": task_of({"kind": "regression", "mean": 3.5, "deviation": 1.2}),
    "entities": task_of({"kind": "entities", "labels": ["LOC", "PER"]}),
}
KINDS["several"] = MultiTask.of_heads(
    {"mood": KINDS["classification"], "stars": KINDS["regression"], "about": KINDS["multi-label"]}
)
KINDS["with entities"] = MultiTask.of_heads(
    {"mood": KINDS["classification"], "names": KINDS["entities"]}
)


class Made(NamedTuple):
    folder: Path
    task: Task
    model: Any
    tokenizer: Any


def make_release(source: Path, folder: Path, task: Task) -> Made:
    """A layer of the tiny model under a head of random weights, as a folder that serves."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification

    from tasks.inference.onnx_export import export_onnx, input_names
    from tasks.inference.release import MODEL, TOKENIZER, Release
    from tasks.training.classifier import load_tokenizer

    tokenizer = load_tokenizer(source, MAX_LENGTH)
    torch.manual_seed(1)
    head = AutoModelForTokenClassification if task.per_token else AutoModelForSequenceClassification
    model: Any = head.from_pretrained(
        source, num_labels=len(task.outputs), num_hidden_layers=1, attn_implementation="eager"
    ).eval()
    model.classifier.weight.data *= 500  # so that texts differ visibly in their logits
    names = input_names(tokenizer, model)
    folder.mkdir(parents=True)
    export_onnx(model, names, folder / MODEL, 20, task.exits)
    tokenizer.backend_tokenizer.save(str(folder / TOKENIZER))
    stride = STRIDE if task.per_token else 0
    card = Release((), MAX_LENGTH, tuple(names), "fp32", "finetuned", stride=stride)
    card.answering(task).write(folder)
    return Made(folder, task, model, tokenizer)


def torch_logits(made: Made, texts: list[str]) -> Any:
    """What the model itself says, one input (or window) at a time, in the Predictor's layout."""
    import torch

    found = []
    for text in texts:
        stride = (
            {"stride": STRIDE, "return_overflowing_tokens": True} if made.task.per_token else {}
        )
        inputs = made.tokenizer(text, truncation=True, max_length=MAX_LENGTH, **stride)
        rows = inputs["input_ids"] if made.task.per_token else [inputs["input_ids"]]
        for ids in rows:
            with torch.no_grad():
                logits = made.model(torch.tensor([ids])).logits[0].numpy()
            found.append(logits if made.task.per_token else logits[None])
    return np.concatenate(found)
