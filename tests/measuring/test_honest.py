from __future__ import annotations

from tasks.measuring.honest import majority, tfidf


def test_majority_is_the_most_frequent_and_on_a_tie_the_first() -> None:
    assert majority(["b", "a", "b"], 2) == ["b", "b"]
    assert majority(["b", "a"], 1) == ["a"]


def test_tfidf_learns_words() -> None:
    train = (["fine film", "good film", "dull film", "bad film"] * 5, ["+", "+", "-", "-"] * 5)

    validation, test = tfidf(train, (["good", "bad"], ["+", "-"]), ["so dull", ("a", "fine one")])

    assert validation == ["+", "-"]
    assert test == ["-", "+"]


def test_tfidf_learns_a_script_without_spaces() -> None:
    train = (["电影很好看", "真的好看", "电影很难看", "真的难看"] * 5, ["+", "+", "-", "-"] * 5)

    assert tfidf(train, (["好看"], ["+"]), ["这部难看", "这部好看"])[1] == ["-", "+"]
