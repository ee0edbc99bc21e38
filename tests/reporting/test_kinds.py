"""The page of every kind of task: by what it is measured, and where the release goes wrong."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.reporting.evidence import read_evidence
from tasks.reporting.mistakes import MISSED, RIGHT, WRONG, Piece, mistakes
from tasks.reporting.page import write_page
from tasks.reporting.ratings import ratings
from tasks.reporting.summary import print_summary
from tasks.reporting.yardstick import yardstick
from tests.reporting import kinds_made
from tests.reporting.made import leave, reports
from tests.reporting.test_gate import judged
from tests.reporting.test_page import HOSTILE, drawings, read, said

Made = Callable[[], dict[str, dict[str, Any]]]


def page_of(found: dict[str, dict[str, Any]]) -> str:
    leave(Path(), found)
    page = write_page().read_text(encoding="utf-8")
    read(page)
    return page


@pytest.mark.parametrize(
    ("made", "metric", "shown", "drops"),
    [
        (kinds_made.multi_label, "micro-F1", "84.4 %", "points of micro-F1"),
        (kinds_made.regression, "Spearman correlation", "0.844", "points of Spearman correlation"),
        (kinds_made.entities, "entity F1", "84.4 %", "points of entity F1"),
        (kinds_made.several, "mean of the tasks", "0.844", "points of mean of the tasks"),
    ],
)
def test_a_kind_goes_by_its_own_metric(
    workspace: Path, capsys: pytest.CaptureFixture[str],
    made: Made, metric: str, shown: str, drops: str,
) -> None:  # fmt: skip
    page = page_of(made())
    text = said(page)
    assert f"A 2-layer int8 model: {metric} {shown} on test where the fine-tuned one has" in text
    assert f"reaches {metric}" in text
    assert drops in text
    assert "accuracy" not in said(page.partition('id="benchmark"')[0])
    print_summary()
    assert " ".join(capsys.readouterr().out.split()).count(metric) == 3


@pytest.mark.parametrize(
    ("made", "matrices"), [(kinds_made.entities, 0), (kinds_made.several, 2)]
)  # of several tasks one has classes that exclude each other, drawn wide and narrow
def test_only_exclusive_classes_have_a_confusion_matrix(
    workspace: Path, made: Made, matrices: int
) -> None:
    found = [drawing.get("aria-label") or "" for drawing in drawings(page_of(made()))]
    assert len([label for label in found if label.startswith("Confusion")]) == matrices


def test_what_is_no_share_is_not_written_in_per_cent(workspace: Path) -> None:
    benchmark = said(page_of(kinds_made.regression()).partition('<section id="benchmark">')[2])
    table = benchmark.partition("All contenders")[2].partition("Costs")[0]
    assert "test Spearman correlation Pearson correlation mean absolute error" in table
    assert "0.850 0.830–0.870" in table
    assert "%" not in table


def test_the_finer_metrics_of_a_kind_have_their_columns(workspace: Path) -> None:
    assert "test entity F1, % precision, % recall, % validation change" in said(
        page_of(kinds_made.entities())
    )


def test_several_tasks_are_told_one_by_one(workspace: Path) -> None:
    text = said(page_of(kinds_made.several()))
    table = text.partition("Task by task")[2].partition("Without a transformer")[0]
    assert "movies classification accuracy mean absolute error 43.2 % 85.00 % 84.37" in table
    assert "names entities entity F1" in table
    assert "75.00 % 74.37 %" in table
    assert "stars regression Spearman correlation mean absolute error 0.432 0.650 0.644" in table
    assert "movies: where the release goes wrong" in text
    assert "movies: its surest mistakes" in text
    assert "stars: its largest mistakes" in text
    assert "names: its largest mistakes" in text


def test_a_mistaken_set_of_labels_says_what_was_missed_and_what_was_wrong() -> None:
    (found,) = mistakes({"worst": kinds_made.LABELS})
    first, second = found.worst
    assert first.truth == [Piece("billing", RIGHT), Piece("login", MISSED)]
    assert first.told == [Piece("billing", RIGHT), Piece("refund", WRONG)]
    assert (second.truth, second.told) == ([Piece("none")], [Piece("login", WRONG)])
    assert (found.off, first.off) == ("wrong", "2")


def test_mistaken_entities_are_marked_in_the_text() -> None:
    (found,) = mistakes({"worst": kinds_made.SPANS})
    assert found.worst[0].truth == [
        Piece("Ada Lovelace", MISSED, "PER"),
        Piece(" wrote to "),
        Piece("Analytical Engines Ltd", RIGHT, "ORG"),
    ]
    assert found.worst[0].told == [
        Piece("Ada", WRONG, "PER"),
        Piece(" Lovelace wrote to "),
        Piece("Analytical Engines Ltd", RIGHT, "ORG"),
    ]


def test_a_text_shown_in_part_keeps_the_stretches_that_are_in_it() -> None:
    row = {"text": "Ada …", "truth": [[0, 3, "PER"], [700, 705, "ORG"]], "predicted": [],
           "wrong": 2}  # fmt: skip
    (found,) = mistakes({"worst": [row]})
    assert found.worst[0].truth == [Piece("Ada", MISSED, "PER"), Piece(" …")]
    assert found.worst[0].told == [Piece("Ada …")]


def test_a_number_says_how_far_it_is_off(workspace: Path) -> None:
    text = said(page_of(kinds_made.regression()))
    assert "text truth predicted off by the best film ever 5 2.718 2.28" in text


def test_hostile_entities_are_only_ever_text(workspace: Path) -> None:
    found = kinds_made.entities()
    end = len(HOSTILE)
    found["benchmark"]["worst"] = [
        {"text": HOSTILE, "truth": [[0, 8, HOSTILE], [9, end + 9, "x"], [3, 2, "y"], [-1, 4, "z"]],
         "predicted": [[0, "8", "a"], "b", None], "wrong": 3}
    ]  # fmt: skip
    reader = read(page_of(found))
    assert not reader.tags & {"script", "img"}
    assert reader.handlers == []


@pytest.mark.parametrize(
    ("task", "metric", "name"),
    [
        (kinds_made.ENTITIES, "f1", "entity F1"),
        (kinds_made.MULTI_LABEL, "f1", "micro-F1"),
        ({"kind": "translation"}, "bleu", "bleu"),
        ({"kind": ["entities"]}, "spearman", "Spearman correlation"),
        ({"kind": "multi-task"}, None, "accuracy"),
        (None, None, "accuracy"),
    ],
)
def test_a_report_that_says_too_little_still_has_a_yardstick(
    workspace: Path, task: Any, metric: str | None, name: str
) -> None:
    assert yardstick(read_evidence(), {"task": task, "metric": metric}).name == name


def test_the_gate_speaks_of_the_task_that_the_data_were_approved_for(workspace: Path) -> None:
    Path("data").mkdir()
    Path("data/approved.json").write_text('{"task": {"kind": "regression", "labels": []}}')
    gate = judged("blessed")
    gate |= {"metric": "spearman"}
    gate["candidate"] |= {"others": {"spearman": 0.832, "pearson": 0.8123}}
    gate["champion"] |= {"others": {"spearman": 0.841, "pearson": 0.8234}}
    page = page_of({**kinds_made.regression(), "gate": gate})
    text = said(page.partition('<section id="gate">')[2].partition("</section>")[0])
    assert "test Spearman correlation when made Pearson correlation" in text
    assert "v1.3.0 in production 0.841 0.821–0.861 0.850 0.823" in text
    assert "change in points of Spearman correlation" in text


def rated(**counted: dict[str, Any]) -> None:
    """The night's profile, with the numbers of tasks."""
    Path("data").mkdir(exist_ok=True)
    profile = {"all": {"rows": 9, "labels": {}, "values": counted}}
    Path("data/profile.json").write_text(json.dumps(profile), encoding="utf-8")


