"""Text in, label out: a release folder served by ONNX Runtime and `tokenizers`, nothing else.

`Predictor.load("models/release")(["a fine film"])[0].label`
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import onnxruntime
from tokenizers import Encoding, Tokenizer

from tasks.inference.release import CARD, MODEL, TOKENIZER, Release, Session, verify
from tasks.inference.remote import find_release
from tasks.masking import Masker
from tasks.stage.cores import cores
from tasks.stage.errors import BadInput

TOKENS_AT_ONCE = 1024
"""Most tokens in a batch, padding included: more no longer fits a core's cache and is slower."""
TEXTS_AT_ONCE = 4096
"""Texts that are tokenised and sorted together; bounds the memory that a long list takes."""
LEVELS = {
    "none": onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
    "basic": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "extended": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
}
ERRORS_ONLY = 3

Text = str | tuple[str, str]
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


class Prediction(NamedTuple):
    """What a release says about one input; what its task does not have is None."""

    label: str | None
    """The most probable class."""
    score: float | None
    """Its probability."""
    scores: dict[str, float] | None
    """Every class's probability; they sum to 1."""
    value: float | None = None
    entities: list[Any] | None = None


class Predictor:
    """A loaded release. Safe to call from many threads; keeps nothing between calls.

    The figures of an int8 release depend a little on what shares a batch (ONNX Runtime scales a
    whole batch's activations together): equal lists give equal results, an input on its own may
    differ in the third decimal.

    Personal data are masked before anything else when the release says so, as they were in what it
    learned from.
    """

    def __init__(self, release: Release, folder: Path, threads: int | None = None) -> None:
        self.release = release
        self.threads = threads or release.session.threads or cores()
        self._tokenizer = _load_tokenizer(folder / TOKENIZER, release.max_length)
        self._masker = _load_masker(folder / CARD, release.mask)
        self._model = folder / MODEL
        self._session = _load_session(self._model, release.session, self.threads)
        self._outputs = [self._session.get_outputs()[0].name]
        self._pool: _Pool | None = None
        self._lock = threading.Lock()

    @classmethod
    def load(cls, source: str | Path, threads: int | None = None) -> Predictor:
        """Load a release from a folder or an `s3://` URI, its checksums verified.

        In a registry (`s3://bucket/prefix/registry/NAME/production`, or the same in a folder) an
        alias stands for the version it points at now. `threads`: how many cores it may use; None
        takes what the release says, or all there are. Raises BadInput when it is not a release or
        a file has changed, Unavailable when a bucket can't be reached.
        """
        folder = find_release(source)
        return cls(verify(folder), folder, threads)

    def __call__(self, texts: Sequence[Text], batch_size: int = 32) -> list[Prediction]:
        """A prediction for each input, in the same order.

        Takes a list of texts, or of pairs for a release that was made on pairs. An empty list gives
        an empty one. Raises TypeError naming the index of what is not a text.
        """
        labels = self.release.labels
        probabilities = softmax(self.logits(texts, batch_size))
        best = probabilities.argmax(axis=1).tolist()
        return [
            Prediction(labels[i], row[i], dict(zip(labels, row, strict=True)))
            for i, row in zip(best, probabilities.tolist(), strict=True)
        ]

    def logits(self, texts: Sequence[Text], batch_size: int = 32) -> Floats:
        """The model's raw scores, float32 [texts, labels], in the order of `texts`.

        `batch_size` is the most inputs that share a batch. Raises as calling it does.
        """
        self._check(texts, batch_size)
        if len(texts) == 1:
            return self._run(self._session, self._encode(texts))
        found = np.empty((len(texts), len(self.release.labels)), np.float32)
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            part = slice(start, start + TEXTS_AT_ONCE)
            self._fill(found[part], self._encode(texts[part]), batch_size)
        return found

    def _fill(self, found: Floats, encodings: list[Encoding], batch_size: int) -> None:
        """One thread a batch beats all threads on one batch: small products don't divide well."""
        lengths = [len(encoding) for encoding in encodings]
        fair = -(-len(lengths) // self.threads)
        batches = plan_batches(lengths, min(batch_size, fair))
        pool = self._workers()

        def work(rows: list[int]) -> None:
            found[rows] = self._run(pool.session, [encodings[row] for row in rows])

        if self.threads == 1 or len(batches) == 1:
            for rows in batches:
                work(rows)
        else:
            for _ in pool.threads.map(work, batches):
                pass

    def _run(self, session: Any, encodings: list[Encoding]) -> Floats:
        feeds = self._feeds(encodings)
        return session.run(self._outputs, feeds)[0]  # type: ignore[no-any-return]

    def _feeds(self, encodings: list[Encoding]) -> dict[str, Ints]:
        """The graph's inputs, [texts, tokens of the longest], padded as the release says."""
        longest = max(1, *map(len, encodings)) if len(encodings) > 1 else len(encodings[0]) or 1
        shape = (len(encodings), longest)
        columns = {
            "input_ids": np.full(shape, self.release.pad_id, np.int64),
            "attention_mask": np.zeros(shape, np.int64),
            "token_type_ids": np.zeros(shape, np.int64),
        }
        right = self.release.pad_side == "right"
        for row, encoding in enumerate(encodings):
            length = len(encoding)
            place = slice(0, length) if right else slice(longest - length, longest)
            columns["input_ids"][row, place] = encoding.ids
            columns["attention_mask"][row, place] = 1
            if self.release.pairs:
                columns["token_type_ids"][row, place] = encoding.type_ids
        return {name: columns[name] for name in self.release.inputs}

    def _encode(self, texts: Sequence[Text]) -> list[Encoding]:
        if self._masker is not None:
            texts = [_masked(self._masker, text) for text in texts]
        if len(texts) == 1:
            text = texts[0]
            encode = self._tokenizer.encode
            return [encode(text) if isinstance(text, str) else encode(*text)]
        return self._tokenizer.encode_batch_fast(list(texts))

    def _check(self, texts: Sequence[Text], batch_size: int) -> None:
        if isinstance(texts, str):
            raise TypeError(f"takes a list of texts, got one text: write [{texts[:20]!r}]")
        if batch_size < 1:
            raise ValueError(f"batch_size: got {batch_size}; takes at least 1")
        for index, text in enumerate(texts):
            if self.release.pairs:
                fits = isinstance(text, tuple) and len(text) == 2
                fits = fits and all(isinstance(part, str) for part in text)
            else:
                fits = isinstance(text, str)
            if not fits:
                takes = "a pair of texts" if self.release.pairs else "a text"
                raise TypeError(f"texts[{index}]: got {_shown(text)}; this release takes {takes}")

    def _workers(self) -> _Pool:
        """Made when first needed: who only asks for one text at a time never pays for it."""
        with self._lock:
            if self._pool is None:
                alone = self.threads == 1
                options = self.release.session
                session = self._session if alone else _load_session(self._model, options, 1)
                self._pool = _Pool(session, ThreadPoolExecutor(self.threads, "predictor"))
            return self._pool


class _Pool(NamedTuple):
    session: Any
    threads: ThreadPoolExecutor


def plan_batches(lengths: Sequence[int], batch_size: int) -> list[list[int]]:
    """Rows that share a batch: of similar length, at most `batch_size` and TOKENS_AT_ONCE.

    The longest come first, so that the last worker to finish has little left to do.
    """
    batches: list[list[int]] = []
    for row in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
        if batches:
            rows = batches[-1]
            tokens = lengths[rows[0]] * (len(rows) + 1)
            if len(rows) < batch_size and tokens <= TOKENS_AT_ONCE:
                rows.append(row)
                continue
        batches.append([row])
    return batches


def softmax(logits: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Probabilities over the last axis, float64."""
    wide = logits.astype(np.float64)
    powers = np.exp(wide - wide.max(axis=-1, keepdims=True))
    found: npt.NDArray[np.float64] = powers / powers.sum(axis=-1, keepdims=True)
    return found


def _load_tokenizer(path: Path, max_length: int) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing narrower
        raise BadInput(f"{path} is not a tokenizer: {error}") from None
    side = (tokenizer.truncation or {}).get("direction", "right")
    tokenizer.enable_truncation(max_length, direction=side)
    tokenizer.no_padding()
    return tokenizer


def _load_masker(card: Path, kinds: Sequence[str]) -> Masker | None:
    try:
        return Masker(kinds) if kinds else None
    except BadInput as error:
        raise BadInput(f"{card}: {error}") from None


def _masked(masker: Masker, text: Text) -> Text:
    if isinstance(text, str):
        return masker(text)[0]
    first, second = text
    return masker(first)[0], masker(second)[0]


def _load_session(path: Path, settings: Session, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = LEVELS[settings.optimisation]
    options.log_severity_level = ERRORS_ONLY
    spinning = "1" if settings.spinning else "0"
    options.add_session_config_entry("session.intra_op.allow_spinning", spinning)
    for key, value in settings.config.items():
        options.add_session_config_entry(key, value)
    try:
        return onnxruntime.InferenceSession(
            str(path), options, ["CPUExecutionProvider"], disabled_optimizers=settings.disabled
        )
    except Exception as error:  # the library's own exceptions share no base class
        why = " ".join(str(error).split())
        raise BadInput(f"{path}: ONNX Runtime can't load it: {why}") from None


def _shown(text: object) -> str:
    return repr(text) if text is None or isinstance(text, int | float) else type(text).__name__
