"""The section `finetune:`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from tasks.params.base import Number, Section


class Adversarial(Section):
    """Shifts of the embeddings to where the loss is highest, to learn from as well."""

    section: ClassVar[str] = "finetune.adversarial"

    method: Literal["fgm", "pgd"]
    radius: Number = Field(1.0, gt=0, description="the length of a text's shift, all tokens of it")
    steps: int = Field(3, ge=2, description="steps to the worst shift; fgm takes one")


class Adapter(Section):
    """A few new numbers that learn in place of the pre-trained ones."""

    section: ClassVar[str] = "finetune.adapter"

    method: Literal["lora", "adalora", "ia3", "prefix"]
    rank: int = Field(8, ge=1, description="of lora; the average that adalora ends with")
    alpha: int = Field(16, ge=1, description="over rank, what the new numbers count")
    targets: list[str] | None = Field(
        None, description="names of the modules they sit on; null: peft's own for the model"
    )


def _by_name(content: object) -> object:
    """A method's name alone stands for its section with every default."""
    return {"method": content} if isinstance(content, str) else content


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
    layer_decay: Number = Field(
        1.0, gt=0, le=1, description="a layer's learning rate as a share of that of the one above"
    )
    freeze_embeddings: bool = Field(False, description="leave them as they were pre-trained")
    freeze_layers: int = Field(0, ge=0, description="so many of the first layers, too")
    ema: Number | None = Field(
        None, gt=0, lt=1, description="keep a moving average of the weights, with this decay"
    )
    adversarial: Annotated[Adversarial | None, BeforeValidator(_by_name)] = Field(
        None, description="fgm or pgd, or a section: method, radius, steps"
    )
    adapter: Annotated[Adapter | None, BeforeValidator(_by_name)] = Field(
        None, description="lora, adalora or ia3, or a section: method, rank, alpha, targets"
    )
    evaluations: int = Field(1, ge=1, description="looks at the validation split an epoch")
    patience: int = Field(2, ge=1, description="looks without a better one before it stops early")
    precision: Literal["auto", "fp32", "tf32", "bf16", "fp16"] = Field(
        "auto", description="auto: the fastest this device computes natively"
    )
    device: Literal["auto", "cpu", "cuda", "mps", "xpu"] = "auto"
    processes: int = Field(1, ge=1, description="training ranks on this machine")
    hosts: int = Field(1, ge=1, description="machines that train together, as many ranks on each")
    sharding: Literal["ddp", "fsdp"] = Field(
        "ddp", description="ddp: a rank holds the whole model; fsdp: its share of it"
    )
    threads: int | None = Field(None, ge=1, description="a rank's; null: cores / processes")
    seed: int = Field(17, ge=0)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        adapter = self.adapter and self.adapter.method
        if adapter == "adalora" and self.sharding == "fsdp":
            raise ValueError(
                "finetune.sharding: got 'fsdp' with adalora; takes ddp: what each singular value "
                "is worth is told from whole matrices and their gradients"
            )
        if adapter == "prefix":
            raise ValueError(
                "finetune.adapter.method: got 'prefix'; takes lora, adalora or ia3: the keys and "
                "values of a prefix can't be merged into the weights, and prune, export and the "
                "release would lose them"
            )
        return self
