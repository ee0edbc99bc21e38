"""finetune: a pre-trained checkpoint becomes a model of the task.

Takes the dataset that `validate` approved and the base model that `snapshot` pinned; trains with
mixed precision on one or several processes, stops early, goes on where it was killed; leaves a
plain `save_pretrained` folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from tasks.data.dataset import Examples, read_examples, split_path
from tasks.params.finetune import Finetune
from tasks.sources.pretrained import fetch_model
from tasks.stage.errors import BadInput
from tasks.stage.outputs import read_json, sha256, whole
from tasks.stage.run import run_stage
from tasks.training.adapters import adapted, merged, taught
from tasks.training.adversarial import Adversary
from tasks.training.batches import Encoded, encode
from tasks.training.checkpoints import Checkpoint, checkpoint_key, forget
from tasks.training.classifier import cross_entropy, load_pretrained, load_tokenizer
from tasks.training.history import write_curves
from tasks.training.hosts import owns_outputs
from tasks.training.layouts import whole_weights
from tasks.training.loop import History, fit, steps_of
from tasks.training.memory import plan_training, shape_of
from tasks.training.methods import Methods
from tasks.training.parts import freeze
from tasks.training.plan import Plan
from tasks.training.ranks import agree, launch, rank
from tasks.training.steps import Objective

MODEL = Path("models/finetuned")
CURVES = Path("reports/plots/finetune.csv")
LAYOUT = {
    "device", "precision", "processes", "threads", "hosts", "sharding", "micro_batch",
    "gradient_checkpointing",
}  # fmt: skip
"""Where and how a run computes: another one may go on from its checkpoint, or is told why not."""


def finetune(params: Finetune) -> dict[str, Any]:
    """The stage: returns the findings for `reports/finetune.json`."""
    approved = read_approved()
    base = read_json("models/base.json")
    folder = fetch_model(base)
    plan = plan_training(params, shape_of(folder))
    print(f"finetune: {base['model']} on {plan.device}, {'; '.join(plan.why)}", flush=True)
    key = checkpoint_key(
        params=params.model_dump(exclude=LAYOUT), data=approved["splits"], base=base["files"]
    )
    checkpoint, labels = Checkpoint.of("finetune", key), approved["labels"]
    if not owns_outputs(plan.hosts):
        launch(plan, train, params, folder, labels, checkpoint, None)
        return {"metrics": {}, "outputs": "host 0 has them"}
    with whole(MODEL) as draft:
        history = launch(plan, train, params, folder, labels, checkpoint, draft)
    write_curves(CURVES, history)
    forget("finetune")
    return report(history, plan, labels)


def train(
    plan: Plan, params: Finetune, base: Path, labels: list[str], checkpoint: Checkpoint,
    draft: Path | None,
) -> History:  # fmt: skip
    """What every rank does; rank 0 saves the model to `draft`, which its host has.

    Raises BadInput when the hosts don't have the same data, base model and parameters.
    """
    agree("the data, the base model or the parameters", checkpoint.path.parent.name)
    tokenizer = load_tokenizer(base, params.max_length)
    number = {label: i for i, label in enumerate(labels)}

    def encoded(examples: Examples) -> Encoded:
        ids = [number[label] for label in examples.labels]
        return encode(tokenizer, examples.texts, ids, params.max_length)

    examples = read_examples("train")
    model = build(params, base, tokenizer, labels, plan, len(examples))
    objective, methods = how(params, model)
    history = fit(
        model,
        objective,
        encoded(examples),
        encoded(read_examples("validation")),
        params,
        plan,
        checkpoint,
        title="finetune",
        names=examples.ids,
        methods=methods,
    )
    weights = whole_weights(model) if plan.sharded else None
    if draft is not None and rank() == 0:
        if weights is not None:
            model = build(params, base, tokenizer, labels, plan, len(examples))
            model.load_state_dict(weights)
        plain: Any = merged(model) if params.adapter else model
        plain.cpu().save_pretrained(draft)
        tokenizer.save_pretrained(draft)
    return history


def build(
    params: Finetune, base: Path, tokenizer: Any, labels: list[str], plan: Plan, examples: int
) -> nn.Module:
    """The model as it is before training: new head, adapters, what is frozen."""
    torch.manual_seed(params.seed)
    model = load_pretrained(
        base, tokenizer, labels, plan.attention, params.max_length, params.dropout
    )
    if params.adapter is not None:
        model = adapted(model, params.adapter, steps_of(examples, params))
    freeze(model, params.freeze_embeddings, params.freeze_layers)
    return model.to(plan.device)


def how(params: Finetune, model: nn.Module) -> tuple[Objective, Methods]:
    """What is minimised, and what is done besides."""
    objective: Objective = cross_entropy
    companion = None
    if params.adapter is not None:
        objective, companion = taught(model, params.adapter, objective)
    adversary = None
    if (wish := params.adversarial) is not None:
        adversary = Adversary(wish.radius, wish.steps if wish.method == "pgd" else 1)
    return objective, Methods(params.layer_decay, params.ema, adversary, companion)


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
            "trained_share": round(history.trained_share, 6),
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
