"""From an fp32 graph to what some hardware takes: 16 bits, one shape, ONNX Runtime's own format."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx

from tasks.inference.loading import ERRORS_ONLY, LEVELS
from tasks.inference.onnx_export import save, without_traces

MASKED = -100.0
"""e to its power is nothing beside a token's."""
FOLDED = 1_000_000
"""Numbers in the largest constant that is computed: more than any mask or position has."""
LOWEST = -1e30
"""What is below it stands for minus infinity."""


def halve(source: Path, target: Path) -> None:
    """Write a graph in fp16; what goes in and comes out keeps its type.

    A weight beyond fp16's range is brought back into it. Normalisations add up in fp32 within
    their operators.
    """
    from onnxruntime.transformers.float16 import convert_float_to_float16

    small = convert_float_to_float16(str(source), keep_io_types=True)
    save(without_traces(small), target)


def fix_shape(source: Path, target: Path, tokens: int) -> None:
    """Write a graph that takes one input of `tokens` tokens, int64 [1, tokens].

    What depended on the shape alone is computed here. Padding gets no attention by a summand of
    `MASKED` in place of fp32's lowest number, on which a range of 8 or 16 bits would be lost.
    """
    from onnxruntime.tools.onnx_model_utils import make_input_shape_fixed
    from onnxscript.optimizer import optimize

    model = onnx.load(source)
    for given in model.graph.input:
        make_input_shape_fixed(model.graph, given.name, [1, tokens])
    for constant in model.graph.initializer:
        number = onnx.numpy_helper.to_array(constant)
        if number.ndim == 0 and number.dtype == np.float32 and number < LOWEST:
            constant.CopyFrom(
                onnx.numpy_helper.from_array(np.full((), MASKED, np.float32), constant.name)
            )
    save(optimize(model, input_size_limit=FOLDED, output_size_limit=FOLDED), target)


def compiled(source: Path, target: Path, disabled: Sequence[str]) -> None:
    """Write a graph in ONNX Runtime's own format, optimised for good (its "fixed" style).

    Only by what every processor can run; `disabled` names optimisers to leave out. What loads it
    needs neither ONNX's parser nor the optimisers, which small builds don't have.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = ERRORS_ONLY
    options.graph_optimization_level = LEVELS["extended"]
    options.optimized_model_filepath = str(target)
    options.add_session_config_entry("session.save_model_format", "ORT")
    onnxruntime.InferenceSession(
        str(source), options, ["CPUExecutionProvider"], disabled_optimizers=list(disabled)
    )
