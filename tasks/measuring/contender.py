"""What is measured: something that takes texts and answers them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from tasks.task import Task

Text = str | tuple[str, str]
Answer = Any
"""A `Prediction`; of several tasks a dict of one a task, as a Predictor gives them."""

PIPELINE = "transformers.pipeline"
MODEL = "PyTorch model"
"""Where transformers has no pipeline for what the model does: several tasks, tokens among them."""


@dataclass(frozen=True)
class Contender:
    """What to load, and with how many threads; made in the parent, loaded in a child."""

    name: str
    kind: Literal["baseline", "release"]
    """`baseline`: transformers' own, torch in fp32. `release`: a folder through the Predictor."""
    folder: Path
    threads: int
    task: Task | None = None
    """What a baseline's model was trained for; a release says so itself."""
    stride: int = 0
    """Tokens that the windows of a long text share, where a baseline's task labels tokens."""
    python: str | None = None
    """The interpreter it is loaded by, of an environment of its own; None: this one."""

    @classmethod
    def baseline(cls, folder: Path, threads: int, task: Task, stride: int) -> Contender:
        """What a user would deploy otherwise, from a `save_pretrained` folder."""
        name = PIPELINE if task.pipeline else MODEL
        return cls(name, "baseline", folder, threads, task, stride)

    def load(self) -> Loaded:
        """Load it into this process; nothing that it needs is imported before."""
        if self.task is None:
            return Served(self)
        return Pipeline(self, self.task) if self.task.pipeline else Direct(self, self.task)


class Loaded(Protocol):
    """A contender that is ready to answer."""

    environment: dict[str, Any]
    """Versions, dtype and threads that its figures depend on."""

    def one(self, text: Text) -> Answer:
        """The answer for one text: what the latency is measured of."""

    def many(self, texts: Sequence[Text], batch: int) -> list[Answer]:
        """The answers for a list, in order: what the throughput is measured of."""

    def answers(self, texts: Sequence[Text], batch: int) -> list[Answer]:
        """The same with all that the model says of each, fast or not: what it is judged by."""
        return self.many(texts, batch)


class Pipeline(Loaded):
    """`transformers.pipeline`: what a user would deploy otherwise."""

    def __init__(self, contender: Contender, task: Task) -> None:
        transformers, torch = _quiet(contender.threads)
        self._pipe: Any = transformers.pipeline(
            task.pipeline, model=str(contender.folder), device="cpu", dtype=torch.float32
        )
        self._pipe.model = _completed(self._pipe.model, contender.folder)
        self._heard, self._options = task.heard, task.asked(contender.stride)
        self._all = task.asked_for_all(contender.stride)
        self.environment = _environment(self._pipe.model)

    def one(self, text: Text) -> Answer:
        """One call of the pipeline."""
        return self._heard(self._pipe(_as_input(text), **self._options))

    def many(self, texts: Sequence[Text], batch: int) -> list[Answer]:
        """One call with the list as it is, which the pipeline pads batch by batch."""
        return self._told(texts, batch, self._options)

    def answers(self, texts: Sequence[Text], batch: int) -> list[Answer]:
        """As `many`, with the probability of every class, of which it tells the best one else."""
        return self._told(texts, batch, self._all)

    def _told(self, texts: Sequence[Text], batch: int, options: dict[str, Any]) -> list[Answer]:
        inputs = [_as_input(text) for text in texts]
        return [*map(self._heard, self._pipe(inputs, batch_size=batch, **options))]


class Direct(Loaded):
    """The model called as its documentation does, batch by batch; a long text is cut."""

    def __init__(self, contender: Contender, task: Task) -> None:
        transformers, torch = _quiet(contender.threads)
        folder = str(contender.folder)
        self._task = task
        self._tokenizer: Any = transformers.AutoTokenizer.from_pretrained(folder)
        kind = transformers.AutoModelForTokenClassification
        model = kind.from_pretrained(folder, dtype=torch.float32).eval()
        self._model: Any = _completed(model, contender.folder)
        self.environment = _environment(self._model)

    def one(self, text: Text) -> Answer:
        """One call of the model."""
        return self.many([text], 1)[0]

    def many(self, texts: Sequence[Text], batch: int) -> list[Answer]:
        """A call of the model for every `batch` texts in the order they come in."""
        starts = range(0, len(texts), batch)
        return [answer for at in starts for answer in self._together(texts[at : at + batch])]

    def _together(self, texts: Sequence[Text]) -> list[Answer]:
        import numpy as np
        import torch

        from tasks.task.pieces import pieces_of

        found = self._tokenizer(list(texts), truncation=True, padding=True, return_tensors="pt")
        there = found["attention_mask"].bool()
        with torch.inference_mode():
            logits = self._model(**found).logits[there].numpy()
        pieces = []
        for text, encoding, mask in zip(texts, found.encodings, there.numpy(), strict=True):
            places = pieces_of(str(text), encoding)
            pieces.append(type(places)(places.spans[mask], places.first[mask]))
        bounds = np.cumsum([0, *there.sum(1).tolist()])
        return self._task.decode(logits, texts, pieces, bounds)


class Served(Loaded):
    """A release folder, through the very Predictor that will serve it."""

    def __init__(self, contender: Contender) -> None:
        import tokenizers

        from tasks.inference.predictor import Predictor

        self._predictor = Predictor.load(contender.folder, contender.threads)
        runtime = self._predictor.release.session.runtime
        self.environment = {
            "dtype": self._predictor.release.precision,
            runtime: import_module(runtime).__version__,
            "runs_on": self._predictor.runs_on,
            "threads": self._predictor.threads,
            "tokenizers": tokenizers.__version__,
        }

    def one(self, text: Text) -> Answer:
        """One call with a list of one."""
        return self._predictor([text])[0]

    def many(self, texts: Sequence[Text], batch: int) -> list[Answer]:
        """One call with the list as it is."""
        return self._predictor(texts, batch_size=batch)


def _quiet(threads: int) -> tuple[Any, Any]:
    """Transformers and torch, without their chatter and with so many threads."""
    import torch
    import transformers

    log: Any = transformers.utils.logging
    log.set_verbosity_error()
    log.disable_progress_bar()
    torch.set_num_threads(threads)
    return transformers, torch


def _completed(model: Any, folder: Path) -> Any:
    """A plain load goes by the model's type: it reads the first token, and no prefix."""
    ours = ("nightshift_pooling", "nightshift_prefix")
    if not any(hasattr(model.config, key) for key in ours):
        return model
    from tasks.training.pooling import pooled, pooling_of
    from tasks.training.prefix import read_prefix

    return read_prefix(pooled(model, pooling_of(model.config)), folder)


def _environment(model: Any) -> dict[str, Any]:
    import tokenizers
    import torch
    import transformers

    return {
        "dtype": str(next(model.parameters()).dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "tokenizers": tokenizers.__version__,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


def _as_input(text: Text) -> Any:
    return text if isinstance(text, str) else {"text": text[0], "text_pair": text[1]}
