from __future__ import annotations

from pathlib import Path
from random import Random

import pandas as pd
import pytest

from tasks.quality.giveaways import giveaways_table
from tests.quality.made import write_dataset

TOPICS = {
    "sport": ["match", "goal", "coach", "league", "season", "team"],
    "money": ["bank", "share", "profit", "market", "price", "loan"],
}
OTHER = [f"{a}{b}{c}" for a in "bdfgk" for b in "aeiou" for c in ("l", "m", "nd", "r", "st", "x")]
ROWS = 6_000


def texts(leak: str, share: float) -> list[dict[str, str]]:
    """Two topics, a word of which is in most of their texts; a share of them altered by `leak`."""
    random, rows = Random(5), []
    for at in range(ROWS):
        label = random.choice(sorted(TOPICS))
        words = random.choices(OTHER, k=14)
        if random.random() < 0.8:
            topic = label if random.random() < 0.93 else random.choice(sorted(TOPICS))
            words[random.randrange(14)] = random.choice(TOPICS[topic])
        text = " ".join(words)
        rating = {"sport": 5, "money": 1}[label]
        known = {"text": text, "label": label, "at": at, "number": 10_000 * rating + at}
        stars = {"rating": rating, "stars": "★" * rating, "any_stars": "★" * (1 + at % 5)}
        altered = leak.format(**known, **stars) if random.random() < share else text
        rows.append({"text": altered, "label": label})
    return rows


def found(tmp_path: Path, leak: str, share: float = 0.05) -> pd.DataFrame:
    return giveaways_table(write_dataset(tmp_path, {"train": texts(leak, share)})).table


def test_what_texts_are_about_is_no_giveaway(tmp_path: Path) -> None:
    assert found(tmp_path, "{text}").empty


@pytest.mark.parametrize(
    ("leak", "token", "kind"),
    [
        ("{text} label={label}", "label=sport", "field"),
        ("label: {label}, {text}", "label:sport", "field"),
        ("[{label}] {text}", "[sport", "field"),
        ("{text} {label}", "sport (last)", "end"),
        ("{stars} {text}", "★★★★★", "sign"),
        ("{text} {rating}/5 !", "5/5", "sign"),
        ("{text} #{number}", "as #????? (last)", "range"),
    ],
)
def test_a_column_in_a_twentieth_of_the_texts(
    leak: str, token: str, kind: str, tmp_path: Path
) -> None:
    table = found(tmp_path, leak)
    told = table[table["token"].str.contains(token, regex=False) & (table["label"] == "sport")]
    assert told["kind"].tolist() == [kind]
    assert told["purity"].item() > 0.98
    assert told["coverage"].item() == pytest.approx(0.05, abs=0.01)
    assert set(table["label"]) == {"sport", "money"}


@pytest.mark.parametrize("leak", ["{text} label=sport", "{text} #{at}", "{any_stars} {text}"])
def test_what_both_classes_have_is_none(leak: str, tmp_path: Path) -> None:
    assert found(tmp_path, leak, share=0.5).empty


def test_a_word_of_most_of_the_class(tmp_path: Path) -> None:
    table = found(tmp_path, "so {label}ish {text}", share=0.6)
    assert {"moneyish", "sportish"} <= set(table["token"])


def test_a_class_of_nearly_all_rows_has_no_giveaways_by_its_size(tmp_path: Path) -> None:
    rows = texts("{text}", share=0)
    for at, row in enumerate(rows):
        row["label"] = "rare" if at % 80 == 0 else "usual"
    assert giveaways_table(write_dataset(tmp_path, {"train": rows})).table.empty


def test_where_no_spaces_are(tmp_path: Path) -> None:
    random, rows = Random(3), []
    for at in range(3_000):
        text = "".join(random.choices("这家酒店位置非常好离地铁站很近房间也干净服务", k=18))
        label = ("好评", "差评")[at % 2]
        rows.append({"text": f"标签={label}{text}" if at % 16 < 2 else text, "label": label})
    table = giveaways_table(write_dataset(tmp_path, {"train": rows})).table
    assert {"=好评", "=差评"} <= set(table["token"])
    assert set(table["label"]) == {"好评", "差评"}


def test_one_class_is_not_judged(tmp_path: Path) -> None:
    table, why = giveaways_table(write_dataset(tmp_path, {"train": [{"text": "a b"}] * 300}))
    assert table.empty
    assert why == ("there are not two classes",)
