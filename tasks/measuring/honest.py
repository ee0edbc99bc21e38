"""Two rows that keep everyone honest: what can be had without a transformer at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from tasks.measuring.contender import Text

MAJORITY = "majority class"
TFIDF = "TF-IDF + logistic regression"
IDEOGRAPHS = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
TOKEN = rf"[{IDEOGRAPHS}]|[^\W{IDEOGRAPHS}]+"
"""A word, or one character of a script that writes none apart."""
MOST_FEATURES = 100_000
STRENGTHS = (1.0, 10.0)
"""Inverse regularisations tried; validation chooses."""


def majority(train: Sequence[str], count: int) -> list[str]:
    """The most frequent training label, `count` times; the first in the alphabet on a tie."""
    seen = Counter(sorted(train))
    return [seen.most_common(1)[0][0]] * count


def tfidf(
    train: tuple[Sequence[Text], Sequence[str]],
    validation: tuple[Sequence[Text], Sequence[str]],
    test: Sequence[Text],
) -> tuple[list[str], list[str]]:
    """TF-IDF of words and word pairs with logistic regression.

    Fitted on `train` (texts, labels), its regularisation chosen on `validation`; returns the
    labels it predicts for the validation and the test texts.
    """
    fitted = [_fit(train, strength) for strength in STRENGTHS]
    texts = _joined(validation[0])
    best = max(fitted, key=lambda model: model.score(texts, validation[1]))
    return best.predict(texts).tolist(), best.predict(_joined(test)).tolist()


def _fit(train: tuple[Sequence[Text], Sequence[str]], strength: float) -> Any:
    words = TfidfVectorizer(
        token_pattern=TOKEN, ngram_range=(1, 2), sublinear_tf=True, max_features=MOST_FEATURES
    )
    model = make_pipeline(words, LogisticRegression(C=strength, max_iter=1000))
    return model.fit(_joined(train[0]), train[1])


def _joined(texts: Sequence[Text]) -> list[str]:
    return [text if isinstance(text, str) else "\n".join(text) for text in texts]
