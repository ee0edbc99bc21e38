"""finetune: a pre-trained checkpoint becomes a model of the task.

Takes the dataset that `validate` approved and the base model that `snapshot` pinned; trains with
mixed precision on one or several processes, stops early, goes on where it was killed; leaves a
plain `save_pretrained` folder.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from tasks.data.dataset import Examples, read_examples, split_path
from tasks.params.finetune import Finetune
from tasks.sources.pretrained import fetch_model
from tasks.stage.errors import BadInput
from tasks.stage.outputs import read_json, sha256, whole
from tasks.stage.run import run_stage
from tasks.training.batches import encode
from tasks.training.checkpoints import Checkpoint, checkpoint_key, forget
from tasks.training.classifier import cross_entropy, load_pretrained, load_tokenizer
from tasks.training.history import write_curves
from tasks.training.loop import History, fit
from tasks.training.memory import plan_training, shape_of
from tasks.training.plan import Plan
from tasks.training.ranks import launch, rank

MODEL = Path("models/finetuned")
CURVES = Path("reports/plots/finetune.csv")


def finetune(params: Finetune) -> dict[str, Any]:
    """The stage: returns the findings for `reports/finetune.json`."""
    approved = read_approved()
    base = read_json("models/base.json")
    folder = fetch_model(base)
    plan = plan_training(params, shape_of(folder))
    print(f"finetune: {base['model']} on {plan.device}, {'; '.join(plan.why)}", flush=True)
    key = checkpoint_key(
        params=params.model_dump(), data=approved["splits"], base=base["files"], plan=asdict(plan)
    )
    with whole(MODEL) as draft:
        checkpoint = Checkpoint.of("finetune", key)
        labels = approved["labels"]
        history = launch(plan, train, params, folder, labels, checkpoint, draft)
    write_curves(CURVES, history)
    forget("finetune")
    return report(history, plan, labels)


def train(
    plan: Plan, params: Finetune, base: Path, labels: list[str], checkpoint: Checkpoint, draft: Path
) -> History:
    """What every rank does; rank 0 saves the model to `draft`."""
    tokenizer = load_tokenizer(base, params.max_length)
    number = {label: i for i, label in enumerate(labels)}

    def encoded(examples: Examples) -> Any:
        ids = [number[label] for label in examples.labels]
        return encode(tokenizer, examples.texts, ids, params.max_length)

    torch.manual_seed(params.seed)
    model = load_pretrained(
        base, tokenizer, labels, plan.attention, params.max_length, params.dropout
    ).to(plan.device)
    examples = read_examples("train")
    history = fit(
        model,
        cross_entropy,
        encoded(examples),
        encoded(read_examples("validation")),
        params,
        plan,
        checkpoint,
        title="finetune",
        names=examples.ids,
    )
    if rank() == 0:
        model.cpu().save_pretrained(draft)  # type: ignore[operator]
        tokenizer.save_pretrained(draft)
    return history


def read_approved() -> dict[str, Any]:
    """`data/approved.json`; raises BadInput when the dataset is not the one that passed."""
    approved: dict[str, Any] = read_json("data/approved.json")
    for split, facts in approved["splits"].items():
        if split != "test" and sha256(split_path(split)) != facts["sha256"]:
            raise BadInput(f"{split_path(split)} is not what validate approved: run validate again")
    return approved


def report(history: History, plan: Plan, labels: list[str]) -> dict[str, Any]:
    """The findings of a run."""
    best = history.evaluations[history.best]
    return {
        "metrics": {
            "validation_accuracy": best["accuracy"],
            "validation_loss": best["loss"],
            "best_epoch": best["epoch"],
            "steps": history.evaluations[-1]["step"],
            "skipped_steps": len(history.skipped),
        },
        "labels": labels,
        "stopped_early": history.stopped_early,
        "evaluations": history.evaluations,
        "losses": history.losses,
        "skipped": history.skipped,
        "plan": plan.describe(),
    }


if __name__ == "__main__":
    run_stage("finetune", Finetune, finetune)
