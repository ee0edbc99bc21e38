"""The real graph, from a folder of CSV to a release that answers, on a tiny model."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest
import yaml

from tasks.handover.package import FILES
from tasks.stage.outputs import sha256
from tests.made import ROOT, environment, opinions, write_csv
from tests.waiting import wait_for, working_below

pytestmark = pytest.mark.timeout(900)
STAGES = ["snapshot", "ingest", "validate", "finetune", "prune", "export", "benchmark"]
SMALL: dict[str, dict[str, Any]] = {
    "ingest": {"text": "review", "label": "verdict"},
    "finetune": {"epochs": 6, "batch": 16, "learning_rate": 3e-3, "max_length": 32, "threads": 1},
    "prune": {"max_drop": 30, "max_levels": 1, "layers": 0.5, "epochs": 3, "threads": 1},
    "export": {"fusion": "attention", "threads": 1, "min_agreement": 0.5},
    "gate": {"threads": 1, "max_slowdown": None},  # 0.1 ms a text: only noise
    "benchmark": {"max_drop": 50, "rounds": 2, "texts": 10, "threads": 1},
}


def project(folder: Path, model: Path, source: Path) -> Path:
    """A fresh clone of the project, its parameters set to something small."""
    shutil.copytree(ROOT / "tasks", folder / "tasks", ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(ROOT / name, folder / name)
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    for section, values in SMALL.items():
        params[section].update(values)
    params["ingest"]["source"] = str(source)
    params["finetune"]["model"] = str(model)
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    run(folder, "-m", "dvc", "init", "--no-scm", "--quiet")
    run(folder, "-m", "dvc", "config", "core.analytics", "false")
    return folder


def here(folder: Path) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return environment(PYTHONPATH=str(folder), PATH=path)


def run(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=here(folder), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def nightshift(folder: Path, *arguments: str) -> str:
    return run(folder, "-m", "tasks.cli", *arguments)


def stages_run(output: str) -> list[str]:
    return [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")]


def read(folder: Path, name: str) -> Any:
    return json.loads((folder / "reports" / f"{name}.json").read_text())


def sides(folder: Path) -> dict[str, str]:
    tables = {s: pq.read_table(folder / f"data/dataset/{s}.parquet") for s in ("train", "test")}
    tables["validation"] = pq.read_table(folder / "data/dataset/validation.parquet")
    return {text: side for side, t in tables.items() for text in t["text"].to_pylist()}


def change(folder: Path, section: str, **values: Any) -> None:
    path = folder / "params.yaml"
    params = yaml.safe_load(path.read_text())
    params[section].update(values)
    path.write_text(yaml.safe_dump(params))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> tuple[Path, str]:
    """A project whose graph has run once, and what it printed."""
    folder = tmp_path_factory.mktemp("project")
    source = folder / "mine"
    source.mkdir()
    rows = sorted(opinions(), key=lambda row: row[0][::-1])
    write_csv(source / "first.csv", rows[:560], ("review", "verdict"))
    project(folder, tiny_model, source)
    return folder, nightshift(folder, "run")


def test_the_whole_graph_runs_and_says_what_came_out(finished: tuple[Path, str]) -> None:
    folder, output = finished
    assert stages_run(output) == STAGES
    assert "report:" in output
    assert all(read(folder, stage)["status"] == "ok" for stage in STAGES)
    assert (folder / "reports/index.html").stat().st_size > 10_000
    assert read(folder, "finetune")["metrics"]["validation_accuracy"] > 0.8


def test_each_level_is_smaller_and_loads_with_one_call(finished: tuple[Path, str]) -> None:
    from transformers import AutoModelForSequenceClassification

    folder, _ = finished
    level = AutoModelForSequenceClassification.from_pretrained(folder / "models/pruned/level1")
    assert level.config.num_hidden_layers == 2
    assert level.config.id2label == {0: "bad", 1: "good"}


def test_the_release_answers_without_torch(finished: tuple[Path, str]) -> None:
    folder, _ = finished
    lines = nightshift(folder, "predict", "--json", "the plot is superb", "the plot is awful")
    labels = [json.loads(line)["label"] for line in lines.splitlines()]
    assert labels == ["good", "bad"]
    code = (
        "import sys; from tasks.inference import Predictor; "
        "print(Predictor.load('models/release')(['the cast is dull'])[0].label); "
        "sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert run(folder, "-c", code).strip() == "bad"


def test_run_again_nothing_but_the_listing_runs(finished: tuple[Path, str]) -> None:
    folder, _ = finished
    started = time.monotonic()
    assert stages_run(nightshift(folder, "run")) == ["snapshot"]
    assert time.monotonic() - started < 20
    assert list(folder.glob("tasks/**/__pycache__")), "byte code was written, and does not count"


def test_a_benchmark_parameter_runs_benchmark_alone(finished: tuple[Path, str]) -> None:
    folder, _ = finished
    change(folder, "benchmark", price_per_hour=1.0)
    assert stages_run(nightshift(folder, "run")) == ["snapshot", "benchmark"]


def test_metrics_plots_and_params_are_dvcs(finished: tuple[Path, str]) -> None:
    folder, _ = finished
    metrics = json.loads(run(folder, "-m", "dvc", "metrics", "show", "--json"))
    numbers = metrics[""]["data"]["reports/metrics.json"]["data"]
    assert numbers["release"]["speedup"] > 0
    assert 0 <= numbers["finetuned"]["accuracy"] <= 1
    run(folder, "-m", "dvc", "plots", "show", "--out", "plots")
    page = (folder / "plots/index.html").read_text()
    for title in ("Fine-tuning", "Speed against quality", "Confusion"):
        assert title in page


@pytest.mark.slow
def test_growing_data_runs_everything_and_moves_nobody(finished: tuple[Path, str]) -> None:
    folder, _ = finished
    before = sides(folder)
    rows = sorted(opinions(), key=lambda row: row[0][::-1])
    write_csv(folder / "mine/second.csv", rows[560:], ("review", "verdict"))
    assert stages_run(nightshift(folder, "run")) == STAGES
    after = sides(folder)
    assert len(after) == len(before) + 80
    assert {text: after[text] for text in before} == before


def test_with_a_store_dvc_pushes_to_it_and_a_persons_own_settings_stay(
    finished: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = finished
    monkeypatch.setenv("NIGHTSHIFT_STORE", str(tmp_path / "store"))
    nightshift(folder, "run")
    run(folder, "-m", "dvc", "push", "data/approved.json")
    assert [path for path in (tmp_path / "store/dvc").rglob("*") if path.is_file()]
    own = folder / ".dvc/config.local"
    own.write_text("[core]\n    autostage = true\n")
    nightshift(folder, "run")
    assert own.read_text() == "[core]\n    autostage = true\n"


def test_bad_data_stops_before_training_and_costs_nothing_that_was_good(
    finished: tuple[Path, str],
) -> None:
    folder, _ = finished
    released = (folder / "models/release/release.json").read_bytes()
    (folder / "mine/third.csv").write_text("review,verdikt\nfine,good\n")
    done = subprocess.run(
        [sys.executable, "-m", "tasks.cli", "run"],
        cwd=folder, env=here(folder), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode != 0
    assert "verdict" in done.stderr
    assert "third.csv" in done.stderr
    assert read(folder, "ingest")["status"] == "stopped"
    assert read(folder, "ingest")["retryable"] is False
    assert (folder / "models/release/release.json").read_bytes() == released
    (folder / "mine/third.csv").unlink()
    assert "finetune" not in stages_run(nightshift(folder, "run"))


@pytest.fixture(scope="module")
def validated(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """A project whose data is approved, and whose training takes a dozen epochs."""
    folder = tmp_path_factory.mktemp("validated")
    source = write_csv(folder / "mine.csv", opinions(), ("review", "verdict"))
    project(folder, tiny_model, source)
    change(folder, "finetune", epochs=12, evaluations=1, patience=99)
    run(folder, "-m", "dvc", "repro", "validate")
    return folder


def copy_of(validated: Path, folder: Path, **finetune: Any) -> Path:
    shutil.copytree(validated, folder, symlinks=True)
    change(folder, "finetune", **finetune)
    return folder


def losses(folder: Path) -> list[dict[str, str]]:
    with open(folder / "reports/plots/finetune.csv", newline="") as file:
        return list(csv.DictReader(file))


def checkpoint_saved(folder: Path) -> bool:
    return bool(list(folder.glob(".nightshift/checkpoints/finetune-*/state.pt")))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, validated: Path) -> Path:
    """A project whose finetune ran through."""
    folder = copy_of(validated, tmp_path_factory.mktemp("undisturbed") / "project")
    run(folder, "-m", "tasks.finetune")
    return folder


@pytest.mark.parametrize("victim", ["dvc", pytest.param("tasks.finetune", marks=pytest.mark.slow)])
def test_killed_in_the_middle_it_resumes_and_ends_the_same_bit_for_bit(
    tmp_path: Path, validated: Path, undisturbed: Path, victim: str
) -> None:
    folder = copy_of(validated, tmp_path / "project")
    started = subprocess.Popen(
        [sys.executable, "-m", "dvc", "repro", "finetune"],
        cwd=folder, env=here(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    wait_for(lambda: checkpoint_saved(folder))
    target = started if victim == "dvc" else working_below(folder, victim)[-1]
    os.kill(target.pid, signal.SIGKILL)
    started.wait()
    wait_for(lambda: not working_below(folder, "tasks.finetune"), 10)
    assert not (folder / "models/finetuned").exists(), "nothing half-written is taken for whole"
    output = run(folder, "-m", "dvc", "repro", "finetune")
    assert "finetune" in stages_run(output)
    again, whole = (place / "models/finetuned/model.safetensors" for place in (folder, undisturbed))
    assert sha256(again) == sha256(whole)
    assert losses(folder) == losses(undisturbed)
    assert not checkpoint_saved(folder)


@pytest.mark.slow
def test_two_processes_lose_as_one_does_at_the_first_steps(tmp_path: Path, validated: Path) -> None:
    places = [tmp_path / "one", tmp_path / "two"]
    for count, place in enumerate(places, start=1):
        copy_of(validated, place, processes=count, dropout=0.0, precision="fp32")
        run(place, "-m", "tasks.finetune")
    one, two = (
        [float(row["loss"]) for row in losses(place) if row["split"] == "train"] for place in places
    )
    assert two[:3] == pytest.approx(one[:3], rel=1e-3)
    accuracies = [read(place, "finetune")["metrics"]["validation_accuracy"] for place in places]
    assert accuracies[1] == pytest.approx(accuracies[0], abs=0.1)


def test_a_killed_rank_ends_the_job_and_the_next_run_goes_on(
    tmp_path: Path, validated: Path
) -> None:
    folder = copy_of(validated, tmp_path / "project", processes=2)
    with open(tmp_path / "log", "w") as log:
        started = subprocess.Popen(
            [sys.executable, "-m", "tasks.finetune"],
            cwd=folder, env=here(folder), stdout=log, stderr=log,
        )  # fmt: skip
        wait_for(lambda: checkpoint_saved(folder))
        ranks = [
            child
            for child in psutil.Process(started.pid).children(recursive=True)
            if "spawn_main" in " ".join(child.cmdline())
        ]
        ranks[-1].kill()
        assert started.wait() == 1
    report = read(folder, "finetune")
    assert report["retryable"] is True
    assert "was killed by signal 9" in report["reason"]
    wait_for(lambda: not working_below(folder, "python"), 10)
    output = run(folder, "-m", "tasks.finetune")
    assert "going on from step" in output
