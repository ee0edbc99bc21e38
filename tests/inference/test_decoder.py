"""A decoder with a classification head: its graph answers at the last token that is no padding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from tasks.inference.onnx_export import export_onnx
from tasks.inference.quantisation import quantise

NAMES = ["input_ids", "attention_mask"]
PAD = 0
CLOSE = 1e-4
TEXTS = [[5, 17, 9, 31, 2], [44], [7, 7, 8, 21, 13, 40, 12, 3, 9], [3, 28]]


@pytest.fixture(scope="module")
def decoder() -> Any:
    from transformers import LlamaConfig, LlamaForSequenceClassification

    torch.manual_seed(0)
    settings: dict[str, Any] = {
        "vocab_size": 50,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 64,
        "pad_token_id": PAD,
        "num_labels": 3,
        "attn_implementation": "eager",
    }
    model: Any = LlamaForSequenceClassification(LlamaConfig(**settings))  # type: ignore[no-untyped-call]
    model.eval()
    model.score.weight.data *= 50  # so that texts differ visibly in their logits
    return model


@pytest.fixture(scope="module")
def graph(decoder: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("decoder") / "plain.onnx"
    export_onnx(decoder, NAMES, path, opset=20)
    return path


def alone(decoder: Any) -> Any:
    with torch.no_grad():
        return np.concatenate([decoder(torch.tensor([ids])).logits.numpy() for ids in TEXTS])


def together(path: Path, texts: list[list[int]]) -> Any:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    longest = max(map(len, texts))
    ids = np.array([[*text, *[PAD] * (longest - len(text))] for text in texts], np.int64)
    mask = np.array([[1] * len(text) + [0] * (longest - len(text)) for text in texts], np.int64)
    return session.run(None, {"input_ids": ids, "attention_mask": mask})[0]


@pytest.mark.parametrize("times", [1, 3])
def test_padding_on_the_right_changes_nothing(graph: Path, decoder: Any, times: int) -> None:
    expected = alone(decoder)

    np.testing.assert_allclose(
        together(graph, TEXTS * times), np.tile(expected, (times, 1)), atol=CLOSE
    )
    for row, text in enumerate(TEXTS):
        np.testing.assert_allclose(together(graph, [text])[0], expected[row], atol=CLOSE)
    assert np.ptp(expected[:, 0]) > 100 * CLOSE


def test_quantising_keeps_the_answer(graph: Path, decoder: Any, tmp_path: Path) -> None:
    expected = alone(decoder)
    quantise(graph, tmp_path / "int8.onnx")
    small = together(tmp_path / "int8.onnx", TEXTS)
    assert np.abs(small - expected).max() < 0.2 * np.abs(expected).max()
    assert (tmp_path / "int8.onnx").stat().st_size < graph.stat().st_size
