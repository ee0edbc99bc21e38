"""The gate with real releases, each in processes of its own, on a dataset as ingest leaves it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tasks.data.dataset import SCHEMA, write_table
from tasks.gate import REPORT, TEST, gate, print_verdict
from tasks.inference.release import CARD, MODEL, Release
from tasks.judging.contest import Rival
from tasks.params.gate import Gate
from tasks.stage.errors import BadInput
from tasks.stage.outputs import read_json
from tasks.task.regression import Regression
from tests.judging.made import OPINIONS, Weights, word_release
from tests.made import BAD, GOOD, opinions

QUICK = Gate(rounds=2, texts=5, threads=1, max_slowdown=None)  # 50 µs a text: only noise
CANDIDATE = Path("models/release")
CHANGES = ["labels", "drop, points", "not significantly worse, p", "total drop, points",
           "slices, points"]  # fmt: skip


@pytest.fixture(autouse=True)
def dataset(workspace: Path) -> None:
    """The opinions as the test split, from two sources."""
    write_dataset(opinions())


def write_dataset(rows: list[tuple[str, str]], task: str = "classification") -> None:
    columns: dict[str, list[Any]] = {name: [None] * len(rows) for name in SCHEMA.names}
    columns["id"] = [str(at) for at in range(len(rows))]
    columns["text"], columns["label"] = map(list, zip(*rows, strict=True))
    columns["task"] = [task] * len(rows)
    columns["source"] = [f"date=2026-11-0{at % 9 + 1}/{'ab'[at % 4 // 2]}.csv"
                         for at in range(len(rows))]  # fmt: skip
    write_table(pa.table(columns, schema=SCHEMA), TEST)


def forgetting(*words: str) -> Weights:
    """What the opinions' words say, without some of them: those texts are taken for bad."""
    return {word: row for word, row in OPINIONS.items() if word not in words}


def rival(version: str, folder: Path) -> Rival:
    return Rival(version, folder, Release.read(folder).digest, figure=0.9)


def production(weights: Weights = OPINIONS, version: str = "v1.0.0") -> Rival:
    return rival(version, word_release(Path(version), weights))


def check(report: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in report["checks"] if each["name"] == name)


def test_the_first_release_is_judged_alone_and_that_is_recorded(
    capsys: pytest.CaptureFixture[str],
) -> None:
    word_release(CANDIDATE)

    report = gate(QUICK, CANDIDATE, None, None, None)

    assert read_json(REPORT)["checks"] == report["checks"]
    assert (report["status"], report["verdict"], report["reasons"]) == ("ok", "blessed", [])
    assert report["waived"] == CHANGES
    assert report["champion"] is report["best"] is report["change"] is None
    assert report["candidate"]["figure"] == report["metrics"]["accuracy"] == 1
    print_verdict(report)
    told = capsys.readouterr().out
    assert "gate: blessed" in told
    assert "waived for want of a version: labels; drop, points; not sig" in told


def test_a_model_that_forgot_words_is_refused_with_every_reason() -> None:
    word_release(CANDIDATE, forgetting("superb", "tender"))  # 80 of 640 texts

    report = gate(QUICK, CANDIDATE, production(), None, None)

    assert report["verdict"] == "refused"
    drop, doubt, total, *of_slices = report["reasons"]
    assert drop == (
        "it loses 12.5 points against v1.0.0 on 640 test texts (100.00 → 87.50 %), "
        "gate.max_drop allows 0.5"
    )
    assert doubt.startswith("80 of 640 test texts only v1.0.0 gets right, 0 only the candidate")
    assert "the best ever promoted, gate.max_total_drop allows 1" in total
    assert "class good: it loses 25 points against v1.0.0 on 320 test texts" in of_slices[0]
    assert {each["kind"] for each in report["slices"]} == {"class", "length", "source"}
    assert report["waived"] == []
    assert report["champion"]["figure"] == 1
    assert report["champion"]["recorded_figure"] == 0.9
    low, high = report["change"]["drop_interval"]
    assert low < 12.5 < high
    assert read_json(REPORT)["reasons"] == report["reasons"]


def test_a_better_model_is_blessed() -> None:
    word_release(CANDIDATE)

    report = gate(QUICK, CANDIDATE, production(forgetting("superb")), None, None)

    assert (report["verdict"], report["waived"]) == ("blessed", [])
    assert report["metrics"]["drop"] == pytest.approx(-6.25)


