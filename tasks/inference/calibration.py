"""int8 whose activations have scales that were found beforehand, as some hardware wants it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import onnx
from onnxruntime.quantization import CalibrationDataReader

from tasks.inference.onnx_export import OPERATORS, is_large, save, without_traces
from tasks.inference.quantisation import Recipe, without_advice
from tasks.inference.targets import Static
from tasks.task.answers import Ints

Feeds = Mapping[str, Ints]


def calibrate(
    source: Path, target: Path, recipe: Recipe, static: Static, batches: Iterable[Feeds]
) -> None:
    """Write `source` in int8, ranges of activations those of `batches` of the graph's inputs.

    In the QDQ form: operators in fp32 between pairs that round to 8 bits and back, which the
    runtime of the target turns into its own. Weights have a scale per output channel, but where
    `everything` is 8 bits one a matrix.
    """
    from onnxruntime.quantization import QuantFormat, QuantType, quantize, quantize_static

    kind = {
        "uint8": QuantType.QUInt8,
        "int8": QuantType.QInt8,
        "uint16": QuantType.QUInt16,
    }[static.activations]
    with without_advice():
        if static.everything:
            quantize(str(source), str(target), _for_npu(source, recipe, kind, batches))
        else:
            operators = OPERATORS if static.tables else [o for o in OPERATORS if o != "Gather"]
            quantize_static(
                str(source),
                str(target),
                _Reader(batches),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                reduce_range=recipe.bits == 7,
                activation_type=kind,
                weight_type=QuantType.QInt8,
                op_types_to_quantize=operators,
                nodes_to_exclude=list(recipe.exact),
                use_external_data_format=is_large(source),
                extra_options={
                    "ActivationSymmetric": static.activations == "int8",
                    "WeightSymmetric": True,
                    "QuantizeBias": False,
                    "OpTypesToExcludeOutputQuantization": operators,
                    "QDQOpTypePerChannelSupportToAxis": {"MatMul": 1, "Gather": 0},
                },
            )
    save(without_traces(onnx.load(target)), target)


def _for_npu(source: Path, recipe: Recipe, kind: Any, batches: Iterable[Feeds]) -> Any:
    """What ONNX Runtime says that Qualcomm's needs."""
    from onnxruntime.quantization import QuantType
    from onnxruntime.quantization.execution_providers.qnn import get_qnn_qdq_config

    return get_qnn_qdq_config(
        source,
        _Reader(batches),
        activation_type=kind,
        weight_type=QuantType.QUInt8,
        nodes_to_exclude=list(recipe.exact),
    )


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Batches as the library wants to be handed them."""

    def __init__(self, batches: Iterable[Feeds]) -> None:
        self._left: Iterator[Feeds] = iter(batches)

    def get_next(self) -> dict[str, Ints] | None:
        each = next(self._left, None)
        return None if each is None else dict(each)
