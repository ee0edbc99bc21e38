"""Every kind of task, from PyTorch's logits to what the predictor says of a text."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from typer.testing import CliRunner

from tasks.cli import app
from tasks.inference import Prediction, Predictor
from tasks.inference.agreement import compare
from tasks.inference.exits import as_graph, flat
from tasks.inference.quantisation import quantise
from tasks.inference.release import CARD, MODEL, Release
from tasks.stage.errors import BadInput
from tasks.task.answers import Entity, Exit
from tasks.task.multi_label import MultiLabel
from tests.inference.made import KINDS, Made, make_release, torch_logits

TEXTS = [
    "the film is wonderful",
    "",
    "i found the plot clumsy , and so did everybody else in the room",
    "a superb cast from the first minute to the last " * 6,
    "dull",
]
CLOSE = 1e-4


@pytest.fixture(scope="module")
def entities(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("entities") / "release"
    return make_release(tiny_model, folder, KINDS["entities"])


@pytest.fixture(scope="module", params=["entities", "regression", "several", "with entities"])
def made(
    request: pytest.FixtureRequest,
    entities: Made,
    tiny_model: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Made:
    """A release of each kind; what is missing here is a head of `several`."""
    if request.param == "entities":
        return entities
    folder = tmp_path_factory.mktemp("release") / "release"
    return make_release(tiny_model, folder, KINDS[request.param])


def expected_logits(made: Made, texts: list[str]) -> Any:
    found = torch_logits(made, texts)
    if not made.task.per_token:
        return found
    windows = Predictor.load(made.folder, 1)._read(texts).windows
    return as_graph(found, made.task.exits, np.cumsum([0, *map(len, windows)]))


@pytest.mark.parametrize("threads", [1, 2])
def test_the_graph_puts_out_what_pytorch_does(made: Made, threads: int) -> None:
    expected = expected_logits(made, TEXTS)

    found = Predictor.load(made.folder, threads).logits(TEXTS, batch_size=3)
    np.testing.assert_allclose(found, expected, atol=CLOSE)
    assert np.ptp(expected[:, 0]) > 100 * CLOSE


def test_an_answer_is_what_the_task_makes_of_the_logits(made: Made) -> None:
    predictor = Predictor.load(made.folder, 2)
    found = predictor(TEXTS)

    assert len(found) == len(TEXTS)
    assert found == predictor.meaning(TEXTS, predictor.logits(TEXTS))
    if not made.task.per_token:
        assert found == made.task.decode(predictor.logits(TEXTS))
    alone = [predictor([text])[0] for text in TEXTS]
    assert [made.task.alike(*both) for both in zip(found, alone, strict=True)] == [1] * len(TEXTS)
    assert predictor([]) == []
    assert predictor.logits([]).shape == (0, len(made.task.outputs))


def test_classes_that_do_not_exclude_each_other(tiny_release: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_release, tmp_path, dirs_exist_ok=True)
    task = MultiLabel(("bad", "good"))
    Release.read(tmp_path).answering(task).write(tmp_path)
    predictor = Predictor.load(tmp_path, 1)

    found = predictor(TEXTS)
    assert found == task.decode(predictor.logits(TEXTS))
    assert {len(each.labels) for each in found} <= {0, 1, 2}
    assert all(each.label is None and set(each.scores) == {"bad", "good"} for each in found)


def test_a_graph_has_an_output_for_each_task(made: Made) -> None:
    outputs = {
        output.name: len(output.type.tensor_type.shape.dim)
        for output in onnx.load(made.folder / MODEL).graph.output
    }
    assert outputs == {name: 2 + one.per_token for name, one in made.task.exits.items()}


def test_in_int8_it_answers_nearly_alike(made: Made, tmp_path: Path) -> None:
    shutil.copytree(made.folder, tmp_path, dirs_exist_ok=True)
    quantise(made.folder / MODEL, tmp_path / MODEL)
    replace(Release.read(tmp_path), precision="int8").write(tmp_path)
    small, large = Predictor.load(tmp_path, 1), Predictor.load(made.folder, 1)
    texts = [text for text in TEXTS if text]

    expected = large.logits(texts)
    found = compare(made.task, expected, small.logits(texts), lambda x: large.meaning(texts, x))
    assert 0 < found.largest_difference < 0.5 * np.abs(expected).max()
    assert found.same_labels >= 0.5


def test_a_card_says_what_task_it_is(made: Made) -> None:
    release = Release.read(made.folder)

    assert release.answers == made.task
    assert (release.task, release.labels) == (made.task.kind, made.task.labels)


@pytest.mark.parametrize("threads", [1, pytest.param(2, id="two threads")])
def test_a_long_text_is_read_to_its_end(entities: Made, threads: int) -> None:
    text = TEXTS[3]
    predictor = Predictor.load(entities.folder, threads)
    words = len(text.split())

    [found] = predictor([text])
    assert predictor([*TEXTS, text])[-1].entities[-1].end > len(text) * 0.8
    assert [each.text for each in found.entities] == [
        text[each.start : each.end] for each in found.entities
    ]
    assert all(a.end <= b.start for a, b in zip(found.entities, found.entities[1:], strict=False))
    every = np.zeros((len(predictor.logits([text])), 5), np.float32)
    every[:, 1] = 9  # a B- tag for each token: each word is an entity, whatever its windows
    [told] = predictor.meaning([text], every)
    assert [each.text for each in told.entities] == text.split()
    assert len(told.entities) == words


def test_entities_lie_in_the_text_as_given_or_as_masked(entities: Made, tmp_path: Path) -> None:
    shutil.copytree(entities.folder, tmp_path, dirs_exist_ok=True)
    replace(Release.read(tmp_path), mask=("email",)).write(tmp_path)
    masked, plain = Predictor.load(tmp_path, 1), Predictor.load(entities.folder, 1)
    upper = "The FILM  is\tWonderful"

    assert masked(["ask ann@example.com , dull"]) == plain(["ask [EMAIL] , dull"])
    every = np.zeros((len(plain.logits([upper])), 5), np.float32)
    every[:, 3] = 9
    assert [each.text for each in plain.meaning([upper], every)[0].entities] == upper.split()


def test_padding_is_left_out_on_either_side() -> None:
    exits = {"words": Exit(slice(0, 1), True), "whole": Exit(slice(1, 2), False)}
    right = np.array([[[1.0], [0.0]], [[2.0], [3.0]]], np.float32)
    left = np.array([[[0.0], [1.0]], [[2.0], [3.0]]], np.float32)
    whole = np.array([[7.0], [8.0]], np.float32)
    lengths = np.array([1, 2])

    for words, side in ((right, True), (left, False)):
        found = flat([words, whole], exits, lengths, side)
        assert found.tolist() == [[1, 7], [2, 8], [3, 0]]
    full = np.array([[1, 7], [2, 8], [3, 9]], np.float32)
    assert as_graph(full, exits, np.array([0, 1, 3])).tolist() == [[1, 7], [2, 8], [3, 0]]


@pytest.mark.parametrize(
    ("kind", "one", "other", "alike"),
    [
        ("classification", Prediction("bad", 0.9), Prediction("bad", 0.6), 1),
        ("classification", Prediction("bad", 0.9), Prediction("good", 0.6), 0),
        ("multi-label", Prediction(labels=("cast", "plot")), Prediction(labels=("cast",)), 2 / 3),
        ("multi-label", Prediction(labels=()), Prediction(labels=()), 1),
        ("regression", Prediction(value=3.0), Prediction(value=3.1), 1),
        ("regression", Prediction(value=3.0), Prediction(value=3.4), 0),
        ("entities", Prediction(entities=[Entity(0, 3, "PER", 0.9, "Ann")]),
         Prediction(entities=[]), 0),
    ],
)  # fmt: skip
def test_how_far_answers_are_alike(
    kind: str, one: Prediction, other: Prediction, alike: float
) -> None:
    assert KINDS[kind].alike(one, other) == pytest.approx(alike)


def test_several_answers_are_alike_as_far_as_each_is() -> None:
    name = Prediction(entities=[])
    one = {"mood": Prediction("bad"), "names": name}
    other = {"mood": Prediction("good"), "names": name}

    assert KINDS["with entities"].alike(one, other) == 0.5


def test_texts_read_as_other_tokens_never_agree() -> None:
    one, other = np.ones((2, 2), np.float32), np.ones((3, 2), np.float32)
    assert compare(KINDS["classification"], one, other).same_labels == 0


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"task": "translation"}, "head: it is of 'entities' with the labels LOC, PER; the card"),
        ({"task": "translation", "head": {"kind": "translation"}},
         "head: kind: got 'translation'; takes classification, multi-label, regression, entities"),
        ({"head": {}}, "head: it is missing, and the task is 'entities'"),
        ({"labels": ["PER"]}, "the card's task and labels are others"),
        ({"head": {"kind": "entities", "colour": 1}}, "it describes no task"),
        ({"head": {"kind": "multi-task"}}, "it describes no task"),
        ({"stride": 12}, "stride: got 12; takes less than half of max_length, which is 24"),
    ],
)  # fmt: skip
def test_a_card_of_no_task_is_one_clear_line(
    entities: Made, tmp_path: Path, keys: Any, message: str
) -> None:
    shutil.copytree(entities.folder, tmp_path, dirs_exist_ok=True)
    card = tmp_path / CARD
    card.write_text(json.dumps({**json.loads(card.read_text()), **keys}))

    with pytest.raises(BadInput) as error:
        Release.read(tmp_path)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_graph_of_another_task_is_named(entities: Made, tmp_path: Path) -> None:
    shutil.copytree(entities.folder, tmp_path, dirs_exist_ok=True)
    Release.read(tmp_path).answering(KINDS["several"]).write(tmp_path)

    with pytest.raises(BadInput, match="no output logits_about, logits_mood, logits_stars; it has"):
        Predictor.load(tmp_path)


def test_the_command_shows_every_kind(made: Made) -> None:
    texts = ["the film is wonderful", "dull"]
    answers = Predictor.load(made.folder)(texts)
    run = CliRunner().invoke(app, ["predict", "--release", str(made.folder), *texts])
    told = CliRunner().invoke(app, ["predict", "--json", "--release", str(made.folder), *texts])

    assert run.exit_code == told.exit_code == 0
    shown = [made.task.shown(*both) for both in zip(answers, texts, strict=True)]
    assert run.output == "\n".join([*shown, ""])
    records = [json.loads(line) for line in told.output.splitlines()]
    assert [record["text"] for record in records] == texts
    if isinstance(answers[0], dict):
        assert set(records[0]["answers"]) == set(answers[0])


def test_what_the_command_shows() -> None:
    name = Prediction(
        entities=[Entity(4, 7, "PER", 0.9, "Ann"), Entity(11, 15, "LOC", 0.8, "Rome")]
    )
    text = "ask Ann in Rome"

    assert KINDS["classification"].shown(Prediction("bad", 0.91), text) == f"bad\t0.9100\t{text}"
    assert KINDS["regression"].shown(Prediction(value=3.25), text) == f"3.2500\t{text}"
    labels = Prediction(labels=("cast",), scores={"cast": 0.7, "music": 0.2, "plot": 0.1})
    assert KINDS["multi-label"].shown(labels, text) == f"cast 0.7000\t{text}"
    assert KINDS["entities"].shown(name, text).splitlines() == [
        text,
        "\tPER\t0.9000\t4-7\tAnn",
        "\tLOC\t0.8000\t11-15\tRome",
    ]
    several = {"mood": Prediction("bad", 0.91), "names": Prediction(entities=[])}
    assert KINDS["with entities"].shown(several, text).splitlines() == [
        text,
        "\tmood: bad\t0.9100",
        "\tnames: -",
    ]


def test_a_release_of_pairs_takes_both_texts_on_a_line(tiny_release: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_release, tmp_path, dirs_exist_ok=True)
    replace(Release.read(tmp_path), pairs=True).write(tmp_path)
    command = ["predict", "--release", str(tmp_path)]

    run = CliRunner().invoke(app, [*command, "dull\ta superb cast"])
    assert run.output.endswith("\tdull\ta superb cast\n")
    broken = CliRunner().invoke(app, [*command, "dull"])
    assert broken.exit_code == 1
    assert "'dull': this release takes two texts, a tab between them" in broken.stderr


def test_serving_entities_imports_nothing_big(entities: Made) -> None:
    code = (
        "import sys; from tasks.inference import Predictor; "
        f"print(len(Predictor.load({str(entities.folder)!r})(['one', 'two', 'three']))); "
        "big = {'torch', 'transformers', 'pandas', 'pydantic', 'pyarrow', 'onnx', 'sklearn', "
        "'boto3', 'psutil', 'yaml'}; print(big & set(sys.modules))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert told.stdout.split() == ["3", "set()"]
