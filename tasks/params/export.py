"""The section `export:`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from tasks.params.base import Number, Section

TargetName = Literal["cpu", "openvino", "cuda", "tensorrt", "qnn", "mobile"]
Fusion = Literal["none", "attention", "layernorm", "attention+layernorm"]


class Export(Section):
    """How models become ONNX."""

    section: ClassVar[str] = "export"

    opset: int = Field(20, ge=17, le=23)
    fusion: Fusion | None = Field(
        None, description="operators to join; null: the fastest choice, by measuring"
    )
    vocabulary: Literal["whole", "used"] = Field(
        "whole", description="used: the tokens of the training texts and single characters alone"
    )
    targets: list[TargetName] = Field(
        ["cpu"], min_length=1, description="what the release is for; of several all contend"
    )
    variants: list[Literal["fp32", "fp16", "int8"]] | None = Field(
        None, min_length=1, description="null: all that the targets have"
    )
    exact: list[str] | None = Field(
        None,
        description="operators that int8 leaves in fp32, by name; null: those distorted most, "
        "where min_agreement is missed",
    )
    threads: int | None = Field(None, ge=1, description="null: all cores")
    latency_threads: int | None = Field(
        None,
        ge=1,
        description="of those, for one text at a time; null: as many as are worth it",
    )
    max_difference: Number = Field(
        1e-3, gt=0, description="largest logit difference to PyTorch allowed for fp32"
    )
    min_agreement: Number = Field(
        0.95, ge=0, le=1, description="smallest share of equal answers allowed for int8"
    )
