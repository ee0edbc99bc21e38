from __future__ import annotations

from tasks.measuring.honest import honest_rows
from tasks.task.classification import Classification


def test_a_row_for_each_simple_model_scored_on_both_splits() -> None:
    texts = ["a fine film", "a dull film", "a fine plot"] * 4
    train = texts, ["+", "-", "+"] * 4
    test = ["fine", "dull"], ["+", "-"]

    majority, tfidf = honest_rows(Classification(("+", "-")), train, test, test, seed=1)

    assert (majority.key, majority.name, majority.test.figure) == (
        "majority",
        "majority class",
        0.5,
    )
    assert (tfidf.key, tfidf.validation.figure, tfidf.test.figure) == ("tfidf", 1, 1)
    assert tfidf.test.drop == 0
