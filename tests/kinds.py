"""Every kind of task on real data, from end to end: each is a command, and prints its figures.

    .venv/bin/python -m tests.kinds ratings            the mean rating of a review, a regression
    .venv/bin/python -m tests.kinds domains            four domains over one encoder, and alone
    .venv/bin/python -m tests.kinds newsgroups         20 classes, long texts, their usual split
    .venv/bin/python -m tests.kinds chinese-reviews    two classes, in Chinese
    .venv/bin/python -m tests.kinds chinese-entities   people, places, organisations, in Chinese
    .venv/bin/python -m tests.kinds decoder            film reviews, by a decoder with LoRA

Every run works in a fresh clone of the last commit, below .nightshift/proofs, with params.yaml as
it is but for what its options say; `--levels` are the models that `prune` makes at most. The
Chinese ones start from an encoder that is made here (tests/characters.py).
"""

from __future__ import annotations

import csv
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd
import typer

from tasks.measuring.contender import Contender
from tasks.measuring.session import Plan, measure
from tasks.stage.cores import cores
from tests.made import ROOT
from tests.proofs import FOLDER, clone, read, run

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False)
DOMAINS = ("movies", "tweets", "amazon", "nyt")
Changes = dict[str, dict[str, Any]]
TEXTS_RACED = 200
LEVELS = 2
"""Models that `prune` makes at most, as in params.yaml."""


@app.command()
def ratings(epochs: int = 2, levels: int = LEVELS) -> None:
    """Movie reviews with their mean rating: a number is learnt."""
    finish(
        "ratings",
        {
            "ingest": {"source": "sample:ratings", "task": "regression"},
            "finetune": {"epochs": epochs},
        },
        levels,
    )


@app.command()
def domains(epochs: int = 2, alone: bool = True, levels: int = LEVELS) -> None:
    """Four domains over one encoder, and beside it a model for each of them."""
    tasks = dict.fromkeys(DOMAINS, "classification")
    changes: Changes = {
        "ingest": {"source": "sample:domains", "task": tasks, "task_column": "task"},
        "finetune": {"epochs": epochs},
    }
    together = finish("domains", changes, levels)
    singles = {}
    for name in DOMAINS if alone else ():
        changes["ingest"] = {"source": str(one_domain(name)), "task": "classification"}
        singles[name] = finish(f"domain-{name}", changes, levels)
    print_side_by_side(together, singles)


@app.command()
def newsgroups(epochs: int = 3, max_length: int = 256, levels: int = LEVELS) -> None:
    """20 newsgroups by the split that everybody uses."""
    finish(
        "newsgroups",
        {
            "ingest": {"source": "sample:newsgroups", "split": "split"},
            "finetune": {"epochs": epochs, "max_length": max_length},
        },
        levels,
    )


@app.command()
def chinese_reviews(epochs: int = 3, adapt: int = 2, levels: int = LEVELS) -> None:
    """Chinese reviews: two classes, after `adapt` epochs of learning the language."""
    chinese("chinese-reviews", {"source": "sample:chinese-reviews"}, epochs, adapt, levels)


@app.command()
def chinese_entities(epochs: int = 4, adapt: int = 2, levels: int = LEVELS) -> None:
    """The People's Daily: people, places and organisations, the last days of a month for test."""
    ingest = {"source": "sample:chinese-entities", "task": "entities", "split": "split"}
    chinese("chinese-entities", ingest, epochs, adapt, levels)


@app.command()
def decoder(epochs: int = 1) -> None:
    """SmolLM2 as a classifier through LoRA: 134.5 M parameters, which `prune` passes through."""
    finish(
        "decoder",
        {
            "finetune": {
                "model": "sample:smollm2",
                "adapter": {"method": "lora", "rank": 8, "alpha": 16},
                "epochs": epochs,
                "batch": 16,
                "learning_rate": 5e-4,
                "max_length": 64,
            }
        },
    )


@app.command()
def chinese_encoder(source: str, folder: Path) -> None:
    """Only the encoder that the Chinese proofs start from, made for the texts of `source`."""
    ingest = {"source": source}
    if source == "sample:chinese-entities":
        ingest |= {"task": "entities", "split": "split"}
    home = clone("chinese-encoder", {"ingest": ingest})
    make_chinese(home, folder)


def chinese(name: str, ingest: dict[str, Any], epochs: int, adapt: int, levels: int) -> Path:
    """A run on Chinese texts, from an encoder made for those of its training split."""
    folder = clone(name, {"ingest": ingest})
    encoder = make_chinese(folder, FOLDER / f"{name}-encoder")
    finetune = {"model": str(encoder), "epochs": epochs, "learning_rate": 2e-4}
    if adapt:
        finetune["adapt"] = {"epochs": adapt}
    return finish(name, {"ingest": ingest, "finetune": finetune}, levels)


def make_chinese(home: Path, folder: Path) -> Path:
    """The encoder for the training texts of a clone, which is run up to `ingest`."""
    from tasks.sources.samples import sample_folder
    from tests.characters import make_encoder

    run(home, "dvc", "repro", "--quiet", "ingest")
    texts = pd.read_parquet(home / "data" / "dataset" / "train.parquet", columns=["text"])["text"]
    return make_encoder(sample_folder("minilm"), texts.tolist(), folder)