def test_a_slow_leak_is_held_against_the_best_ever() -> None:
    """Each night within gate.max_drop and within chance, but not over many nights."""
    rows = [*opinions(), ("odd", "good"), ("strange", "good"), ("weird", "good")]
    write_dataset(rows)
    all_words = {**OPINIONS, **dict.fromkeys(("odd", "strange", "weird"), (0.0, 4.0))}
    best = production(all_words, "v1.0.0")
    champion = production({w: r for w, r in all_words.items() if w != "odd"}, "v1.7.0")
    word_release(CANDIDATE, {w: r for w, r in all_words.items() if w not in ("odd", "weird")})
    section = QUICK.model_copy(update={"max_total_drop": 0.3})

    report = gate(section, CANDIDATE, champion, best, None)

    assert report["reasons"] == [
        "it loses 0.311 points against v1.0.0 on 643 test texts (100.00 → 99.69 %), "
        "the best ever promoted, gate.max_total_drop allows 0.3"
    ]
    assert check(report, "drop, points")["observed"] == pytest.approx(100 / 643)


def test_the_model_in_production_again_is_nothing_new() -> None:
    champion = production()
    shutil.copytree(champion.folder, CANDIDATE)
    (CANDIDATE / MODEL).write_bytes(b"")  # to be seen if anything were loaded

    report = gate(QUICK, CANDIDATE, champion, None, None)

    assert report["verdict"] == "nothing new"
    assert report["reasons"] == ["it is v1.0.0, which is in production, bit for bit"]
    assert report["checks"] == []


def test_a_revoked_model_does_not_come_back() -> None:
    report = gate(QUICK, word_release(CANDIDATE), production(forgetting("tender")), None, "v1.4.0")

    assert report["verdict"] == "refused"
    assert report["reasons"] == ["it is v1.4.0 again, which a rollback revoked"]
    assert report["metrics"] == {}


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (CARD, "models/release is not a release: release.json is missing"),
        (MODEL, "model.onnx is missing"),
    ],
)
def test_a_candidate_that_can_not_be_loaded_is_refused_not_an_error(broken: str, told: str) -> None:
    word_release(CANDIDATE)
    (CANDIDATE / broken).unlink()

    report = gate(QUICK, CANDIDATE, production(), None, None)

    assert (report["status"], report["verdict"]) == ("ok", "refused")
    (reason,) = report["reasons"]
    assert reason.startswith("it can't serve: ")
    assert told in reason


def test_a_candidate_that_breaks_on_a_test_text_is_refused() -> None:
    word_release(CANDIDATE, {**OPINIONS, "camera": ()})

    report = gate(QUICK, CANDIDATE, production(), None, None)

    assert report["verdict"] == "refused"
    (reason,) = report["reasons"]
    assert reason.startswith("it can't serve: candidate broke while it was measured")


def test_a_champion_that_can_not_be_loaded_is_an_error_that_names_it() -> None:
    word_release(CANDIDATE)
    champion = production(forgetting("dull"), "v1.3.0")
    (champion.folder / MODEL).write_bytes(b"rubbish")

    with pytest.raises(BadInput, match=r"v1\.3\.0, which the candidate is held against, can't be"):
        gate(QUICK, CANDIDATE, champion, None, None)

    report = read_json(REPORT)
    assert report["status"] == "stopped"
    assert "verdict" not in report
    assert "model.onnx is not the file that was released" in report["reason"]


def test_golden_requests_of_ones_own(tmp_path: Path) -> None:
    word_release(CANDIDATE, forgetting("superb"))
    Path("golden.jsonl").write_text(
        '{"text": "a tender film", "label": "good"}\n{"text": "superb", "label": "good"}\n'
    )

    report = gate(QUICK.model_copy(update={"golden": "golden.jsonl"}), CANDIDATE, None, None, None)

    assert report["reasons"] == [
        "of 11 golden requests, golden.jsonl, line 2: answered bad, must be good"
    ]


def test_a_slow_model_is_refused() -> None:
    word_release(CANDIDATE, twist="slow")

    report = gate(
        QUICK.model_copy(update={"max_slowdown": 1.25}), CANDIDATE, production(), None, None
    )

    (reason,) = report["reasons"]
    assert "times as long as with v1.0.0" in reason
    assert reason.endswith("gate.max_slowdown allows 1.25")
    assert report["slowdown"]["interval"][0] > 1.25


