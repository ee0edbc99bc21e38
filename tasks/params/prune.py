"""The section `prune:`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from tasks.params.base import Number, Section

Share = Annotated[Number, Field(ge=0, lt=1)]
Shares = Share | Annotated[list[Share], Field(min_length=1)]
"""Of what a level removes: of every level, or of one after the other, and from the first again."""


class Prune(Section):
    """How the model is made smaller, and when to stop."""

    section: ClassVar[str] = "prune"

    max_drop: Number = Field(
        3.0, ge=0, le=100, description="points that new texts may be expected to lose by a level"
    )
    max_levels: int = Field(
        2, ge=0, description="0 keeps the fine-tuned model as it is; a large one has use for more"
    )
    layers: Shares = Field(
        [0.0, 0.3],
        description="share of the layers a level removes; of a list each level takes the next",
    )
    neurons: Shares = Field(
        [0.25, 0.4], description="share of the FFN neurons it removes, or a list as for layers"
    )
    heads: Shares = Field(
        [0.0, 0.33],
        description="share of the attention heads it removes, of all its layers', or a list",
    )
    keep: list[list[int]] | None = Field(
        None, description="the fine-tuned model's layers each level keeps, in place of measuring"
    )
    texts: Literal["both", "labelled"] = Field(
        "both", description="what it is taught on; both: those of ingest.unlabelled, too"
    )
    augment: int = Field(2, ge=0, description="altered copies of each text to be taught on")
    max_tokens: int = Field(
        3_000_000,
        ge=0,
        description="of all texts and copies; beyond it what has no label is left out",
    )
    epochs: int = Field(1, ge=1, description="passes of recovery a level, copies included")
    batch: int = Field(32, ge=1, description="examples a step")
    learning_rate: Number = Field(1.5e-4, gt=0, le=1)
    temperature: Number = Field(2.0, gt=0, description="softens the teacher's logits")
    hidden_weight: Number = Field(1.0, ge=0, description="weight of the hidden states' distance")
    probe: int = Field(
        256, ge=1, description="examples that importance is measured on; fewer long ones"
    )
    trial: Number = Field(
        0.05,
        ge=0,
        le=1,
        description="as many texts, as a share of recovery's, try out choices of layers",
    )
    early: Number = Field(
        1.0,
        ge=0,
        le=100,
        description="of 100 texts so many may get another answer by getting it before the last "
        "layers; 0: all texts go through all layers",
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    device: Literal["auto", "cpu", "cuda", "mps", "xpu"] = "auto"
    threads: int | None = Field(None, ge=1, description="null: all cores")
    seed: int = Field(17, ge=0)
