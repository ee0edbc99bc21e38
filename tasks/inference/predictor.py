"""Text in, answer out: a release folder served by ONNX Runtime and `tokenizers`, nothing else.

`Predictor.load("models/release")(["a fine film"])[0].label`
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tokenizers import Encoding

from tasks.inference.batching import plan_batches
from tasks.inference.exits import flat
from tasks.inference.loading import load_masker, load_session, load_tokenizer
from tasks.inference.release import CARD, TOKENIZER, Release, graph_of, verify
from tasks.inference.remote import find_release
from tasks.inference.words import Read, Words
from tasks.masking import Masker
from tasks.stage.cores import cores
from tasks.task.answers import Entity, Floats, Ints, Prediction
from tasks.task.pieces import joined, windows

__all__ = ["Entity", "Prediction", "Predictor", "Text"]

TEXTS_AT_ONCE = 4096
"""Texts that are tokenised and sorted together; bounds the memory that a long list takes."""

Text = str | tuple[str, str]


class Predictor:
    """A loaded release. Safe to call from many threads; keeps nothing between calls.

    The figures of an int8 release depend a little on what shares a batch (ONNX Runtime scales a
    whole batch's activations together): equal lists give equal results, an input on its own may
    differ in the third decimal.

    Personal data are masked before anything else when the release says so, as they were in what it
    learned from. Where an entity lies is said in characters of the text as it was given or, where
    something in it was masked, of the masked text.
    """

    def __init__(self, release: Release, folder: Path, threads: int | None = None) -> None:
        self.release = release
        self.task = release.answers
        self.threads = threads or release.session.threads or cores()
        self._per_token = self.task.per_token
        stride = release.stride if self._per_token else None
        self._tokenizer = load_tokenizer(folder / TOKENIZER, release.max_length, stride)
        alone = not (self._per_token or release.pairs)
        self._words = Words.of(self._tokenizer) if alone else None
        self._masker = load_masker(folder / CARD, release.mask)
        self._model = graph_of(folder)
        self._exits = self.task.exits
        self._outputs = list(self._exits)
        self._alone = min(release.session.alone or self.threads, self.threads)
        self._session = self._open(self._alone)
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

    @property
    def runs_on(self) -> str:
        """Whose operators answer: ONNX Runtime's execution provider, or `OpenVINO`."""
        if self.release.session.runtime == "openvino":
            return "OpenVINO"
        return str(self._session.get_providers()[0])

    def __call__(self, texts: Sequence[Text], batch_size: int = 32) -> list[Any]:
        """A Prediction for each input, in the same order; of several tasks, a dict of one a task.

        Takes a list of texts, or of pairs for a release that was made on pairs. An empty list gives
        an empty one. A long text is cut where training cut it, or read to its end in windows by a
        task that labels tokens. Raises TypeError naming the index of what is not a text.
        """
        self._check(texts, batch_size)
        found: list[Any] = []
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            part = self._read(texts[start : start + TEXTS_AT_ONCE])
            found += self._meaning(part, self._answer(part.windows, batch_size))
        return found

    def logits(self, texts: Sequence[Text], batch_size: int = 32) -> Floats:
        """The model's raw scores, float32 [texts, outputs], in the order of `texts`.

        Of a task that labels tokens [tokens, outputs]: the windows of a text one after the other,
        all their tokens, special ones and shared ones included. `batch_size` is the most inputs
        that share a batch. Raises as calling it does.
        """
        self._check(texts, batch_size)
        parts = [
            self._answer(self._read(texts[start : start + TEXTS_AT_ONCE]).windows, batch_size)
            for start in range(0, len(texts), TEXTS_AT_ONCE)
        ]
        if len(parts) == 1:
            return parts[0]
        return np.concatenate([np.empty((0, len(self.task.outputs)), np.float32), *parts])

    def feeds(self, texts: Sequence[Text]) -> dict[str, Ints]:
        """What the graph is given for `texts` in one batch, by input: int64 [windows, tokens]."""
        self._check(texts, 1)
        return self._feeds(self._read(texts).windows)

    def meaning(self, texts: Sequence[Text], logits: Floats) -> list[Any]:
        """What calling it says of `texts` whose `logits` these are."""
        return self._meaning(self._read(texts), logits)

    def _meaning(self, part: _Part, logits: Floats) -> list[Any]:
        if not self._per_token:
            return self.task.decode(logits)
        ends = np.cumsum(part.counts).tolist()
        pieces = [
            joined(windows(str(text), part.windows[end - count : end], self.release.stride))
            for text, count, end in zip(part.texts, part.counts, ends, strict=True)
        ]
        bounds = np.cumsum([0, *(len(place.first) for place in pieces)])
        return self.task.decode(logits, part.texts, pieces, bounds)

    def _answer(self, inputs: Sequence[Encoding | Read], batch_size: int) -> Floats:
        """The logits of some inputs: a row for each, or the rows of their tokens end to end."""
        if len(inputs) == 1:
            return self._run(self._session, inputs)
        lengths = [len(each) for each in inputs]
        bounds = np.cumsum([0, *lengths])
        size = int(bounds[-1]) if self._per_token else len(inputs)
        found = np.empty((size, len(self.task.outputs)), np.float32)
        # one thread a batch beats all threads on one batch: small products don't divide well
        fair = -(-len(lengths) // self.threads)
        most = 1 if self.release.fixed else min(batch_size, fair)
        batches = plan_batches(lengths, most)
        pool = self._workers()

        def work(rows: list[int]) -> None:
            places: Any = rows
            if self._per_token:
                places = np.concatenate([np.arange(bounds[r], bounds[r + 1]) for r in rows])
            found[places] = self._run(pool.session, [inputs[row] for row in rows])

        if self.threads == 1 or len(batches) == 1:
            for rows in batches:
                work(rows)
        else:
            for _ in pool.threads.map(work, batches):
                pass
        return found

    def _run(self, session: Any, encodings: Sequence[Encoding | Read]) -> Floats:
        outputs = session.run(self._outputs, self._feeds(encodings))
        if self._per_token:
            lengths = np.array([len(encoding) for encoding in encodings])
            return flat(outputs, self._exits, lengths, self.release.pad_side == "right")
        return outputs[0] if len(outputs) == 1 else np.concatenate(outputs, axis=1)

    def _feeds(self, encodings: Sequence[Encoding | Read]) -> dict[str, Ints]:
        """The graph's inputs, [inputs, tokens of the longest], padded as the release says."""
        longest = max(1, *map(len, encodings)) if len(encodings) > 1 else len(encodings[0]) or 1
        if self.release.fixed:
            longest = self.release.max_length
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

    def _read(self, texts: Sequence[Text]) -> _Part:
        if self._masker is not None:
            texts = [_masked(self._masker, text) for text in texts]
        if self._per_token:  # the fast way says nothing of where tokens lie
            encodings = self._tokenizer.encode_batch(list(texts))
            found = [[encoding, *encoding.overflowing] for encoding in encodings]
            return _Part(texts, [each for own in found for each in own], [*map(len, found)])
        if len(texts) == 1:
            return _Part(texts, [self._read_one(texts[0])])
        return _Part(texts, self._tokenizer.encode_batch_fast(list(texts)))

    def _read_one(self, text: Text) -> Encoding | Read:
        if not isinstance(text, str):
            return self._tokenizer.encode(*text)
        read = None if self._words is None else self._words.read(text)
        return self._tokenizer.encode(text) if read is None else read

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
                # ONNX Runtime's of one thread runs in its callers', as many as there are
                fits = self.threads == 1 or self.release.session.runtime == "onnxruntime"
                shared = fits and self._alone == 1
                session = self._session if shared else self._open(1, self.threads)
                self._pool = _Pool(session, ThreadPoolExecutor(self.threads, "predictor"))
            return self._pool

    def _open(self, threads: int, at_once: int = 1) -> Any:
        return load_session(self._model, self.release.session, threads, self._outputs, at_once)


class _Part(NamedTuple):
    """Some texts as the model gets them."""

    texts: Sequence[Text]
    windows: Sequence[Any]
    """What the graph is run on."""
    counts: list[int] = []  # noqa: RUF012 (never changed)
    """How many windows each text has; none where each has one."""


class _Pool(NamedTuple):
    session: Any
    threads: ThreadPoolExecutor


def _masked(masker: Masker, text: Text) -> Text:
    if isinstance(text, str):
        return masker(text)[0]
    first, second = text
    return masker(first)[0], masker(second)[0]


def _shown(text: object) -> str:
    return repr(text) if text is None or isinstance(text, int | float) else type(text).__name__
