"""A tiny encoder and a small set of opinions: real parts, made in a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tasks.store.store import Store, open_store
from tests.made import ROOT, make_tiny_model, opinions, write_csv
from tests.running_airflow import airflow
from tests.s3 import bucket, s3, s3_endpoint, s3_server

__all__ = ["airflow", "bucket", "s3", "s3_endpoint", "s3_server"]  # fixtures for every test


LONGEST = ("tests/test_end_to_end.py", "tests/test_finetune.py", "tests/training")
"""The files that take minutes: first, so that no worker is left alone with them at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; the order is otherwise as it was."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


@pytest.fixture(scope="session")
def opinions_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The opinions as a CSV of text and label."""
    return write_csv(
        tmp_path_factory.mktemp("data") / "opinions.csv", opinions(), ("text", "label")
    )


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of four layers and 32 dimensions with random weights, and a tokenizer that fits."""
    return make_tiny_model(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, as a stage does."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return tmp_path


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A store in a folder, and one in a real bucket."""
    if request.param == "folder":
        return open_store(str(tmp_path / "store"))
    return open_store(f"s3://{request.getfixturevalue('bucket')}/some/prefix")


@pytest.fixture
def folder_store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "store"))


@pytest.fixture(scope="session")
def tiny_classifier(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with a head of two classes, untrained, as `finetune` would save it."""
    import torch

    from tasks.task.classification import Classification
    from tasks.training.classifier import load_pretrained, load_tokenizer

    task = Classification(("bad", "good"))
    folder = tmp_path_factory.mktemp("model") / "classifier"
    tokenizer = load_tokenizer(tiny_model, 32)
    torch.manual_seed(1)
    model: Any = load_pretrained(tiny_model, tokenizer, task, "eager", 32, None)
    model.classifier.weight.data *= 50  # so that texts differ visibly in their logits
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_release(tiny_classifier: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny classifier as a folder that serves: fp32 ONNX, tokenizer, card."""
    from tasks.inference.onnx_export import export_onnx, input_names
    from tasks.inference.release import MODEL, TOKENIZER, Release
    from tasks.training.classifier import load_finetuned, load_tokenizer

    folder = tmp_path_factory.mktemp("release") / "finetuned-fp32"
    folder.mkdir()
    tokenizer, model = load_tokenizer(tiny_classifier), load_finetuned(tiny_classifier, "eager")
    names = input_names(tokenizer, model)
    export_onnx(model, names, folder / MODEL, opset=20)
    tokenizer.backend_tokenizer.save(str(folder / TOKENIZER))
    Release(("bad", "good"), 32, tuple(names), "fp32", "finetuned").write(folder)
    return folder