def test_ratings_are_drawn_as_they_were_counted(workspace: Path) -> None:
    stars = [1.0, math.nextafter(1.0, 2), 2.5, 4.0]
    rated(regression={"edges": stars, "counts": [0, 30, 0, 20, 10]})
    page = page_of(kinds_made.regression())
    (found,) = ratings(read_evidence())
    assert found.bins == [("1", 30), ("2.5 to 4", 20), ("from 4", 10)]
    assert "Numbers In a sample of 60 rows" in said(re.sub("<svg.*?</svg>", "", page, flags=re.S))
    labels = [str(drawing.get("aria-label")) for drawing in drawings(page)]
    assert labels.count("Numbers of regression in 60 rows") == 2


@pytest.mark.parametrize(
    "counted",
    [
        {},
        {"edges": [], "counts": [0]},
        {"edges": [1, 2], "counts": [1, 2]},
        {"edges": [2, 1], "counts": [1, 2, 3]},
        {"edges": ["1"], "counts": "ab"},
        {"edges": [1.0], "counts": [None, -3]},
    ],
)
def test_ratings_that_can_not_be_read_are_left_out(workspace: Path, counted: Any) -> None:
    rated(regression=counted)
    page_of(kinds_made.regression())
    assert ratings(read_evidence()) == []


def test_classes_of_which_a_row_may_have_several_are_shares_of_the_rows(workspace: Path) -> None:
    found = reports(["a", "b", "c"])
    found["ingest"]["metrics"] |= {"train": 100}
    text = said(page_of(found))
    assert "examples of 3 classes" in text
    assert "a 80 80.0 %" in text
