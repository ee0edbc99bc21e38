"""OpenVINO's own runtime in the place of an ONNX Runtime session."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from tasks.stage.errors import BadInput
from tasks.task.answers import Floats, Ints


class OpenVino:
    """A graph compiled for the CPU; safe to run from `at_once` threads at a time."""

    def __init__(self, path: Path, threads: int, at_once: int) -> None:
        try:
            import openvino
        except ImportError:
            raise BadInput(
                f"{path.parent}: this release runs on OpenVINO, which is not installed; "
                "pip install 'nightshift[openvino]'"
            ) from None
        wanted = {
            "INFERENCE_NUM_THREADS": threads * at_once,
            "NUM_STREAMS": at_once,
            "PERFORMANCE_HINT": "LATENCY" if at_once == 1 else "THROUGHPUT",
            "INFERENCE_PRECISION_HINT": "f32",  # what is not int8 stays what it is
        }
        core = openvino.Core()
        try:
            self._compiled = core.compile_model(core.read_model(str(path)), "CPU", wanted)
        except Exception as error:  # the library raises nothing narrower
            why = " ".join(str(error).split())
            raise BadInput(f"{path}: OpenVINO can't load it: {why}") from None
        self._of_thread = threading.local()

    @property
    def outputs(self) -> list[str]:
        """The names of what the graph gives."""
        return [name for output in self._compiled.outputs for name in output.get_names()]

    def run(self, outputs: Collection[str], feeds: Mapping[str, Ints]) -> list[Floats]:
        """As `InferenceSession.run`."""
        request: Any = getattr(self._of_thread, "request", None)
        if request is None:
            request = self._of_thread.request = self._compiled.create_infer_request()
        request.infer(dict(feeds), share_inputs=True)
        return [request.get_tensor(name).data.copy() for name in outputs]
