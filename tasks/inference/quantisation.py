"""Weights and activations in 8 bits."""

from __future__ import annotations

import logging
from pathlib import Path

import onnx

from tasks.inference.onnx_export import save, without_traces

OPERATORS = ["MatMul", "Gemm", "Gather"]
"""Matrix products, and the embedding tables, which are half of a small encoder's bytes."""


def quantise(source: Path, target: Path) -> None:
    """Write `source` in int8: weights per output channel, activations at run time.

    Signed weights with unsigned activations (U8S8), which x86 with VNNI and ARM multiply
    natively; signed activations are several times slower on x86.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    logging.getLogger().addFilter(_no_advice)
    try:
        quantize_dynamic(
            source,
            target,
            per_channel=True,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=OPERATORS,
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
    finally:
        logging.getLogger().removeFilter(_no_advice)
    save(without_traces(onnx.load(target)), target)


def _no_advice(record: logging.LogRecord) -> bool:
    """The quantiser always advises to pre-process, which the fused graph doesn't need."""
    return "pre-processing" not in record.getMessage()
