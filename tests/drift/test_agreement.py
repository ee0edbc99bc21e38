from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tasks.data.dataset import Text
from tasks.drift.agreement import COLUMNS, Told, agreement_table, ask
from tasks.drift.portrait import portrait_of
from tasks.drift.table import Judged
from tasks.inference import Predictor
from tasks.measuring.confidence import right_and_wrong
from tasks.stage.errors import BadInput
from tests.drift.data import Row, record, records, rows, write_dataset
from tests.made import GOOD

OLD, NEW, LATER = "2026-01-01", "2026-01-02", "2026-01-03"
ACCURACY = 0.85


def told(_release: str, texts: Sequence[Text]) -> Told:
    """A model that reads the opinion off the text, and errs where its own dice say so."""
    labels, scores = [], []
    for text in texts:
        good = any(word in text for word in GOOD)
        dice = random.Random(repr(text))
        sure = dice.random() < 0.5
        right = dice.random() < (0.97 if sure else 2 * ACCURACY - 0.97)
        labels.append("good" if good == right else "bad")
        scores.append(0.97 if sure else 0.7)
    return Told(("bad", "good"), labels, scores)


def night(count: int, date: str, seed: int) -> list[Row]:
    """A night of texts that are no other's."""
    return [
        {**row, "text": f"{row['text']} {seed}-{at}"}
        for at, row in enumerate(rows(count, date, seed))
    ]


TEST = night(1000, OLD, 0)
REFERENCE = {
    "profile": {
        "newest": OLD,
        "answers": right_and_wrong(
            [row["label"] for row in TEST],
            list(zip(*told("", [row["text"] for row in TEST])[1:], strict=True)),
        ),
    },
    "release": "a release",
}


def flipped(row: Row) -> Row:
    return {**row, "label": "bad" if row["label"] == "good" else "good"}


def judged(content: list[Row], reference: dict[str, Any] = REFERENCE) -> Judged:
    return agreement_table(portrait_of(write_dataset(content), OLD).latest, reference, told)


@pytest.fixture(autouse=True)
def _folder(workspace: Path) -> None:
    pass


def test_clean_nights_agree_as_expected() -> None:
    found = judged(TEST + night(300, NEW, 1) + night(300, LATER, 2))
    assert list(found.table["id"]) == [NEW, LATER, "new"]
    assert tuple(found.table.columns) == COLUMNS
    assert found.table["rows"].tolist() == [300, 300, 600]
    for row in records(found):
        assert row["agreement"] == pytest.approx(row["expected"], abs=0.06)
        assert row["wrong"] == 0


def test_the_night_whose_labels_are_wrong_is_named() -> None:
    spoilt = [flipped(row) if at % 5 == 0 else row for at, row in enumerate(night(300, LATER, 2))]
    found = judged(TEST + night(300, NEW, 1) + spoilt)
    wrong = record(found, LATER)
    assert wrong["wrong"] == pytest.approx(0.2, abs=0.07)
    assert 0.05 < wrong["noise_at_least"] < 0.2
    assert wrong["start"].startswith("the night of 2026-01-03: ")
    assert record(found, NEW)["wrong"] == 0


def test_labels_shifted_by_a_row_agree_by_chance_alone() -> None:
    content = night(150, NEW, 1)
    labels = [row["label"] for row in content]
    moved = zip(content, labels[-1:] + labels[:-1], strict=True)
    found = record(judged(TEST + [{**row, "label": label} for row, label in moved]), NEW)
    assert found["agreement"] == pytest.approx(0.5, abs=0.12)
    assert found["wrong"] == pytest.approx(0.5, abs=0.15)


def test_labels_that_production_does_not_know_are_left_out() -> None:
    content = night(300, NEW, 1)
    strange = [{**row, "label": "mixed"} if at % 3 == 0 else row for at, row in enumerate(content)]
    found = record(judged(TEST + strange), "new")
    assert (found["rows"], found["wrong"]) == (200, 0)


def answers_missing() -> dict[str, Any]:
    return {**REFERENCE, "profile": {"newest": OLD}}


@pytest.mark.parametrize(
    ("reference", "content", "why"),
    [
        ({"profile": None, "release": None}, TEST, "no version is in production yet"),
        (answers_missing(), TEST, "no version is in production yet, or its answers"),
        (REFERENCE, TEST, "no row is dated after the newest one"),
        (REFERENCE, TEST + night(20, NEW, 1), "no night newer than production has 30 rows"),
    ],
)
def test_nothing_to_judge_is_told(reference: dict[str, Any], content: list[Row], why: str) -> None:
    found = judged(content, reference)
    assert found.table.empty
    assert found.not_judged[0].startswith(why)


def test_a_release_that_cannot_answer_is_told() -> None:
    found = agreement_table(
        portrait_of(write_dataset(TEST + night(50, NEW, 1)), OLD).latest,
        {**REFERENCE, "release": "nowhere"},
    )
    assert found.not_judged[0].startswith("production can't be asked: nowhere is not a release")


def test_a_real_release_is_asked_by_its_place(
    tiny_release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIGHTSHIFT_STORE", str(tmp_path / "store"))
    version = tmp_path / "store/registry/films/v1.0.0"
    version.parent.mkdir(parents=True)
    version.symlink_to(tiny_release)
    texts = ["the film is dull", "a funny plot"]
    wanted = [each.label for each in Predictor.load(tiny_release)(texts)]

    assert ask(str(tiny_release), texts).labels == wanted
    found = ask("store://registry/films/v1.0.0", texts)
    assert found.labels == wanted
    assert found.classes == ("bad", "good")
    assert all(0.5 <= score <= 1 for score in found.scores)


def test_texts_that_a_release_does_not_take_are_told(tiny_release: Path) -> None:
    with pytest.raises(BadInput, match=r"production can't be asked: .* this release takes a text"):
        ask(str(tiny_release), [("a text", "and another")])
