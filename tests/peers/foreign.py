"""A peer's model in the peer's own environment; nothing but the standard library until it loads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from tasks.measuring.contender import Answer, Contender, Loaded, Text


@dataclass(frozen=True)
class Foreign(Contender):
    """What is loaded by a class of this module, in another environment (`python`)."""

    way: str = ""

    def load(self) -> Loaded:
        """Load it into this process."""
        loaded: Loaded = globals()[self.way](self)
        return loaded


class Piped(Loaded):
    """A model behind `transformers.pipeline`, as peers tell their users to serve."""

    libraries: tuple[str, ...] = ()

    def __init__(self, contender: Contender) -> None:
        import transformers

        log: Any = transformers.utils.logging
        log.set_verbosity_error()
        tokenizer = transformers.AutoTokenizer.from_pretrained(contender.folder)
        self._pipe: Any = transformers.pipeline(
            "text-classification", model=self.model(contender), tokenizer=tokenizer
        )
        self.environment: dict[str, Any] = {
            "threads": contender.threads,
            **{name: version(name) for name in (*self.libraries, "transformers")},
        }

    def model(self, contender: Contender) -> Any:
        """The peer's own model class over the folder."""
        raise NotImplementedError

    def one(self, text: Text) -> Answer:
        """One call of the pipeline."""
        return _answer(self._pipe(text, truncation=True)[0])

    def many(self, texts: Sequence[Text], batch: int) -> list[Answer]:
        """One call with the list as it is."""
        found = self._pipe(list(texts), batch_size=batch, truncation=True)
        return [*map(_answer, found)]


class Optimum(Piped):
    """Optimum's model class on ONNX Runtime."""

    libraries = ("optimum-onnx", "onnxruntime")

    def model(self, contender: Contender) -> Any:
        import onnxruntime
        from optimum.onnxruntime import ORTModelForSequenceClassification

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = contender.threads
        return ORTModelForSequenceClassification.from_pretrained(
            contender.folder, file_name="model_quantized.onnx", session_options=options
        )


class OpenVino(Piped):
    """Optimum's model class on OpenVINO."""

    libraries = ("optimum-intel", "openvino", "nncf")

    def model(self, contender: Contender) -> Any:
        from optimum.intel import OVModelForSequenceClassification

        config = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": contender.threads}
        return OVModelForSequenceClassification.from_pretrained(contender.folder, ov_config=config)


class OurOpenVino(Loaded):
    """OpenVINO's own runtime, with what our Predictor does around ONNX Runtime."""

    def __init__(self, contender: Contender) -> None:
        import json

        import openvino
        from tokenizers import Tokenizer

        from tasks.task import Classification

        self._tokenizer = Tokenizer.from_file(str(contender.folder / "ours.json"))
        self._tokenizer.no_padding()
        config = json.loads((contender.folder / "config.json").read_text(encoding="utf-8"))
        names = config["id2label"]
        self._task = Classification(tuple(names[str(at)] for at in range(len(names))))
        core = openvino.Core()
        path = contender.folder / "openvino_model.xml"
        threads = {"INFERENCE_NUM_THREADS": contender.threads}
        self._alone = core.compile_model(path, "CPU", {"PERFORMANCE_HINT": "LATENCY", **threads})
        streams = {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": contender.threads, **threads}
        self._queue = openvino.AsyncInferQueue(core.compile_model(path, "CPU", streams))
        self._inputs = [each.get_any_name() for each in self._alone.inputs]
        self.environment: dict[str, Any] = {
            "threads": contender.threads,
            **{name: version(name) for name in ("openvino", "nncf", "tokenizers")},
        }

    def one(self, text: Text) -> Answer:
        """One call of the compiled model."""
        return self._task.decode(self._alone(self._feeds([self._tokenizer.encode(text)]))[0])[0]

    def many(self, texts: Sequence[Text], batch: int) -> list[Answer]:
        """Batches of like length, one at a time on each core."""
        encodings = self._tokenizer.encode_batch_fast(list(texts))
        order = sorted(range(len(texts)), key=lambda at: len(encodings[at]))
        found: list[Answer] = [None] * len(texts)

        def keep(request: Any, rows: list[int]) -> None:
            answers = self._task.decode(request.get_output_tensor().data)
            for at, answer in zip(rows, answers, strict=True):
                found[at] = answer

        self._queue.set_callback(keep)
        for start in range(0, len(order), batch):
            rows = order[start : start + batch]
            self._queue.start_async(self._feeds([encodings[at] for at in rows]), rows)
        self._queue.wait_all()
        return found

    def _feeds(self, encodings: Sequence[Any]) -> dict[str, Any]:
        import numpy as np

        longest = max(map(len, encodings))
        columns = {name: np.zeros((len(encodings), longest), np.int64) for name in self._inputs}
        for row, encoding in enumerate(encodings):
            columns["input_ids"][row, : len(encoding)] = encoding.ids
            columns["attention_mask"][row, : len(encoding)] = 1
        return columns


def _answer(found: dict[str, Any]) -> Answer:
    from tasks.task.answers import Prediction

    return Prediction(label=found["label"], score=found["score"])
