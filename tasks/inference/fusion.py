"""Fusing operators of an ONNX graph, and measuring which fusions pay on this machine."""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx

from tasks.inference.onnx_export import save, without_traces

MICROSOFT = "com.microsoft"
"""The operator domain of ONNX Runtime's own, where the fused operators live."""
FUSIONS = ("none", "gelu", "gelu+layernorm")
"""What may be fused. More is not always faster: it depends on processor, threads and precision."""


def fuse(source: Path, target: Path, fusion: str, heads: int, hidden: int) -> None:
    """Write `source` with the fusions named by `fusion` made (ONNX Runtime's transformer tools).

    `gelu` joins the activation with the bias before it; `layernorm` joins each normalisation with
    the residual sum before it. A fused graph is the same function up to rounding.
    """
    model = onnx.load(source)
    if fusion != "none":
        from onnxruntime.transformers import optimizer
        from onnxruntime.transformers.fusion_options import FusionOptions

        logging.getLogger("onnxruntime.transformers").setLevel(logging.ERROR)
        options = FusionOptions("bert")
        options.enable_attention = options.enable_embed_layer_norm = False
        options.enable_gelu_approximation = False
        layernorm = fusion == "gelu+layernorm"
        options.enable_layer_norm = layernorm
        options.enable_skip_layer_norm = options.enable_bias_skip_layer_norm = layernorm
        fused = optimizer.optimize_model(
            str(source), "bert", heads, hidden, optimization_options=options, opt_level=0
        )
        model = fused.model
        if all(known.domain != MICROSOFT for known in model.opset_import):
            model.opset_import.append(onnx.helper.make_opsetid(MICROSOFT, 1))
    save(without_traces(model), target)


def latencies(
    candidates: Mapping[str, Callable[[list[Any]], object]], texts: Sequence[Any], rounds: int = 5
) -> dict[str, float]:
    """Median milliseconds a text of each candidate, one text at a time, the candidates in turn.

    In turn, so that a machine that slows down for a while slows down all of them alike. The first
    round only warms up.
    """
    raw: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(rounds + 1):
        for name, predict in candidates.items():
            for text in texts:
                started = time.perf_counter()
                predict([text])
                if turn:
                    raw[name].append(1e3 * (time.perf_counter() - started))
    return {name: statistics.median(times) for name, times in raw.items()}
