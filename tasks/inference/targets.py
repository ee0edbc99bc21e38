"""What a release is made for: the runtime and hardware it will run on, and what those ask of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tasks.inference.release import Precision, Runtime


@dataclass(frozen=True)
class Static:
    """An int8 whose activations have scales that were found beforehand: which, and where."""

    activations: Literal["uint8", "int8", "uint16"]
    """int8: symmetric, as TensorRT has it; uint16 where an NPU has them and 8 bits are too few."""
    tables: bool = True
    """Whether embeddings are 8 bits as well."""
    everything: bool = False
    """Whether all operators are, as an NPU without floating point needs; or products alone."""


@dataclass(frozen=True)
class Target:
    """A profile: the variants it offers, and how each is made and run."""

    name: str
    """As `export.targets` has it."""
    title: str
    precisions: tuple[Precision, ...]
    """The variants that it offers, the plainest first."""
    fusion: str | None = None
    """What is joined in its graphs; None: what is the fastest where it is exported."""
    static: Static | None = None
    """How its int8 knows the ranges of activations; None: it looks, each time it runs."""
    fixed: bool = False
    """Whether a graph takes one input at a time, padded to the greatest length."""
    compiled: bool = False
    """Whether the graph is optimised once and for all, in ONNX Runtime's own format."""
    runtime: Runtime = "onnxruntime"
    provider: str | None = None
    """ONNX Runtime's execution provider; None: the CPU's."""
    early: bool = False
    """Whether its runtime can do less for one text of a batch than for another."""
    elsewhere: bool = False
    """Whether it is for other processors than those that nights run on."""

    @property
    def overflows(self) -> bool:
        """Whether some processors add the products of its int8 in too few bits."""
        return self.static is None or self.static.activations == "uint8"

    def kind(self, precision: Precision) -> str:
        """What a variant of this precision is called, after the name of its level."""
        return precision if self.name == "cpu" else f"{self.name}-{precision}"

    def stand_in(self, ran_on: str) -> str | None:
        """What it was measured on in place of what it is for, as a clause; None: on just that."""
        if self.provider is not None and ran_on != self.provider:
            return f"{ran_on} in place of {self.provider}"
        return f"this machine in place of {self.title}" if self.elsewhere else None


TARGETS: dict[str, Target] = {
    each.name: each
    for each in (
        Target("cpu", "a processor like this one", ("fp32", "int8"), early=True),
        Target(
            "openvino",
            "OpenVINO",
            ("fp32", "int8"),
            fusion="none",
            static=Static("uint8"),
            runtime="openvino",
        ),
        Target(
            "cuda",
            "an NVIDIA GPU",
            ("fp16",),
            fusion="attention+layernorm",
            provider="CUDAExecutionProvider",
        ),
        Target(
            "tensorrt",
            "TensorRT",
            ("fp16", "int8"),
            fusion="none",
            static=Static("int8", tables=False),
            provider="TensorrtExecutionProvider",
        ),
        Target(
            "qnn",
            "a Qualcomm NPU",
            ("int8",),
            fusion="none",
            static=Static("uint16", everything=True),
            fixed=True,
            provider="QNNExecutionProvider",
        ),
        Target(
            "mobile",
            "a mobile processor",
            ("int8",),
            fusion="attention",
            compiled=True,
            elsewhere=True,
        ),
    )
}
