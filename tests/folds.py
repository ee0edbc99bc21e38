"""What compression costs, over five disjoint folds: each text of the sample is tested once.

    .venv/bin/python -m tests.folds

Each fold is the whole graph in a fresh clone of the last commit, below .nightshift/proofs: its test
split is a fifth of the texts, a tenth of the others is the validation split. What each preset would
ship (`benchmark.preset`) is held against the fold's own fine-tuned model, text by text; the folds'
texts are then one test. 45 minutes on two cores; a fold that this commit has run is not run again.
"""

from __future__ import annotations

import csv
import hashlib
import subprocess
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np
import typer

from tasks.inference.predictor import Predictor
from tasks.measuring.contender import PIPELINE
from tasks.measuring.paired import compare
from tasks.params.benchmark import PRESETS
from tasks.stage.errors import BadInput
from tasks.task.classification import Classification
from tasks.training.batches import encode
from tasks.training.classifier import load_finetuned, load_tokenizer
from tasks.training.plan import OnCpu, make_plan
from tasks.training.scoring import predict
from tests.made import ROOT
from tests.proofs import FOLDER, clone, read, run

FOLDS = 5
HELD_OUT = 10
"""One in so many of the texts that are not tested is for validation."""
Times = tuple[float, float, float]
"""How many times as fast as transformers' pipeline: the mean text, the median one, batches."""

TASK = Classification(("negative", "positive"))


app = typer.Typer(add_completion=False)


@app.command(help=__doc__)
def main(only: list[int] = list(range(FOLDS))) -> None:  # noqa: B006
    """`only`: the folds to run, from 0."""
    found: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {name: [] for name in PRESETS}
    speeds: dict[str, list[Times]] = {name: [] for name in PRESETS}
    for fold in only:
        texts, labels, folder = one_fold(fold)
        right: dict[str, np.ndarray] = {}
        reference = hits(finetuned(folder, texts), labels)
        report = read(folder, "benchmark")
        rows = {row["name"]: row for row in report["contenders"]}
        baseline = rows[PIPELINE]["speed"]["latency"]["p50"]
        for preset, ships in report["presets"].items():
            if ships is None:
                raise BadInput(f"fold {fold}: {preset} ships nothing: none is within its drop")
            row = rows[ships]
            if ships not in right:
                told = Predictor.load(folder / "models/onnx" / ships)(texts)
                right[ships] = hits([answer.label for answer in told], labels)
            found[preset].append((right[ships], reference))
            speeds[preset].append(
                times := (
                    row["speed"]["speedup"]["median"],
                    baseline / row["speed"]["latency"]["p50"],
                    row["speed"]["throughput_speedup"]["median"],
                )
            )
            tell(
                f"fold {fold}, {preset}: {ships}",
                found[preset][-1:],
                [times],
                row["weights_mb"],
            )
    for preset in PRESETS:
        tell(f"{len(only)} folds, {preset}", found[preset], speeds[preset])


def one_fold(fold: int) -> tuple[list[str], list[str], Path]:
    """Run the graph on a fold: its test texts, their labels, and the clone."""
    whole, own = FOLDER / "reviews.csv", FOLDER / f"fold-{fold}.csv"
    FOLDER.mkdir(parents=True, exist_ok=True)
    run(ROOT, "tasks.cli", "sample", "reviews", str(whole))
    with whole.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with own.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["text", "label", "split"])
        writer.writeheader()
        for row in rows:
            split = split_of(row["text"], fold)
            writer.writerow({"text": row["text"], "label": row["label"], "split": split})
    folder = FOLDER / f"fold-{fold}"
    if not (folder / "reports/benchmark.json").is_file() or commit(folder) != commit(ROOT):
        ingest = {"source": str(own), "split": "split", "unlabelled": "sample:comments"}
        folder = clone(f"fold-{fold}", {"ingest": ingest})
        seconds = run(folder, "tasks.cli", "run")
        print(f"PROOF fold {fold}: {seconds:.0f} s", flush=True)
    tested = [row for row in rows if split_of(row["text"], fold) == "test"]
    return [row["text"] for row in tested], [row["label"] for row in tested], folder


def finetuned(folder: Path, texts: list[str]) -> list[str]:
    """What a fold's fine-tuned model says, in PyTorch, all texts going through all layers."""
    source = folder / "models/finetuned"
    model, tokenizer = load_finetuned(source, "eager"), load_tokenizer(source)
    length = tokenizer.model_max_length
    encoded = encode(tokenizer, texts, None, TASK, length)
    told = predict(model, encoded, make_plan(OnCpu(), length)).argmax(1)
    return [TASK.labels[at] for at in told]


def hits(told: Sequence[str | None], labels: list[str]) -> np.ndarray:
    """1 where an answer is the label, otherwise 0: [texts, 1]."""
    return np.array([[one == label] for one, label in zip(told, labels, strict=True)], np.float64)


def commit(folder: Path) -> str:
    """What a checkout is at."""
    return subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=folder, text=True).strip()


def split_of(text: str, fold: int) -> str:
    """Where a text belongs; equal texts belong together."""
    number = int.from_bytes(hashlib.sha256(text.lower().encode()).digest()[:8], "big")
    if number % FOLDS == fold:
        return "test"
    return "validation" if number // FOLDS % HELD_OUT == 0 else "train"


def tell(
    name: str, pairs: list[tuple[np.ndarray, np.ndarray]], times: list[Times],
    megabytes: float | None = None,
) -> None:  # fmt: skip
    """The points lost by all the texts of some folds, and the speeds."""
    mine, theirs = (np.concatenate([pair[side] for pair in pairs]) for side in (0, 1))
    result = compare(TASK, mine, theirs, seed=17)
    low, high = result.drop_interval
    alone, median_text, together = (
        f"{median(each):.1f}x ({min(each):.1f} to {max(each):.1f})"
        for each in zip(*times, strict=True)
    )
    size = "" if megabytes is None else f", {megabytes:.1f} MB"
    print(
        f"PROOF {name}: {100 * result.figure:.2f} % for {100 * result.reference:.2f} % of "
        f"{result.texts:,} texts, {result.drop:.2f} points lost ({low:.2f} to {high:.2f}); "
        f"{alone}, the median text {median_text}, batches {together}{size}",
        flush=True,
    )


if __name__ == "__main__":
    app()
