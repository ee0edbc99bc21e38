from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from tasks.judging.golden import ODD, Outcome, Request, requests, try_out
from tasks.stage.errors import BadInput
from tasks.task import MultiTask
from tasks.task.classification import Classification
from tasks.task.entities import Entities
from tasks.task.regression import Regression
from tests.judging.made import OPINIONS, Twist, word_release

CLASSES = Classification(("bad", "good"))
STARS = Regression(mean=3.0, deviation=2.0)


def tried(folder: Path, *more: Request) -> Outcome:
    return try_out(folder, [*requests(None, CLASSES, pairs=False), *more], threads=1)


def test_a_sound_release_answers_every_odd_text(tmp_path: Path) -> None:
    asked = Request("praise", "a tender film", "good")

    found = tried(word_release(tmp_path), asked)

    assert found.failures == []
    assert found.broke is None
    assert found.asked == len(ODD) + 1
    assert found.seconds is not None
    assert 0.01 < found.seconds < 60


@pytest.mark.parametrize(
    ("twist", "told"),
    [
        ("batch", "praise: alone it is bad, among others good"),
        ("order", "blame: it gets the answer of another request"),
        ("random", "praise: the same call gives other scores"),
    ],
)
def test_what_else_is_asked_must_not_matter(tmp_path: Path, twist: Twist, told: str) -> None:
    asked = Request("praise", "tender"), Request("blame", "dull")

    found = tried(word_release(tmp_path, twist=twist), *asked)

    assert any(failure.startswith(told) for failure in found.failures), found.failures


def test_scores_that_are_no_numbers_are_told_with_the_text(tmp_path: Path) -> None:
    found = tried(word_release(tmp_path, unknown=math.nan))

    assert "Chinese: its scores are no probabilities: [nan, nan]" in found.failures


def test_an_answer_that_must_be_another_is_told(tmp_path: Path) -> None:
    asked = Request("golden.jsonl, line 7", "a dull film", "good")
    found = tried(word_release(tmp_path), asked)
    assert found.failures == ["golden.jsonl, line 7: answered bad, must be good"]


def test_a_release_that_breaks_says_why(tmp_path: Path) -> None:
    broken = word_release(tmp_path / "broken", OPINIONS | {"word": ()})  # beyond the table
    found = tried(broken)
    assert found.seconds is None
    assert found.broke is not None
    assert "indices element out of data bounds" in found.broke


def test_a_file_that_is_not_the_released_one_is_no_release(tmp_path: Path) -> None:
    folder = word_release(tmp_path)
    (folder / "model.onnx").write_bytes(b"rubbish")
    assert "model.onnx is not the file that was released" in (tried(folder).broke or "")


def test_pairs_are_asked_as_pairs(tmp_path: Path) -> None:
    asked = requests(None, CLASSES, pairs=True)
    found = try_out(word_release(tmp_path, pairs=True), asked, threads=1)
    assert found == Outcome(len(ODD), [], found.seconds)


def test_golden_requests_are_read_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "golden.jsonl"
    lines = [{"text": "fine\u2028film", "label": "good"}, {"text": "", "label": "bad"}]
    path.write_text("\n\n".join(json.dumps(line, ensure_ascii=False) for line in lines))

    *odd, first, second = requests(str(path), CLASSES, pairs=False)

    assert [each.name for each in odd] == list(ODD)
    assert (first.text, first.label) == ("fine\u2028film", "good")
    assert second.name == f"{path}, line 3"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"text": "fine"', "line 2 is not JSON"),
        ('{"text": "fine"}', 'line 2: got {"text": "fine"}; takes {"text": text, "label": label}'),
        ('{"text": ["a", "b"], "label": "good"}', "line 2: got"),
        ('["fine", "good"]', "line 2: got"),
        ('{"text": "fine", "label": null}', "line 2: the label is empty"),
        ('{"text": "fine", "label": "good", "within": "x"}', "line 2: within: got 'x'"),
    ],
)
def test_a_line_that_is_no_request_is_named(tmp_path: Path, line: str, told: str) -> None:
    path = tmp_path / "golden.jsonl"
    path.write_text(f'{{"text": "fine", "label": "good"}}\n{line}')
    with pytest.raises(BadInput) as error:
        requests(str(path), CLASSES, pairs=False)
    assert f"gate.golden: {path}, {told}" in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"gate\.golden: gone\.jsonl does not exist"):
        requests("gone.jsonl", CLASSES, pairs=False)


def test_a_number_must_be_near_enough(tmp_path: Path) -> None:
    folder = word_release(tmp_path, {"fine": (1.0,), "dull": (-1.0,)}, task=STARS)  # 5 and 1
    asked = [
        Request("by default", "fine", "4.0"),
        Request("too far", "fine", "3.9"),
        Request("wide", "dull", "3.0", within=2),
        Request("narrow", "dull", "1.5", within=0.4),
    ]

    found = tried(folder, *asked)

    assert found.failures == ["too far: answered 5.0, must be 3.9",
                              "narrow: answered 1.0, must be 1.5"]  # fmt: skip


def test_a_number_that_is_none_is_told(tmp_path: Path) -> None:
    found = tried(word_release(tmp_path, {"fine": (1.0,)}, unknown=math.inf, task=STARS))
    assert "Chinese: its value is no number: inf" in found.failures


def test_a_label_is_that_of_one_of_several_tasks(tmp_path: Path) -> None:
    task = MultiTask.of_heads({"movies": CLASSES, "stars": STARS})
    folder = word_release(tmp_path / "release", {"fine": (0.0, 4.0, 1.0)}, task=task)
    path = tmp_path / "golden.jsonl"
    lines = [{"text": "fine", "label": "bad", "task": "movies"},
             {"text": "fine", "label": 5, "task": "stars", "within": 0.1}]  # fmt: skip
    path.write_text("\n".join(map(json.dumps, lines)))

    found = try_out(folder, requests(str(path), task, pairs=False), threads=1)

    assert found.failures == [f"{path}, line 1: answered good, must be bad"]
    path.write_text('{"text": "fine", "label": 5, "task": "starts"}')
    with pytest.raises(BadInput, match="line 1: task: got 'starts'; takes movies, stars"):
        requests(str(path), task, pairs=False)


def test_entities_may_be_written_as_in_the_data(tmp_path: Path) -> None:
    path = tmp_path / "golden.jsonl"
    path.write_text('{"text": ["New", "York", "sleeps"], "label": ["B-LOC", "I-LOC", "O"]}\n'
                    '{"text": "so does Rome", "label": [[8, 12, "LOC"]]}')  # fmt: skip

    first, second = requests(str(path), Entities(("LOC",)), pairs=False)[len(ODD) :]

    assert (first.text, first.label) == ("New York sleeps", '[[0, 8, "LOC"]]')
    assert second.label == '[[8, 12, "LOC"]]'
    path.write_text('{"text": "Rome", "label": "I-LOC"}')
    with pytest.raises(BadInput, match="line 1: tag 1 is 'I-LOC' after 'O'"):
        requests(str(path), Entities(("LOC",)), pairs=False)
