from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tasks.quality.near_duplicates import Repetition, repetition_table
from tests.quality.made import write_dataset

WORDS = [f"{a}{b}{c}" for a in "bdfgk" for b in "aeiou" for c in ("l", "m", "nd", "r", "st", "x")]


def sentences(count: int, seed: int, words: int = 30) -> list[list[str]]:
    random = Random(seed)
    return [random.choices(WORDS, k=words) for _ in range(count)]


def changed(words: Sequence[str], places: int) -> str:
    """Each of these words is another one now: a change of 1 leaves 29 of 31 pairs, 6 leave 18."""
    return " ".join(
        "changed" if at % 5 == 2 and at < 5 * places else w for at, w in enumerate(words)
    )


def looked_for(tmp_path: Path, most: int = 1_000, **splits: list[Any]) -> Repetition:
    rows = {
        name: [row if isinstance(row, dict) else {"text": row} for row in found]
        for name, found in splits.items()
    }
    return repetition_table(write_dataset(tmp_path, rows), most)


def shares(found: Repetition) -> dict[str, float]:
    return dict(zip(found.table["id"], found.table["share"], strict=True))


def test_texts_with_a_word_changed_are_found_on_the_other_side(tmp_path: Path) -> None:
    train = sentences(3_000, seed=1)
    test = [changed(words, 1) for words in train[:50]] + [changed(w, 6) for w in train[50:100]]
    validation = [" ".join(words) for words in sentences(50, seed=2)] + [f"{test[0]} indeed"]
    found = looked_for(
        tmp_path, train=[" ".join(words) for words in train], test=test, validation=validation
    )

    assert shares(found) == {
        "test ~ train": 0.5,
        "validation ~ train": pytest.approx(1 / 51, abs=1e-6),
        "test ~ validation": 0.01,
    }
    (pair,) = [pair for pair in found.pairs if pair["between"] == "test ~ validation"]
    assert [side["id"] for side in pair["sides"]] == ["test-0", "validation-50"]
    assert pair["similarity"] > 0.8
    assert found.not_judged == ("newest ~ earlier nights: there are no rows on both",)


def test_the_similarity_is_the_true_one(tmp_path: Path) -> None:
    text = "one two three four five six seven eight nine ten eleven"  # ten pairs of words
    found = looked_for(tmp_path, train=[text], test=[f"{text} twelve", "what is this text about"])
    assert found.pairs[0]["similarity"] == pytest.approx(10 / 11, abs=1e-4)
    assert found.table["rows"][0] == 1
    assert found.table["looked_at"][0] == 2


def test_the_newest_night_is_held_against_the_earlier_ones(tmp_path: Path) -> None:
    old, new = sentences(200, seed=1), sentences(60, seed=2)
    nights = [{"text": " ".join(words), "date": "2026-01-01"} for words in old]
    nights += [{"text": changed(words, 1), "date": "2026-01-02"} for words in old[:40]]
    nights += [{"text": " ".join(words), "date": "2026-01-02"} for words in new]
    found = looked_for(tmp_path, train=nights, test=["nothing like the others at all"])

    assert shares(found)["newest ~ earlier nights"] == 0.4
    assert {side["id"] for pair in found.pairs for side in pair["sides"][1:]} <= {
        f"train-{at}" for at in range(200)
    }


def test_of_a_large_side_the_ids_choose_some(tmp_path: Path) -> None:
    train = sentences(400, seed=1)
    test = [changed(words, 1) for words in train[:200]]
    test += [" ".join(words) for words in sentences(200, seed=2)]
    rows = {"train": [" ".join(words) for words in train], "test": test}
    some, same = (looked_for(tmp_path, most=100, **rows) for _ in range(2))

    assert some.table["looked_at"][0] == 100
    assert some.table["share"][0] == pytest.approx(0.5, abs=0.15)
    assert some.table.equals(same.table)
    assert some.pairs == same.pairs


def test_many_copies_of_one_text_are_all_found(tmp_path: Path) -> None:
    """More rows share a key than are tried for one row; each is found all the same."""
    text = " ".join(sentences(1, seed=3)[0])
    train = [f"{text} {word}" for word in WORDS[:40]]
    found = looked_for(tmp_path, train=train, test=[f"{text} {word}" for word in WORDS[40:100]])
    assert found.table["share"][0] == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("这家酒店的位置非常好房间也很干净服务", "这家酒店的位置非常好房间也很干净服"),
        ("Der Film war LANG, aber gut; zu LAUT", "der film war lang aber gut zu laut"),
        ("โรงแรมนี้อยู่ใกล้สถานีรถไฟฟ้าและสะอาดมาก", "โรงแรมนี้อยู่ใกล้สถานีรถไฟฟ้าและสะอาดมากๆ"),
    ],
)  # fmt: skip
def test_other_scripts(one: str, other: str, tmp_path: Path) -> None:
    others = [" ".join(words) for words in sentences(20, seed=1)]
    assert looked_for(tmp_path, train=[*others, one], test=[other]).table["rows"][0] == 1


def test_the_second_text_of_a_pair_counts(tmp_path: Path) -> None:
    question = "what is the capital of this country"
    answers = [" ".join(words) for words in sentences(2, seed=1)]
    first, second = ({"text": question, "text_pair": answer} for answer in answers)
    assert looked_for(tmp_path, train=[first], test=[second]).table["rows"][0] == 0
    assert looked_for(tmp_path, train=[first], test=[first]).table["rows"][0] == 1


def test_texts_too_short_to_tell_are_not_found(tmp_path: Path) -> None:
    found = looked_for(tmp_path, train=["very good", "!!!", ""], test=["very good !", "...", " "])
    assert found.table["rows"].tolist() == [0]
    assert found.table["start"].tolist() == ["none"]
    assert "test ~ validation: there are no rows on both" in found.not_judged


def test_very_many_texts_of_one_form_are_not_all_compared(tmp_path: Path) -> None:
    """Each shares most of its words with every other, none enough: that takes time in vain."""
    random = Random(1)
    form = "the price of {} in the town of {} rose by {} percent on the first day of {} this year"
    texts = [form.format(*random.choices(WORDS, k=4)) for _ in range(3_000)]
    found = looked_for(tmp_path, train=texts[:2_800], test=texts[2_800:])
    assert "rows look like very many others" in found.not_judged[-1]
    assert found.table["share"][0] < 0.1
