"""Releases to publish: a few bytes each, since the registry never looks into a model."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tasks.inference.release import MODEL, TOKENIZER, Release
from tasks.registry.manifest import Facts
from tasks.registry.publishing import Publication, publish
from tasks.store.store import Store
from tests.made import environment

NAME = "mood"


def release(folder: Path, graph: str = "a graph", **facts: Any) -> Path:
    """A release folder; another graph is another release."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MODEL).write_text(graph)
    (folder / TOKENIZER).write_text("{}")
    card = Release(("bad", "good"), 32, ("input_ids",), "int8", "layers-3", facts=facts)
    card.write(folder)
    return folder


def facts(figure: float = 0.8, run: str = "night-1", **more: Any) -> Facts:
    known: dict[str, Any] = {
        "revision": None,
        "params": {"finetune": {"epochs": 1}},
        "data": {"data/dataset/train.parquet": "0123"},
        "metrics": {"release": {"accuracy": figure, "latency_ms": 1.5}},
        "environment": {"cpu": "any"},
    }
    return Facts(run=run, **{**known, **more})


def published(store: Store, folder: Path, graphs: Sequence[str]) -> list[Publication]:
    """Each graph as a version of its own, in their order; accuracies 0.80, 0.81 and so on."""
    return [
        publish(store, NAME, 1, release(folder / graph, graph), facts((80 + at) / 100))
        for at, graph in enumerate(graphs)
    ]


def process(*arguments: str) -> subprocess.Popen[str]:
    """`tests.registry.process` as a process of its own."""
    command = [sys.executable, "-m", "tests.registry.process", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment(), stdout=pipe, stderr=pipe, text=True)