def test_new_labels_need_a_new_major_version() -> None:
    labels = ("bad", "good", "mixed")
    word_release(CANDIDATE, {word: (*row, 0.0) for word, row in OPINIONS.items()}, labels)

    same = gate(QUICK, CANDIDATE, production(), None, None, major=1)
    new = gate(QUICK, CANDIDATE, production(), None, None, major=2)

    (reason,) = same["reasons"]
    assert "it answers with mixed, unlike v1.0.0: raise publish.major" in reason
    assert (new["verdict"], new["waived"]) == ("blessed", ["labels"])


RATED = {word: (float(at),) for at, word in enumerate([*BAD, *GOOD])}
"""What each of the opinions' words is worth."""


def write_ratings() -> Regression:
    """The opinions as ratings: what their one word is worth."""
    rows = [(text, repr(RATED[next(word for word in text.split() if word in RATED)][0]))
            for text, _ in opinions()]  # fmt: skip
    write_dataset(rows, "regression")
    return Regression.of([label for _, label in rows])


def test_ratings_out_of_order_are_refused() -> None:
    task = write_ratings()
    z = {word: ((value - task.mean) / task.deviation,) for word, (value,) in RATED.items()}
    champion = rival("v1.0.0", word_release(Path("v1.0.0"), z, task=task))
    word_release(CANDIDATE, {**z, "superb": z["dull"]}, task=task)

    report = gate(QUICK, CANDIDATE, champion, None, None)

    assert (report["verdict"], report["metric"]) == ("refused", "spearman")
    assert report["champion"]["figure"] == pytest.approx(1)
    change = report["change"]
    assert (change["lost"], change["test"]) == (None, "paired bootstrap")
    assert change["p_value"] == pytest.approx(1 / 1001)
    low, high = change["drop_interval"]
    assert 0 < low < change["drop"] < high
    assert report["metrics"]["champion_spearman"] == pytest.approx(1)
    assert report["reasons"][0].startswith("it loses ")
    assert " points against v1.0.0 on 640 test texts (1.000 → 0." in report["reasons"][0]
    assert {each["kind"] for each in report["slices"]} == {"length", "source"}


def test_the_same_ratings_are_blessed() -> None:
    task = write_ratings()
    z = {word: ((value - task.mean) / task.deviation,) for word, (value,) in RATED.items()}
    champion = rival("v1.0.0", word_release(Path("v1.0.0"), z, task=task))
    word_release(CANDIDATE, {word: (value + 0.001,) for word, (value,) in z.items()}, task=task)

    report = gate(QUICK, CANDIDATE, champion, None, None)

    assert (report["verdict"], report["reasons"]) == ("blessed", [])


def test_production_with_another_task_is_told_and_asked_nothing() -> None:
    task = write_ratings()
    word_release(CANDIDATE, RATED, task=task)

    report = gate(QUICK, CANDIDATE, production(), None, None, major=1)

    (reason,) = report["reasons"]
    assert reason.startswith("its task is regression, that of v1.0.0 is classification: raise")
    assert (report["change"], report["champion"].get("figure")) == (None, None)


def test_a_test_split_of_another_task_is_an_error_that_names_both() -> None:
    word_release(CANDIDATE)
    write_ratings()
    told = "the test split is of the task regression, the candidate of classification"
    with pytest.raises(BadInput, match=told):
        gate(QUICK, CANDIDATE, None, None, None)


def test_a_transformer_whose_labels_are_mixed_up_is_refused(tiny_release: Path) -> None:
    """The fixture's model has learnt nothing: what it says is taken for the truth."""
    from tasks.inference import Predictor

    texts = [text for text, _ in opinions()]
    said = [each.label or "" for each in Predictor.load(tiny_release, 1)(texts)]
    write_dataset(list(zip(texts, said, strict=True)))
    shutil.copytree(tiny_release, CANDIDATE)
    card = Release.read(CANDIDATE)
    Release(card.labels[::-1], card.max_length, card.inputs, "fp32", "finetuned").write(CANDIDATE)

    report = gate(QUICK, CANDIDATE, rival("v1.0.0", tiny_release), None, None)

    assert report["verdict"] == "refused"
    assert report["champion"]["figure"] == 1
    assert report["candidate"]["figure"] == 0
    assert check(report, "golden requests")["ok"]
    assert check(report, "labels")["ok"], "the set is the same: only the truth tells them apart"


def test_without_a_test_split_there_is_nothing_to_judge_on() -> None:
    TEST.unlink()
    with pytest.raises(BadInput, match=r"test\.parquet is missing: the gate judges on it"):
        gate(QUICK, CANDIDATE, None, None, None)
