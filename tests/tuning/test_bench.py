"""A trial is the stage itself, in a workspace of its own, and leaves the project's as it was."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from tasks.cli import app
from tasks.tuning import bench
from tasks.tuning.bench import Bench, GivenUpError, OutOfTimeError, TrialFailedError
from tests.training.made import SMALL_STAGE, approve

RATE = "finetune.learning_rate"

STAGE = """\
# Stands for a stage that takes no time to import: a rate of 0.1 is best, one above 1 an error.
import json, pathlib, sys, time, yaml
params = yaml.safe_load(open("params.yaml"))
rate, epochs = params["finetune"]["learning_rate"], params["finetune"]["epochs"]
assert pathlib.Path("data/approved.json").exists()
pathlib.Path("reports").mkdir(exist_ok=True)
pathlib.Path("models/finetuned").mkdir(parents=True, exist_ok=True)
if rate > 1:
    report = {"status": "failed", "reason": "the loss is not finite"}
    json.dump(report, open("reports/finetune.json", "w"))
    sys.exit(1)
looks = [{"epoch": epoch + 1, "figure": 0.9 - abs(rate - 0.1)} for epoch in range(epochs)]
for look in looks:
    with open(params["tracking"]["file"], "a") as file:
        print(json.dumps({"kind": "evaluation", "step": look["epoch"], **look}), file=file)
    if epochs > 9:
        time.sleep(30)
report = {"status": "ok", "metric": "f1", "evaluations": looks}
json.dump(report, open("reports/finetune.json", "w"))
"""


@pytest.fixture
def approved(workspace: Path, tiny_model: Path) -> Path:
    """A workspace with what the stages before `finetune` have left, and its params.yaml."""
    approve(workspace, tiny_model)
    finetune = {**SMALL_STAGE, "epochs": 1}
    Path("params.yaml").write_text(f"# ours\n{yaml.safe_dump({'finetune': finetune})}")
    return workspace


@pytest.fixture
def stand_in(approved: Path, tmp_path_factory: pytest.TempPathFactory,
             monkeypatch: pytest.MonkeyPatch) -> Path:  # fmt: skip
    """In place of the stage's code, the few lines above."""
    code = tmp_path_factory.mktemp("code")
    (code / "tasks").mkdir()
    (code / "tasks/finetune.py").write_text(STAGE)
    monkeypatch.setattr(bench, "CODE", code)
    monkeypatch.delenv("PYTHONPATH")
    return approved


def everything(folder: Path) -> dict[str, bytes]:
    """Every file outside of .nightshift."""
    files = (path for path in folder.rglob("*") if path.is_file())
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    return {name: content for name, content in found.items() if not name.startswith(".night")}


def run(values: dict[str, Any], give_up_below: float = 0.0, seconds: float = math.inf) -> float:
    params = yaml.safe_load(Path("params.yaml").read_text())
    place = Path(".nightshift/tune/a")
    trial = Bench("finetune", place, params, [*values])
    return trial.run(
        values, lambda _, figure: figure < give_up_below, time.monotonic() + seconds,
        place / "log",
    )  # fmt: skip


def test_a_trial_touches_nothing_of_the_project(stand_in: Path) -> None:
    before = everything(stand_in)
    assert run({RATE: 0.3}) == pytest.approx(0.7)
    assert everything(stand_in) == before


def test_a_trial_is_given_up_when_a_look_says_so(stand_in: Path) -> None:
    with pytest.raises(GivenUpError):
        run({RATE: 0.3, "finetune.epochs": 10}, give_up_below=0.8)


def test_a_trial_ends_with_its_budget(stand_in: Path) -> None:
    with pytest.raises(OutOfTimeError):
        run({RATE: 0.1, "finetune.epochs": 10}, seconds=0.5)


def test_a_trial_that_fails_says_why(stand_in: Path) -> None:
    with pytest.raises(TrialFailedError, match="the loss is not finite"):
        run({RATE: 3.0})


def tune(*options: str) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["tune", *options, "--json"])
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(Path("reports/tune.json").read_text())
    return found


def test_what_is_better_is_written_and_shown(stand_in: Path) -> None:
    before = Path("params.yaml").read_text()
    wish = f"--space={RATE}=0.003,1e-1,2"
    report = tune(wish.replace(",2", ",0.2"), "--no-write")
    assert report["metrics"] == {"trials": 3, "figure": 0.9, "figure_before": pytest.approx(0.803)}
    assert Path("params.yaml").read_text() == before
    report = tune(wish.replace(",2", ",0.2"))
    assert report["written"] is True
    assert Path("params.yaml").read_text() == before.replace("0.003", "0.1")
    assert "Trial " in (page := Path("reports/tune.html").read_text())
    assert "90.00 f1 on validation, 9.70 points more" in page
    report = tune(wish.replace(",2", ",0.2"))
    assert report["written"] is False


def test_nothing_better_changes_nothing(stand_in: Path) -> None:
    Path("params.yaml").write_text("finetune: {learning_rate: 1e-1, epochs: 1} # good\n")
    report = tune(f"--space={RATE}=0.3,0.5")
    assert report["written"] is False
    assert len(report["trials"]) == 3
    assert Path("params.yaml").read_text() == "finetune: {learning_rate: 1e-1, epochs: 1} # good\n"


def test_wrong_wishes_and_missing_data_are_one_line(workspace: Path) -> None:
    Path("params.yaml").write_text("finetune: {epochs: 1}\n")
    for wish, said in [
        ("finetune.epoch=1..2", "nightshift: --space: finetune.epoch: unknown key; known are"),
        ("finetune.epochs=1..2", "nightshift: data/approved.json is missing: run `nightshift run"),
    ]:
        done = CliRunner().invoke(app, ["tune", f"--space={wish}"])
        assert done.exit_code == 1
        assert done.output.startswith(said)
        assert done.output.count("\n") == 1


def test_the_stage_itself_is_a_trial(approved: Path) -> None:
    report = tune(f"--space={RATE}=1e-4..1e-2:log", "--trials=1")
    assert report["metric"] == "accuracy"
    assert 0.3 < report["metrics"]["figure"] < 1
    assert report["trials"][0]["values"] == {RATE: 0.003}
    assert not Path("models/finetuned").exists()
    log = Path(".nightshift/tune/finetune/logs/trial-0.log").read_text()
    assert "finetune: epoch 1.0" in log
