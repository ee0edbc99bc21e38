"""What a method of training is worth on the sample: each is a command, and prints its table.

    .venv/bin/python -m tests.methods scarce    a defence against overfitting, on 500 examples
    .venv/bin/python -m tests.methods lora      an adapter beside full fine-tuning

Every run is the stage itself, in a fresh clone of the last commit, below .nightshift/proofs; what
it trained is then asked for the sample's whole test split.
"""

from __future__ import annotations

import json
from math import sqrt
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import typer
import yaml

from tests.proofs import clone, read, run

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False)


@app.command()
def scarce(
    seeds: list[int] = [17, 18, 19, 20, 21],  # noqa: B006
    examples: int = 500,
    epochs: int = 6,
    method: str = "fgm",
    radius: float = 0.04,
) -> None:
    """With and without `finetune.adversarial`, on other examples under every seed."""
    if len(seeds) < 2:
        raise typer.BadParameter("an interval takes at least two", param_hint="--seeds")
    from scipy.stats import t  # type: ignore[import-untyped]

    folder = ready("methods-scarce")
    train = folder / "data" / "dataset" / "train.parquet"
    everything = train.read_bytes()
    plain: list[float] = []
    defended: list[float] = []
    for seed in seeds:
        keep_some(folder, everything, examples, seed)
        for wish, found in ((None, plain), ({"method": method, "radius": radius}, defended)):
            recipe = {"seed": seed, "epochs": epochs, "patience": epochs, "adversarial": wish}
            found.append(trained(folder, f"seed {seed}, {method if wish else 'plain'}", recipe))
    gains = [100 * (one - other) for one, other in zip(defended, plain, strict=True)]
    half = float(t.ppf(0.975, len(gains) - 1)) * stdev(gains) / sqrt(len(gains))
    print(
        f"PROOF {examples} examples: plain {100 * mean(plain):.2f} % on test, {method} of "
        f"radius {radius:g} {100 * mean(defended):.2f} %; mean gain {mean(gains):+.2f} points, "
        f"95 % interval {mean(gains) - half:+.2f} to {mean(gains) + half:+.2f} ({len(gains)} seeds)"
    )


@app.command()
def lora(seeds: list[int] = [17], epochs: int = 3, rate: float = 1e-3) -> None:  # noqa: B006
    """Full fine-tuning as params.yaml has it, beside LoRA on four kinds of matrices."""
    folder = ready("methods-lora")
    adapter = {"method": "lora", "targets": ["query", "key", "value", "dense"]}
    differences = []
    for seed in seeds:
        full = trained(folder, f"seed {seed}, full", {"seed": seed})
        how = {"seed": seed, "adapter": adapter, "epochs": epochs, "learning_rate": rate}
        differences.append(100 * (trained(folder, f"seed {seed}, lora", how) - full))
    print(f"PROOF lora: {mean(differences):+.2f} points on test against full fine-tuning")


def ready(name: str) -> Path:
    """A clone with the data that `validate` approved."""
    folder = clone(name, {})
    run(folder, "dvc", "repro", "--quiet", "validate")
    return folder


def keep_some(folder: Path, everything: bytes, examples: int, seed: int) -> None:
    """Leave so many rows of the training split, drawn by `seed`, and have them approved."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from tasks.stage.outputs import sha256

    table = pq.read_table(pa.BufferReader(everything)).to_pandas()
    path = folder / "data" / "dataset" / "train.parquet"
    path.unlink()
    table.sample(examples, random_state=seed).to_parquet(path, index=False)
    note = folder / "data" / "approved.json"
    approved: dict[str, Any] = json.loads(note.read_text(encoding="utf-8"))
    approved["splits"]["train"] |= {"sha256": sha256(path), "rows": examples}
    note.unlink()
    note.write_text(json.dumps(approved), encoding="utf-8")


def trained(folder: Path, title: str, recipe: dict[str, Any]) -> float:
    """The test accuracy of what `finetune` makes with these parameters."""
    path = folder / "params.yaml"
    original = path.read_text(encoding="utf-8")
    params = yaml.safe_load(original)
    params["finetune"].update(recipe)
    path.write_text(yaml.safe_dump(params), encoding="utf-8")
    seconds = run(folder, "tasks.finetune")
    path.write_text(original, encoding="utf-8")
    accuracy = accuracy_on_test(folder)
    found = read(folder, "finetune")["metrics"]
    print(
        f"PROOF {title}: {100 * accuracy:.2f} % on test, {100 * found['validation_accuracy']:.2f} "
        f"% on validation, {100 * found['trained_share']:.1f} % of the parameters trained, "
        f"{seconds:.0f} s",
        flush=True,
    )
    return accuracy


def accuracy_on_test(folder: Path) -> float:
    """Of the model that a clone holds, by PyTorch."""
    from tasks.data.dataset import read_examples
    from tasks.training.batches import encode
    from tasks.training.classifier import load_finetuned, load_tokenizer, task_of_model
    from tasks.training.plan import Plan
    from tasks.training.scoring import predict

    home = folder / "models" / "finetuned"
    tokenizer, model = load_tokenizer(home), load_finetuned(home, "sdpa")
    task, examples = task_of_model(model), read_examples("test", folder / "data" / "dataset")
    truth = task.truths(examples.labels, examples.tasks)
    texts = encode(tokenizer, examples.texts, truth, task, tokenizer.model_max_length)
    plan = Plan("cpu", "gloo", "fp32", "sdpa", processes=1, threads=2, why=())
    return float((predict(model, texts, plan).argmax(1) == texts.labels).mean())


if __name__ == "__main__":
    app()
