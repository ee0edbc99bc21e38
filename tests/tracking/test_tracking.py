"""Curves go where params.yaml says, and nothing that goes wrong there stops or slows a training."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.params.base import load_section
from tasks.params.tracking import Tracking
from tasks.stage.errors import BadInput
from tasks.tracking import tracking
from tasks.tracking.lines import read_lines
from tasks.tracking.tracking import Tracker, open_tracking
from tests.tracking.servers import closed_port, deaf_server, mlflow_server


def asked_for(**settings: Any) -> None:
    content = {"tracking": {"dvclive": False, **settings}, "publish": {"name": "opinions"}}
    Path("params.yaml").write_text(yaml.safe_dump(content))


def start(key: str = "a night") -> Tracker:
    parameters = {"epochs": 2, "loss": {"focal": 0.0}}
    return open_tracking("finetune", parameters, key, metric="accuracy")


def train(tracker: Tracker, *steps: int) -> None:
    for step in steps:
        tracker.losses(step, {"loss": 1 / step, "learning_rate": 1e-4})
        tracker.evaluation(step, {"step": step, "epoch": step / 10, "figure": 0.8, "loss": 0.5})


def killed(tracker: Tracker) -> None:
    """As `fit` does it: it finishes while the error that ends the training goes up."""
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt:
        tracker.finish()


def rows(path: str) -> list[list[str]]:
    with open(path, newline="") as file:
        return [*csv.reader(file, delimiter="\t")]


def test_without_a_params_file_nothing_is_tracked(
    workspace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    tracker = start()
    train(tracker, 10)
    tracker.finish()
    assert not list(workspace.iterdir())
    assert capfd.readouterr().err == ""


def test_dvclive_leaves_a_table_a_curve_and_nothing_else(workspace: Path) -> None:
    asked_for(dvclive=True)
    tracker = start()
    train(tracker, 10, 20)
    tracker.finish()
    curves = "reports/live/finetune/plots/metrics"
    assert rows(f"{curves}/train/loss.tsv") == [["step", "loss"], ["10", "0.1"], ["20", "0.05"]]
    assert rows(f"{curves}/validation/accuracy.tsv")[-1] == ["20", "0.8"]
    made = {path.name for path in workspace.iterdir()}
    assert made == {"params.yaml", "reports", ".nightshift"}


def test_tensorboard_reads_back_what_was_sent(workspace: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    asked_for(tensorboard="runs")
    tracker = start()
    train(tracker, 10, 20)
    tracker.finish()
    (run,) = Path("runs").iterdir()
    found = EventAccumulator(str(run))
    found.Reload()
    values = {
        tag: [(event.step, event.tensor_proto.float_val[0]) for event in found.Tensors(tag)]
        for tag in found.Tags()["tensors"]
    }
    assert values["train/loss"] == [(10, pytest.approx(0.1)), (20, pytest.approx(0.05))]
    assert [step for step, _ in values["validation/accuracy"]] == [10, 20]


def test_mlflow_gets_a_run_of_the_model_with_its_parameters(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "a secret")
    with mlflow_server() as server:
        asked_for(mlflow=server.address)
        tracker = start()
        train(tracker, 10, 20)
        tracker.finish()
    assert list(server.experiments) == ["opinions"]
    assert server.parameters == {"epochs": "2", "loss.focal": "0.0"}
    losses = [(m["step"], m["value"]) for m in server.metrics if m["key"] == "train/loss"]
    assert losses == [(10, 0.1), (20, 0.05)]
    assert server.ended == ["run1"]
    assert server.authorization == {"Bearer a secret"}


def test_a_training_that_was_killed_goes_on_with_its_run(workspace: Path) -> None:
    with mlflow_server() as server:
        asked_for(mlflow=server.address)
        tracker = start()
        train(tracker, 10, 20)
        killed(tracker)
        assert server.ended == []
        tracker = start()
        train(tracker, 20, 30)  # what came after its checkpoint comes again
        tracker.finish()
        tracker = start(key="the next night")
        train(tracker, 10)
        tracker.finish()
    steps = [(m["run"], m["step"]) for m in server.metrics if m["key"] == "train/loss"]
    assert steps == [("run1", 10), ("run1", 20), ("run1", 30), ("run2", 10)]
    assert server.ended == ["run1", "run2"]


def test_a_server_that_is_away_is_one_line_of_warning(
    workspace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    asked_for(mlflow=closed_port())
    tracker = start()
    train(tracker, *range(10, 100, 10))
    tracker.finish()
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("tracking: mlflow: ConnectionError: ")
    assert line.endswith("; training goes on without it")


def test_a_server_that_never_answers_keeps_nobody_waiting(
    workspace: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracking, "SECONDS_AT_THE_END", 0.3)
    with deaf_server() as address:
        asked_for(mlflow=address)
        tracker = start()
        started = time.monotonic()
        train(tracker, *range(1, 5001))
        sent = time.monotonic()
        tracker.finish()
        ended = time.monotonic()
    assert sent - started < 1
    assert ended - sent < 1
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("tracking: mlflow: not everything was sent in time")


def test_a_package_that_is_missing_is_one_line_that_says_so(
    workspace: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = "raise ModuleNotFoundError('No module named wandb', name='wandb')"
    Path("wandb.py").write_text(fake)  # where the sender looks first, whatever is installed
    monkeypatch.setenv("PYTHONPATH", str(workspace))
    asked_for(wandb="opinions")
    tracker = start()
    train(tracker, 10)
    tracker.finish()
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("tracking: wandb: the package wandb is not installed: pip install wandb")


def test_a_library_that_ends_its_process_is_one_line_of_warning(
    workspace: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("wandb.py").write_text("print('chatter'); import os; os._exit(9)")
    monkeypatch.setenv("PYTHONPATH", str(workspace))
    asked_for(wandb="opinions")
    tracker = start()
    train(tracker, 10)
    tracker.finish()
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("tracking: wandb: its sender ended with code 9")


def test_wrong_settings_are_a_warning_to_a_training(
    workspace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    asked_for(mlflow="nowhere")
    tracker = start()
    train(tracker, 10)
    tracker.finish()
    (line,) = capfd.readouterr().err.splitlines()
    assert "tracking.mlflow: got no web address; takes http(s)://HOST:PORT" in line


def test_a_secret_in_an_address_is_refused_and_not_repeated(workspace: Path) -> None:
    asked_for(mlflow="https://me:hunter2@tracking.example")
    with pytest.raises(BadInput) as caught:
        load_section(Tracking)
    assert "MLFLOW_TRACKING_PASSWORD" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_file_gets_a_line_at_once_and_none_that_is_no_number(workspace: Path) -> None:
    asked_for(file="out/looks.jsonl")
    tracker = start()
    tracker.losses(10, {"loss": float("nan"), "learning_rate": 1e-4})
    tracker.evaluation(20, {"figure": 0.8, "epoch": 1.0})
    found, end = read_lines(Path("out/looks.jsonl"))
    assert found == [
        {"kind": "losses", "step": 10, "learning_rate": 1e-4},
        {"kind": "evaluation", "step": 20, "figure": 0.8, "epoch": 1.0},
    ]
    assert read_lines(Path("out/looks.jsonl"), end) == ([], end)