def one_domain(name: str) -> Path:
    """The rows of one domain as a CSV of one's own."""
    table, own = FOLDER / "domains.csv", FOLDER / f"{name}.csv"
    table.parent.mkdir(parents=True, exist_ok=True)
    run(ROOT, "tasks.cli", "sample", "domains", str(table))
    with (
        open(table, encoding="utf-8", newline="") as read_from,
        open(own, "w", encoding="utf-8", newline="") as file,
    ):
        rows = csv.reader(read_from)
        header = next(rows)
        at = header.index("task")
        csv.writer(file).writerows([header, *(row for row in rows if row[at] == name)])
    return own


def finish(name: str, changes: Changes, levels: int = LEVELS) -> Path:
    """Run the whole graph in a fresh clone and print what came out; the clone."""
    folder = clone(name, {**changes, "prune": {"max_levels": levels}})
    seconds = run(folder, "tasks.cli", "run")
    report, found = read(folder, "benchmark"), read(folder, "metrics")["release"]
    base, chosen = contenders(folder)
    metric = report["metric"]
    splits = ("validation", "test")
    before, after = (
        ", ".join(f"{each[split]['figure']:.4f} {split}" for split in splits)
        for each in (base, chosen)
    )
    lost = ", ".join(f"{chosen[split]['drop']:+.2f} {split}" for split in splits)
    others = ", ".join(f"{key} {value:.4f}" for key, value in chosen["test"]["others"].items())
    simple = ", ".join(f"{row['name']} {row['test']['figure']:.4f}" for row in report["honest"])
    print(
        f"PROOF {name}: {metric}, fine-tuned {before}; release {chosen['name']} {after}; points "
        f"lost {lost}; {found['speedup']:.1f}x, batches {found['throughput_speedup']:.1f}x; "
        f"{chosen['weights_mb']:.1f} MB for {base['weights_mb']:.1f}; {seconds:.0f} s\n"
        f"PROOF {name}: on test {others}; without a transformer {simple}",
        flush=True,
    )
    for preset, ships in report["presets"].items():
        print(f"PROOF {name}: {preset}: {shipped(report, ships)}", flush=True)
    return folder


def shipped(report: dict[str, Any], name: str | None) -> str:
    """What a preset would ship, and what that costs and buys."""
    if name is None:
        return "nothing is within its drop"
    row = next(row for row in report["contenders"] if row["name"] == name)
    speed, test = row["speed"], row["test"]
    return (
        f"{name}, {speed['speedup']['median']:.1f}x, batches "
        f"{speed['throughput_speedup']['median']:.1f}x, {row['weights_mb']:.1f} MB, "
        f"{test['drop']:+.2f} points lost on test"
    )


def contenders(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the benchmark of a clone says of the fine-tuned model and of the release."""
    report = read(folder, "benchmark")
    rows = report["contenders"]
    return rows[0], next(row for row in rows if row["name"] == report["chosen"])


def print_side_by_side(together: Path, singles: dict[str, Path]) -> None:
    """One model of all tasks beside one for each: test figures, MB, ms for a text's answers.

    The latencies are those of one race on the same texts, in which nothing else is measured.
    """
    folders = {"one model": together, **singles}
    rows = {name: contenders(folder)[1] for name, folder in folders.items()}
    took = race({name: folder / "models" / "release" for name, folder in folders.items()}, together)
    print(f"PROOF {'':11}" + "".join(f"{name:>9}" for name in DOMAINS) + "      MB      ms")
    figures = {name: row["figure"] for name, row in rows["one model"]["test"]["heads"].items()}
    print_row("one model", figures, [rows["one model"]], [took["one model"]])
    alone = {name: rows[name]["test"]["figure"] for name in singles}
    for name, figure in alone.items():
        print_row(name, {name: figure}, [rows[name]], [took[name]])
    if singles:
        each = [*singles]
        print_row(
            "four models", alone, [rows[name] for name in each], [took[name] for name in each]
        )


def race(releases: dict[str, Path], folder: Path) -> dict[str, float]:
    """Median ms of each release at one text at a time, of the test split of a clone."""
    texts = pd.read_parquet(folder / "data" / "dataset" / "test.parquet", columns=["text"])["text"]
    some = texts.sample(TEXTS_RACED, random_state=0).tolist()
    racers = [Contender(name, "release", path, cores()) for name, path in releases.items()]
    plan = Plan(rounds=5, single=TEXTS_RACED, batch=32, seed=17, throughput=False)
    found, _ = measure(racers, some, some, plan, "side by side")
    return {
        each.contender.name: 1000 * median(second for one in each.samples.latency for second in one)
        for each in found
    }


def print_row(
    name: str, figures: dict[str, float], models: list[dict[str, Any]], milliseconds: list[float]
) -> None:
    """A line of the table: what some models together say, weigh and take."""
    cells = [f"{100 * figures[task]:8.2f}%" if task in figures else " " * 9 for task in DOMAINS]
    megabytes, ms = sum(row["weights_mb"] for row in models), sum(milliseconds)
    print(f"PROOF {name:11}{''.join(cells)}{megabytes:8.1f}{ms:8.2f}", flush=True)


if __name__ == "__main__":
    app()
