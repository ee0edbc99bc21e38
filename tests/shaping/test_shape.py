"""From a speed to shares in params.yaml, by way of trials."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.finetune import finetune
from tasks.params.base import load_section
from tasks.params.finetune import Finetune
from tasks.params.prune import Prune
from tasks.prune import prune
from tasks.shaping import shape
from tasks.shaping.search import shapes_of
from tasks.shaping.shape import shaped
from tasks.shaping.table import Shape, Table, looked_at
from tasks.stage.errors import BadInput
from tests.training.made import SMALL_STAGE, approve

WHOLE = Shape(4, 4, 64)
SMALL: dict[str, Any] = {
    "threads": 1, "precision": "fp32", "device": "cpu", "probe": 16, "augment": 0, "trial": 0.1,
    "max_drop": 100, "early": 0,
}  # fmt: skip


def ms(shape: Shape) -> float:
    return 1 + shape.layers * (0.5 + 0.25 * shape.heads + 0.02 * shape.neurons)


@pytest.fixture
def project(tiny_model: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fine-tuned model of four layers on a machine whose speed is known to the last digit."""
    approve(workspace, tiny_model)
    finetune(Finetune(**{**SMALL_STAGE, "epochs": 3}))
    (workspace / "params.yaml").write_text(yaml.safe_dump({"prune": SMALL}))
    monkeypatch.setattr(shape, "measured", lambda *given: {each: ms(each) for each in given[3]})
    return workspace


def test_levels_of_the_written_shares_have_the_shapes_that_were_found(project: Path) -> None:
    lines: list[str] = []
    report = shaped([1.5, 3.0], write=True, say=lines.append)
    assert json.loads(Path("reports/shape.json").read_text()) == report
    chosen = [Shape(**level["tried"][0]["shape"]) for level in report["levels"]]
    assert WHOLE >= chosen[0] >= chosen[1] != chosen[0]
    for speedup, found in zip([1.5, 3.0], chosen, strict=True):
        assert ms(found) <= ms(WHOLE) / speedup + 1e-6
    params = load_section(Prune)
    assert params.max_levels == 2
    assert params.trial == SMALL["trial"], "the rest stays"
    for level, found in zip(prune(params)["levels"], chosen, strict=True):
        heads = sum(level["heads"]) / len(level["heads"])
        shape = Shape(len(level["kept_layers"]), round(heads), level["neurons"])
        assert shape == found
    assert any(
        line.startswith("params.yaml has prune.max_levels: 2, prune.layers: ") for line in lines
    )


def test_the_best_have_been_tried_on_more_texts_and_answer_most_like_the_model(
    project: Path,
) -> None:
    (level,) = shaped([2.0], write=False, say=lambda _: None)["levels"]
    texts = [each["texts"] for each in level["tried"]]
    assert len(set(texts)) > 1
    assert texts[0] == 256, "the last few have all of them"
    assert texts == sorted(texts, reverse=True)
    last = [each["divergence"] for each in level["tried"] if each["texts"] == texts[0]]
    assert last == sorted(last)
    depths = {each["shape"]["layers"] for each in level["tried"]}
    assert len(depths) > 1, "depth and width together"
    assert load_section(Prune).max_levels == Prune().max_levels, "nothing is written"


def test_where_a_trial_has_all_texts_one_is_enough(project: Path) -> None:
    Path("params.yaml").write_text(yaml.safe_dump({"prune": {**SMALL, "trial": 1.0}}))
    (level,) = shaped([2.0], write=False, say=lambda _: None)["levels"]
    assert {each["texts"] for each in level["tried"]} == {256}


def test_shapes_of_a_time_fill_it_and_none_holds_another() -> None:
    table = Table.of({each: ms(each) for each in looked_at(WHOLE)})
    found = shapes_of(table, WHOLE, 5.0)
    assert found
    for each in found:
        assert ms(each) <= 5.0 + 1e-6
        wider = Shape(each.layers, each.heads, each.neurons + 1)
        assert each.neurons == WHOLE.neurons or ms(wider) > 5.0
        assert not any(one >= each for one in found if one != each)


@pytest.mark.parametrize(
    ("speedups", "changes", "message"),
    [
        ([1.0], {}, "--speedup: got 1; takes rising numbers above 1"),
        ([3.0, 2.0], {}, "--speedup: got 3, 2; takes rising numbers above 1"),
        ([2.0], {"keep": [[0]]}, "params.yaml: prune.keep: takes null where"),
        ([2.0], {"trial": 0}, "params.yaml: prune.trial: got 0"),
        ([100.0], {}, "no shape takes 0.121 ms or less here, the least, 1 layers of 4 neurons"),
    ],
)
def test_what_can_not_be_is_said(
    project: Path, speedups: list[float], changes: dict[str, Any], message: str
) -> None:
    Path("params.yaml").write_text(yaml.safe_dump({"prune": {**SMALL, **changes}}))
    before = Path("params.yaml").read_text()
    with pytest.raises(BadInput, match=message.replace("(", r"\(")):
        shaped(speedups, write=True, say=lambda _: None)
    assert Path("params.yaml").read_text() == before


def test_without_a_fine_tuned_model_it_says_how_to_get_one(workspace: Path) -> None:
    Path("params.yaml").write_text("prune: {}\n")
    with pytest.raises(BadInput, match="models/finetuned is missing: `nightshift run finetune`"):
        shaped([2.0], write=True, say=lambda _: None)
