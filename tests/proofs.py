"""Proofs that take too long for the test suite: each is a command, and prints its table.

    .venv/bin/python -m tests.proofs processes   one process against two, over seven seeds
    .venv/bin/python -m tests.proofs overhead    a stage on a worker against plain `dvc repro`

Every run works in a fresh clone of the last commit, below .nightshift/proofs.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer
import yaml

from tests.made import ROOT

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False)
FOLDER = ROOT / ".nightshift" / "proofs"


def clone(name: str, changes: dict[str, dict[str, Any]]) -> Path:
    """A fresh clone with some parameters changed."""
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    path = folder / "params.yaml"
    params = yaml.safe_load(path.read_text(encoding="utf-8"))
    for section, values in changes.items():
        params[section].update(values)
    path.write_text(yaml.safe_dump(params), encoding="utf-8")
    return folder


def run(folder: Path, *arguments: str) -> float:
    """Run `nightshift` in a clone, on the clone's own code; seconds it took."""
    bin_folder = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder),
        "PATH": f"{bin_folder}:{os.environ['PATH']}",
    }
    started = time.monotonic()
    subprocess.run([sys.executable, "-m", *arguments], cwd=folder, env=environment, check=True)
    return time.monotonic() - started


def read(folder: Path, name: str) -> Any:
    return json.loads((folder / "reports" / f"{name}.json").read_text(encoding="utf-8"))


def unlike_a_laptop(entries: Mapping[str, Any], lock: Path) -> list[str]:
    """The outputs of some stages, by their lock entries, that a laptop's `dvc.lock` has not so."""
    stages = yaml.safe_load(lock.read_text(encoding="utf-8"))["stages"]
    return [
        out["path"]
        for stage, entry in entries.items()
        for out in entry["outs"]
        if out not in stages[stage]["outs"]
    ]


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


@app.command()
def processes(seeds: list[int] = [*range(17, 24)], epochs: int = 1) -> None:  # noqa: B006
    """finetune with one and with two processes at the same effective batch."""
    start = clone("processes", {})
    run(start, "dvc", "repro", "--quiet", "validate")
    accuracies: dict[int, list[float]] = {1: [], 2: []}
    for seed in seeds:
        for count, found in accuracies.items():
            path = start / "params.yaml"
            params = yaml.safe_load(path.read_text(encoding="utf-8"))
            params["finetune"].update(seed=seed, processes=count, epochs=epochs)
            path.write_text(yaml.safe_dump(params), encoding="utf-8")
            seconds = run(start, "tasks.finetune")
            report = read(start, "finetune")
            found.append(100 * report["metrics"]["validation_accuracy"])
            first = ", ".join(f"{row['loss']:.3f}" for row in report["losses"][:3])
            print(
                f"PROOF seed {seed}, {count} process(es): {found[-1]:.2f} % on validation, first "
                f"losses {first}, {seconds:.0f} s",
                flush=True,
            )
    one, two = (mean(found) for found in accuracies.values())
    print(f"PROOF mean: one {one:.2f} %, two {two:.2f} %, difference {two - one:+.2f} points")


@app.command()
def overhead(rounds: int = 3) -> None:
    """Every stage of the tiny project by plain `dvc repro` and as a worker does it, by turns."""
    from statistics import median

    from tests.handover.project import Worker
    from tests.made import make_tiny_model, opinions, write_csv
    from tests.test_end_to_end import STAGES, project

    home = FOLDER / "overhead"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    source = write_csv(home / "mine.csv", opinions(), ("review", "verdict"))
    laptop = home / "project"
    laptop.mkdir()
    project(laptop, make_tiny_model(home / "model"), source)
    worker = Worker(home / "worker", str(home / "store"), laptop)
    plain: dict[str, list[float]] = {}
    handed: dict[str, list[float]] = {}
    for number in range(rounds):
        worker("prepare", "--run", f"round-{number}")
        for stage in STAGES:
            arguments = ["dvc", "repro", "--single-item", "--force", "--quiet", stage]
            plain.setdefault(stage, []).append(run(laptop, *arguments))
            started = time.monotonic()
            worker("stage", stage, "--run", f"round-{number}", "--force")
            handed.setdefault(stage, []).append(time.monotonic() - started)
    for stage in STAGES:
        one, other = median(plain[stage]), median(handed[stage])
        print(f"PROOF {stage}: plain {one:.1f} s, on a worker {other:.1f} s: {other - one:+.1f} s")


if __name__ == "__main__":
    app()
