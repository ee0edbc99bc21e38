"""The section `finetune:`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from tasks.params.base import Number, Section


class Finetune(Section):
    """How the pre-trained model learns the task."""

    section: ClassVar[str] = "finetune"

    model: str = Field(
        "sample:minilm", description="a local folder, a hub id, an s3:// URI or sample:NAME"
    )
    epochs: int = Field(2, ge=1, le=1000)
    batch: int = Field(32, ge=1, description="examples a step, over all processes together")
    micro_batch: int | None = Field(
        None, ge=1, description="examples a process takes at once; null: what memory allows"
    )
    gradient_checkpointing: Literal["auto", "always", "never"] = Field(
        "auto", description="compute activations again; auto: when memory is short"
    )
    learning_rate: Number = Field(1e-4, gt=0, le=1, description="peak, after the warm-up")
    warmup: Number = Field(0.1, ge=0, lt=1, description="share of the steps the rate rises over")
    weight_decay: Number = Field(0.01, ge=0, lt=1)
    max_grad_norm: Number = Field(1.0, gt=0)
    dropout: Number | None = Field(None, ge=0, lt=1, description="null: the model's own")
    max_length: int = Field(128, ge=4, description="tokens; longer texts are cut")
    evaluations: int = Field(1, ge=1, description="looks at the validation split an epoch")
    patience: int = Field(2, ge=1, description="looks without a better one before it stops early")
    precision: Literal["auto", "fp32", "tf32", "bf16", "fp16"] = Field(
        "auto", description="auto: the fastest this device computes natively"
    )
    device: Literal["auto", "cpu", "cuda", "mps", "xpu"] = "auto"
    processes: int = Field(1, ge=1, description="training ranks on this machine")
    threads: int | None = Field(None, ge=1, description="a rank's; null: cores / processes")
    seed: int = Field(17, ge=0)
