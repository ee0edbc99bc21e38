"""The stage with the methods that change what is read, what is drawn and by what it is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.data.dataset import SCHEMA
from tasks.finetune import finetune
from tasks.params.finetune import Finetune
from tasks.stage.errors import BadInput
from tasks.training import adaptation
from tasks.training.classifier import load_finetuned
from tests.training.made import SMALL_STAGE, approve

READ = {"epochs": 1, "learning_rate": 3e-3}


def stage(**more: Any) -> dict[str, Any]:
    return finetune(Finetune(**{**SMALL_STAGE, "epochs": 1, **more}))


def unlabelled(texts: list[str]) -> None:
    """What `ingest` leaves of `ingest.unlabelled`."""
    empty = {name: pa.nulls(len(texts), pa.string()) for name in SCHEMA.names}
    table = pa.table({**empty, "text": texts}, schema=SCHEMA)
    pq.write_table(table, "data/unlabelled.parquet")


def weights(folder: str = "models/finetuned") -> np.ndarray[Any, Any]:
    from safetensors.numpy import load_file

    tensors = load_file(Path(folder) / "model.safetensors")
    return np.concatenate([tensors[name].ravel() for name in sorted(tensors)])


def test_everything_at_once_goes_together(workspace: Path, tiny_model: Path) -> None:
    approve(workspace, tiny_model)
    unlabelled(["the weather in the camera is tender", "a story of the pace"] * 20)
    found = stage(
        adapt=READ, pooling="mean", sampling={"labels": "balanced"}, adapter="lora",
        augment={"copies": 1, "drop": 0.2},
    )  # fmt: skip
    assert found["adaptation"]["texts"] == 256 + 40
    assert found["adaptation"]["after"] < found["adaptation"]["before"]
    assert 20 < found["metrics"]["steps"] <= 32  # 256 texts are 16 steps, their copies as many
    model = load_finetuned(Path("models/finetuned"), "eager")
    assert type(model).__name__ == "MeanBertForSequenceClassification"


def test_a_run_killed_after_the_reading_ends_with_the_very_weights(
    workspace: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    approve(workspace, tiny_model)
    wanted = {"adapt": {**READ, "texts": "labelled"}}
    stage(**wanted)
    expected = weights()
    with monkeypatch.context() as dying:
        dying.setattr("tasks.finetune.fit", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            stage(**wanted)
    monkeypatch.setattr(adaptation, "_epoch", lambda *_: 1 / 0)  # it is not read again
    assert stage(**wanted)["adaptation"]["losses"]
    np.testing.assert_array_equal(weights(), expected)
    assert not list(Path(".nightshift/checkpoints").glob("finetune-*"))


def test_entities_are_drawn_and_exchanged(workspace: Path, tiny_model: Path) -> None:
    approve(workspace, tiny_model, "entities")
    found = stage(
        sampling={"labels": "balanced"}, augment={"copies": 1, "mentions": 1.0, "typos": 0.1}
    )
    assert found["metric"] == "f1"
    assert found["metrics"]["validation_f1"] > 0
    with pytest.raises(BadInput, match=r"finetune.pooling: got 'mean'; takes cls: a task labels"):
        stage(pooling="mean")
    assert json.loads(Path("models/finetuned/config.json").read_text())["nightshift_stride"] == 8
