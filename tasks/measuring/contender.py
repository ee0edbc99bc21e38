"""What is measured: something that takes texts and answers with labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

Text = str | tuple[str, str]
Answer = tuple[str, float]
"""A label and its probability."""


@dataclass(frozen=True)
class Contender:
    """What to load, and with how many threads; made in the parent, loaded in a child."""

    name: str
    kind: Literal["pipeline", "release"]
    """`pipeline`: transformers' own, torch in fp32. `release`: a folder through the Predictor."""
    folder: Path
    threads: int

    def load(self) -> Loaded:
        """Load it into this process; nothing that it needs is imported before."""
        return Pipeline(self) if self.kind == "pipeline" else Served(self)


class Loaded(Protocol):
    """A contender that is ready to answer."""

    environment: dict[str, Any]
    """Versions, dtype and threads that its figures depend on."""

    def one(self, text: Text) -> Answer:
        """The answer for one text: what the latency is measured of."""

    def many(self, texts: Sequence[Text], batch: int) -> list[Answer]:
        """The answers for a list, in order: what the throughput is measured of."""


class Pipeline:
    """`transformers.pipeline("text-classification")`: what a user would deploy otherwise."""

    def __init__(self, contender: Contender) -> None:
        import tokenizers
        import torch
        import transformers

        log: Any = transformers.utils.logging
        log.set_verbosity_error()
        log.disable_progress_bar()
        torch.set_num_threads(contender.threads)
        self._pipe: Any = transformers.pipeline(
            "text-classification", model=str(contender.folder), device="cpu", dtype=torch.float32
        )
        self.environment = {
            "dtype": str(next(self._pipe.model.parameters()).dtype).removeprefix("torch."),
            "threads": torch.get_num_threads(),
            "tokenizers": tokenizers.__version__,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        }

    def one(self, text: Text) -> Answer:
        """One call of the pipeline."""
        answer = self._pipe(_as_input(text), truncation=True)
        found = answer[0] if isinstance(answer, list) else answer
        return found["label"], found["score"]

    def many(self, texts: Sequence[Text], batch: int) -> list[Answer]:
        """One call with the list as it is, which the pipeline pads batch by batch."""
        inputs = [_as_input(text) for text in texts]
        found = self._pipe(inputs, batch_size=batch, truncation=True)
        return [(answer["label"], answer["score"]) for answer in found]


class Served:
    """A release folder, through the very Predictor that will serve it."""

    def __init__(self, contender: Contender) -> None:
        import onnxruntime
        import tokenizers

        from tasks.inference.predictor import Predictor

        self._predictor = Predictor.load(contender.folder, contender.threads)
        self.environment = {
            "dtype": self._predictor.release.precision,
            "onnxruntime": onnxruntime.__version__,
            "threads": self._predictor.threads,
            "tokenizers": tokenizers.__version__,
        }

    def one(self, text: Text) -> Answer:
        """One call with a list of one."""
        found = self._predictor([text])[0]
        return found.label or "", found.score or 0.0

    def many(self, texts: Sequence[Text], batch: int) -> list[Answer]:
        """One call with the list as it is."""
        found = self._predictor(texts, batch_size=batch)
        return [(each.label or "", each.score or 0.0) for each in found]


def _as_input(text: Text) -> Any:
    return text if isinstance(text, str) else {"text": text[0], "text_pair": text[1]}
