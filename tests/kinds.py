"""Every kind of task on real data, from end to end: each is a command, and prints its figures.

    .venv/bin/python -m tests.kinds ratings            the mean rating of a review, a regression
    .venv/bin/python -m tests.kinds domains            four domains over one encoder, and alone
    .venv/bin/python -m tests.kinds newsgroups         20 classes, long texts, their usual split
    .venv/bin/python -m tests.kinds chinese-reviews    two classes, in Chinese
    .venv/bin/python -m tests.kinds chinese-entities   people, places, organisations, in Chinese
    .venv/bin/python -m tests.kinds decoder            a decoder with LoRA: small, since it is slow

Every run works in a fresh clone of the last commit, below .nightshift/proofs, with params.yaml as
it is but for what its options say; `--levels 2` has `prune` make no more than two models. The
Chinese ones start from an encoder that is made here (tests/characters.py).
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import typer

from tests.made import ROOT
from tests.proofs import FOLDER, clone, read, run

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False)
DOMAINS = ("movies", "tweets", "amazon", "nyt")
Changes = dict[str, dict[str, Any]]
LEVELS = 8
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
def decoder(rows: int = 1000, epochs: int = 1) -> None:
    """SmolLM2 as a classifier through LoRA: 134.5 M parameters, which `prune` passes through.

    As few reviews as a hundred for validation and for test: the figures are rough.
    """
    table = FOLDER / "few-reviews.csv"
    table.parent.mkdir(parents=True, exist_ok=True)
    run(ROOT, "tasks.cli", "sample", "reviews", str(table), "--rows", str(rows))
    finish(
        "decoder",
        {
            "ingest": {"source": str(table)},
            "finetune": {
                "model": "sample:smollm2",
                "adapter": {"method": "lora", "rank": 8, "alpha": 16},
                "epochs": epochs,
                "batch": 16,
                "learning_rate": 5e-4,
                "max_length": 64,
            },
            "benchmark": {"rounds": 3, "texts": 50, "batch": 8},
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
    import pandas as pd

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
    return folder


def contenders(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the benchmark of a clone says of the fine-tuned model and of the release."""
    report = read(folder, "benchmark")
    rows = report["contenders"]
    return rows[0], next(row for row in rows if row["name"] == report["chosen"])


def print_side_by_side(together: Path, singles: dict[str, Path]) -> None:
    """One model of all tasks beside one for each: test figures, MB, ms for a text's answers."""
    one = contenders(together)[1]
    each = {name: contenders(folder)[1] for name, folder in singles.items()}
    print(f"PROOF {'':11}" + "".join(f"{name:>9}" for name in DOMAINS) + "      MB      ms")
    print_row("one model", {name: row["figure"] for name, row in one["test"]["heads"].items()}, one)
    for name, row in each.items():
        print_row(name, {name: row["test"]["figure"]}, row)
    if each:
        print_row(
            "four models",
            {name: row["test"]["figure"] for name, row in each.items()},
            *each.values(),
        )


def print_row(name: str, figures: dict[str, float], *models: dict[str, Any]) -> None:
    """A line of the table: what some models together say, weigh and take."""
    cells = [f"{100 * figures[task]:8.2f}%" if task in figures else " " * 9 for task in DOMAINS]
    megabytes = sum(row["weights_mb"] for row in models)
    ms = sum(row["speed"]["latency"]["p50"] for row in models)
    print(f"PROOF {name:11}{''.join(cells)}{megabytes:8.1f}{ms:8.2f}", flush=True)


if __name__ == "__main__":
    app()
