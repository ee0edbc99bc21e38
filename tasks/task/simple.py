"""What can be had without a transformer: words counted, and a linear model or a lexicon of them."""

from __future__ import annotations

import re
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tasks.task.answers import Material, Pieces, Prediction
from tasks.task.base import Task

IDEOGRAPHS = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
TOKEN = rf"[{IDEOGRAPHS}]|[^\W{IDEOGRAPHS}]+"
"""A word, or one character of a script that writes none apart."""
_TOKEN_OR_SIGN = re.compile(rf"{TOKEN}|[^\w\s]")
MOST_FEATURES = 100_000
STRENGTHS = (1.0, 10.0)
"""Inverse regularisations tried; validation chooses."""
LEAST_SHARE = 1e-9
"""In place of none at all, whose logarithm there is not."""

Answers = tuple[list[Prediction], list[Prediction]]
"""To the validation and to the test texts."""


def classes(task: Task, train: Material, validation: Material, test: Material) -> Answers:
    """TF-IDF of words and word pairs with logistic regression; of one class only, always that."""
    from sklearn.linear_model import LogisticRegression

    if len({*train[1]}) == 1:
        usual = task.usual(train[1])
        return [usual] * len(validation[0]), [usual] * len(test[0])

    def model(strength: float) -> Any:
        return LogisticRegression(C=strength, max_iter=1000)

    def answers(told: Any) -> list[Prediction]:
        return [task.said(label) for label in told.tolist()]

    return _tfidf(task, (train, validation, test), model, list, answers)


def sets(task: Task, train: Material, validation: Material, test: Material) -> Answers:
    """As `classes`, a regression a class."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    def model(strength: float) -> Any:
        return OneVsRestClassifier(LogisticRegression(C=strength, max_iter=1000))

    def answers(told: Any) -> list[Prediction]:
        rows = (np.flatnonzero(row) for row in told)
        return [Prediction(labels=tuple(task.labels[at] for at in row)) for row in rows]

    return _tfidf(task, (train, validation, test), model, task.targets, answers)


def numbers(task: Task, train: Material, validation: Material, test: Material) -> Answers:
    """TF-IDF of words and word pairs with ridge regression."""
    from sklearn.linear_model import Ridge

    def model(strength: float) -> Any:
        return Ridge(alpha=1 / strength)

    def answers(told: Any) -> list[Prediction]:
        return task.decode(np.asarray(told, np.float32)[:, None])

    return _tfidf(task, (train, validation, test), model, task.targets, answers)


def lexicon(task: Task, train: Material, validation: Material, test: Material) -> Answers:
    """Each word gets the tag that it has most often in training; an unknown one has none."""
    seen: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for text, label in zip(*train, strict=True):
        words, pieces = _words(text)
        for word, tag in zip(words, task.targets([label], [pieces]).tolist(), strict=True):
            seen[word][tag] += 1
    rows = {word: _logits(counts, len(task.outputs)) for word, counts in seen.items()}
    unknown = _logits(Counter([0]), len(task.outputs))

    def answer(text: str) -> Prediction:
        words, pieces = _words(text)
        logits = np.array([rows.get(word, unknown) for word in words], np.float32)
        logits = logits.reshape(-1, len(task.outputs))
        bounds = np.array([0, len(words)], np.int64)
        found: Prediction = task.decode(logits, [text], [pieces], bounds)[0]
        return found

    return [answer(text) for text in validation[0]], [answer(text) for text in test[0]]


def _tfidf(
    task: Task,
    sides: tuple[Material, Material, Material],
    model: Callable[[float], Any],
    numbered: Callable[[Sequence[str]], Any],
    answers: Callable[[Any], list[Prediction]],
) -> Answers:
    """Fit on the first side for each of STRENGTHS, choose by the task's figure on the second.

    `numbered` makes of labels what the model learns, `answers` what it says into predictions.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer(
        token_pattern=TOKEN, ngram_range=(1, 2), sublinear_tf=True, max_features=MOST_FEATURES
    )
    train, validation, test = sides
    counted, wanted = words.fit_transform(_joined(train[0])), numbered(train[1])
    found: list[tuple[float, Answers]] = []
    for strength in STRENGTHS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of classes that every text has
            fitted = model(strength).fit(counted, wanted)
        told = [
            answers(fitted.predict(words.transform(_joined(texts)))) if texts else []
            for texts in (validation[0], test[0])
        ]
        figure = task.figure(task.evidence(validation[1], told[0]))
        found.append((figure, (told[0], told[1])))
    return max(found, key=lambda each: each[0])[1]


def _joined(texts: Sequence[Any]) -> list[str]:
    return [text if isinstance(text, str) else "\n".join(text) for text in texts]


def _words(text: str) -> tuple[list[str], Pieces]:
    found = [*_TOKEN_OR_SIGN.finditer(text)]
    spans = np.array([each.span() for each in found], np.int64).reshape(-1, 2)
    return [each.group() for each in found], Pieces(spans, np.ones(len(found), np.bool_))


def _logits(counts: Counter[int], outputs: int) -> Any:
    shares = np.full(outputs, LEAST_SHARE)
    for tag, count in counts.items():
        shares[tag] = count / counts.total()
    return np.log(shares).astype(np.float32)
