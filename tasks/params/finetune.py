"""The section `finetune:`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from tasks.params.base import Number, Section

Weight = Annotated[Number, Field(gt=0)]


class Adversarial(Section):
    """Shifts of the embeddings to where the loss is highest, to learn from as well."""

    section: ClassVar[str] = "finetune.adversarial"

    method: Literal["fgm", "pgd"]
    radius: Number = Field(
        0.04, gt=0, description="the length of a text's shift, as a share of its embeddings' length"
    )
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
    tokens: int = Field(16, ge=1, description="of a prefix: keys and values a layer gets")


def _labels(content: object) -> object:
    """A label that YAML took for a number or a truth value is the text that the data has for it."""
    if not isinstance(content, dict):
        return content
    return {key if isinstance(key, str) else str(key).lower(): content[key] for key in content}


class Loss(Section):
    """How the loss over classes is bent."""

    section: ClassVar[str] = "finetune.loss"

    label_smoothing: Number = Field(
        0.0, ge=0, lt=1, description="share of a target that is spread over all classes"
    )
    focal: Number = Field(
        0.0, ge=0, description="the exponent by which what is already right counts less"
    )
    class_weights: Annotated[
        Literal["balanced"] | dict[str, Weight] | None, BeforeValidator(_labels)
    ] = Field(None, description="what an example of each class counts: balanced, or by label")


class Sampling(Section):
    """In which shares an epoch has the rows of each class and task; it keeps its length."""

    section: ClassVar[str] = "finetune.sampling"

    labels: Literal["natural", "balanced"] = Field(
        "natural", description="balanced: the classes of a task are drawn alike often"
    )
    tasks: Literal["natural", "sqrt", "equal"] = Field(
        "natural", description="of several tasks: shares as they are, by the root of them, alike"
    )


class Augment(Section):
    """Altered copies of the training texts whose labels stay true."""

    section: ClassVar[str] = "finetune.augment"

    copies: int = Field(1, ge=1, le=100, description="of each text")
    drop: Number = Field(0.1, ge=0, lt=1, description="share of the words that are left out")
    swap: Number = Field(0.1, ge=0, le=1, description="share that changes places with the next")
    case: Number = Field(0.0, ge=0, le=1, description="share in small or capital letters")
    typos: Number = Field(0.0, ge=0, le=1, description="share that is mistyped")
    mentions: Number = Field(
        0.0, ge=0, le=1, description="share of the entities that another of the type stands for"
    )


class Adapt(Section):
    """Masked language modelling on the domain's texts, before the task is learnt."""

    section: ClassVar[str] = "finetune.adapt"

    epochs: int = Field(1, ge=1, le=1000, description="passes over the texts")
    texts: Literal["both", "unlabelled", "labelled"] = Field(
        "both", description="unlabelled: ingest.unlabelled's; labelled: the training split's"
    )
    share: Number = Field(0.15, gt=0, lt=1, description="share of the tokens to be guessed")
    learning_rate: Number = Field(1e-4, gt=0, le=1, description="peak, after the warm-up")
    max_tokens: int | None = Field(
        None, ge=1, description="of texts drawn by lot; null: all there are"
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
    stride: int | None = Field(
        None, ge=0, description="tokens that windows of a long text share, where tokens are "
        "labelled; null: a quarter of max_length",
    )  # fmt: skip
    loss: Loss = Field(Loss(), description="how the loss over classes is bent")
    task_weights: dict[str, Weight] | None = Field(
        None, description="what an example of each of several tasks counts, by name; null: 1"
    )
    sampling: Sampling = Field(Sampling(), description="what is drawn in which shares")
    augment: Augment | None = Field(
        None, description="altered copies of the texts: copies, drop, swap, case, typos, mentions"
    )
    adapt: Adapt | None = Field(
        None, description="read the domain's texts first: epochs, texts, share, learning_rate"
    )
    pooling: Literal["cls", "mean"] = Field(
        "cls", description="what a text is told by: its first token, the mean of all of them"
    )
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
        "auto", description="auto: the fastest on this device"
    )
    device: Literal["auto", "cpu", "cuda", "mps", "xpu"] = "auto"
    processes: int = Field(1, ge=1, description="training ranks on this machine")
    hosts: int = Field(1, ge=1, description="machines that train together, as many ranks on each")
    sharding: Literal["ddp", "fsdp"] = Field(
        "ddp", description="ddp: a rank holds the whole model; fsdp: its share of it"
    )
    threads: int | None = Field(None, ge=1, description="a rank's; null: cores / processes")
    seed: int = Field(17, ge=0)

    @property
    def window_stride(self) -> int:
        """Tokens that neighbouring windows of a long text share."""
        return self.max_length // 4 if self.stride is None else self.stride

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if 2 * self.window_stride >= self.max_length:
            raise ValueError(
                f"finetune.stride: got {self.stride}; takes less than half of "
                f"finetune.max_length ({self.max_length})"
            )
        adapter = self.adapter and self.adapter.method
        if adapter == "adalora" and self.sharding == "fsdp":
            raise ValueError(
                "finetune.sharding: got 'fsdp' with adalora; takes ddp: what each singular value "
                "is worth is told from whole matrices and their gradients"
            )
        return self
