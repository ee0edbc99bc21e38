from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from tasks.data.normalise import normalise, position, side, text_digest
from tasks.data.splits import (
    CONTRADICTION,
    DUPLICATE,
    LEAK,
    REPEATED,
    TEST,
    TRAIN,
    UNLABELLED,
    VALIDATION,
    Assignment,
    Digests,
    assign,
    assign_unlabelled,
    first_of,
    given_side,
)
from tasks.stage.errors import BadInput


def digests(texts: list[str]) -> Digests:
    return Digests.of(b"".join(text_digest([text]) for text in texts))


def assigned(
    texts: list[str],
    labels: str,
    given: list[int] | None = None,
    salt: str = "salt",
    starts: list[int] | None = None,
) -> Assignment:
    codes = np.array([ord(label) for label in labels], np.int32)
    sides = None if given is None else np.array(given, np.int8)
    begins = None if starts is None else np.array(starts)
    return assign(digests(texts), codes, sides, salt, validation=0.2, test=0.2, starts=begins)


def fates(
    texts: list[str], labels: str, given: list[int] | None = None, salt: str = "salt"
) -> list[int]:
    found: list[int] = assigned(texts, labels, given, salt).fate.tolist()
    return found


def test_what_a_reader_would_call_the_same_text_is_the_same() -> None:
    assert normalise("  Ｆine\u00a0 STRASSE ") == normalise("fine straße")
    assert text_digest(["a", "b"]) != text_digest(["b", "a"]) != text_digest(["a b"])


def test_the_normaliser_and_the_hash_never_change_unnoticed() -> None:
    digest = text_digest(["The Rock is destined"])
    assert digest.hex() == "d3ca09aaad7d90db61cf162582daf685"
    assert position(digest, "nightshift") == pytest.approx(0.00353261451715825, abs=1e-12)


def test_an_example_never_changes_sides_as_data_grow() -> None:
    texts = [f"text number {n}" for n in range(400)]
    old = fates(texts[100:200], "ab" * 50)
    grown = fates(texts[::-1], "ba" * 200)

    assert grown[::-1][100:200] == old
    assert {TRAIN, VALIDATION, TEST} == set(grown)


def test_shares_are_as_asked_and_another_salt_is_another_split() -> None:
    texts = [f"text number {n}" for n in range(4000)]
    split = fates(texts, "a" * 4000)
    counts = Counter(split)

    assert 0.17 < counts[TEST] / 4000 < 0.23
    assert 0.17 < counts[VALIDATION] / 4000 < 0.23
    agreement = sum(a == b for a, b in zip(split, fates(texts, "a" * 4000, salt="x"), strict=True))
    assert agreement / 4000 < 0.6  # 0.44 is chance


def test_a_larger_test_share_takes_more_and_gives_nothing_back() -> None:
    places = [n / 100 for n in range(100)]
    small = {place for place in places if side(place, 0.1, 0.1) == "test"}
    large = {place for place in places if side(place, 0.1, 0.3) == "test"}
    assert small < large


def test_repetitions_are_dropped_and_contradictions_altogether() -> None:
    found = fates(["one", "ONE ", "two", "three", "three", "three"], "aabaab")

    assert found[0] in (TRAIN, VALIDATION, TEST)
    assert found[1] == DUPLICATE
    assert found[3:] == [CONTRADICTION] * 3


def test_given_splits_stay_and_train_gives_way_to_test() -> None:
    given = [TRAIN, TRAIN, VALIDATION, VALIDATION, TEST, TEST]
    assert fates(["a", "b", "b", "c", "c", "a"], "xxxxxx", given) == [
        LEAK,
        LEAK,
        VALIDATION,
        LEAK,
        TEST,
        TEST,
    ]


def test_a_dropped_row_knows_the_one_that_is_kept() -> None:
    given = [TRAIN, TRAIN, TEST, TRAIN, TEST]
    found = assigned(["a", "a", "a", "b", "a"], "xxxxx", given)

    assert found.keeper.tolist() == [2, 2, 2, 3, 2]
    assert found.fate.tolist()[:3] == [LEAK, DUPLICATE, TEST]
    assert found.fate.tolist()[4] == DUPLICATE


def test_a_row_of_an_earlier_file_is_repeated_and_one_of_its_own_a_duplicate() -> None:
    found = assigned(["a", "a", "b", "a", "b", "c", "c"], "xxxxxxx", starts=[0, 3, 7])

    assert found.fate[[1, 3, 4, 6]].tolist() == [DUPLICATE, REPEATED, REPEATED, DUPLICATE]


def test_the_first_row_like_it_is_told_by_all_16_bytes() -> None:
    same_start = [bytes(8) + bytes([number] * 8) for number in (2, 1, 2, 3, 1)]
    assert first_of(Digests.of(b"".join(same_start))).tolist() == [0, 1, 0, 3, 1]
    assert first_of(Digests.of(b"")).tolist() == []


def test_unlabelled_texts_are_kept_once_and_never_beside_a_labelled_one() -> None:
    labelled, texts = ["a", "b"], ["b", "c", "C", "d", "c"]
    found = assign_unlabelled(digests(texts), digests(labelled), np.array([0, 2, 5, 7]))
    assert found.tolist() == [REPEATED, UNLABELLED, DUPLICATE, UNLABELLED, REPEATED]


def test_without_a_given_validation_split_train_gives_some() -> None:
    texts = [f"text {n}" for n in range(200)]
    found = fates(texts, "a" * 200, [TRAIN] * 150 + [TEST] * 50)

    assert set(found[:150]) == {TRAIN, VALIDATION}
    assert set(found[150:]) == {TEST}


@pytest.mark.parametrize("name", ["val", "dev", " Valid", "VALIDATION"])
def test_spellings_of_validation(name: str) -> None:
    assert given_side(name, "here") == VALIDATION


def test_an_unknown_split_is_found_by_file_and_row() -> None:
    with pytest.raises(BadInput, match=r"a\.csv, row 7: 'holdout' is no split; takes train"):
        given_side("holdout", "a.csv, row 7")


@pytest.mark.parametrize("seed", range(3))
def test_a_text_of_two_tasks_is_on_one_side_by_hash_and_by_given_splits(seed: int) -> None:
    words = [f"text {n}" for n in range(100)]
    same = digests([f"{task} {word}" for task in ("one", "two") for word in words])
    texts = digests(words * 2)
    given = np.random.default_rng(seed).choice([TRAIN, VALIDATION, TEST], 200).astype(np.int8)
    for sides in (None, given, np.where(given == VALIDATION, TRAIN, given)):
        labels = np.zeros(200, np.int32)
        found = assign(same, labels, sides, "salt", 0.2, 0.2, texts=texts).fate
        both = [
            (one, two) for one, two in found.reshape(2, 100).T.tolist() if LEAK not in (one, two)
        ]
        assert len(both) > 10
        assert all(one == two for one, two in both)
        if sides is None:
            assert LEAK not in found
        else:
            assert np.array_equal(found == LEAK, sides < np.tile(sides.reshape(2, 100).max(0), 2))
