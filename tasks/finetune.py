"""finetune: a pre-trained checkpoint becomes a model of the task.

Takes the dataset that `validate` approved and the base model that `snapshot` pinned; trains with
mixed precision on one or several processes, stops early, goes on where it was killed; leaves a
plain `save_pretrained` folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tasks.data.dataset import UNLABELLED_TEXTS, read_examples, read_unlabelled, split_path
from tasks.params.finetune import Finetune
from tasks.sources.pretrained import fetch_model
from tasks.stage.errors import BadInput
from tasks.stage.outputs import read_json, sha256, whole
from tasks.stage.run import run_stage
from tasks.task import Task, task_of
from tasks.tracking.tracking import open_tracking
from tasks.training.adaptation import read_domain, take_over
from tasks.training.adapters import adapted, merged, taught
from tasks.training.adversarial import Adversary
from tasks.training.batches import Encoded, encode
from tasks.training.checkpoints import Checkpoint, checkpoint_key, forget
from tasks.training.classifier import load_pretrained, load_tokenizer, model_type_of
from tasks.training.first_token import reading_first
from tasks.training.guessing import texts_of
from tasks.training.history import History, write_curves
from tasks.training.hosts import owns_outputs
from tasks.training.layouts import Tensors, whole_weights
from tasks.training.loop import fit, steps_of
from tasks.training.memory import plan_training, shape_of
from tasks.training.methods import Methods
from tasks.training.objective import TaskLoss, shaping_of
from tasks.training.parts import freeze, trained_share
from tasks.training.plan import Plan
from tasks.training.pooling import check_pooling, pooled
from tasks.training.ranks import agree, launch, rank
from tasks.training.rewriting import rewritten
from tasks.training.sampling import draws
from tasks.training.steps import Objective
from tasks.training.vocabulary import Vocabulary

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
    task = task_of(approved["task"], "data/approved.json: task")
    unlabelled = sha256(UNLABELLED_TEXTS) if reads_unlabelled(params) else None
    key = checkpoint_key(
        params=params.model_dump(exclude=LAYOUT), data=approved["splits"], base=base["files"],
        task=task.describe(), unlabelled=unlabelled,
    )  # fmt: skip
    checkpoint = Checkpoint.of("finetune", key)
    if not owns_outputs(plan.hosts):
        launch(plan, train, params, folder, task, checkpoint, None)
        return {"metrics": {}, "outputs": "host 0 has them"}
    with whole(MODEL) as draft:
        history = launch(plan, train, params, folder, task, checkpoint, draft)
    write_curves(CURVES, history)
    forget("finetune")
    return report(history, plan, task)


def train(
    plan: Plan, params: Finetune, base: Path, task: Task, checkpoint: Checkpoint,
    draft: Path | None,
) -> History:  # fmt: skip
    """What every rank does; rank 0 saves the model to `draft`, which its host has.

    Raises BadInput when the hosts don't have the same data, base model and parameters.
    """
    agree("the data, the base model or the parameters", checkpoint.path.parent.name)
    tokenizer = load_tokenizer(base, params.max_length)
    check_pooling(params.pooling, model_type_of(base), task.per_token)
    lessons, ids, truth = encoded("train", tokenizer, task, params)
    validation, _, _ = encoded("validation", tokenizer, task, params)
    drawn = draws([truth[text] for text in lessons.texts], task, params.sampling)
    encoder, adaptation = adapted_encoder(plan, params, base, tokenizer, checkpoint)
    fresh = partial(build, params, base, tokenizer, task, plan, len(lessons), encoder)
    model = fresh()
    share = trained_share(model)
    vocabulary = Vocabulary(model, [lessons, validation])
    lessons, validation = (vocabulary.renumbered(each) for each in (lessons, validation))
    vocabulary.narrow(model)
    objective, methods = how(params, model, task, truth)
    tracked = None
    if rank() == 0 and draft is not None:
        run = checkpoint.path.parent.name
        tracked = open_tracking("finetune", params.model_dump(), run, task.metric)
    history = fit(
        model,
        objective,
        lessons,
        validation,
        params,
        plan,
        checkpoint,
        title="finetune",
        names=[ids[text] for text in lessons.texts],
        methods=methods,
        watchers=[tracked] if tracked else [],
        draws=drawn,
    )
    history.adaptation, history.trained_share = adaptation, share
    weights = whole_weights(model) if plan.sharded else None
    if draft is not None and rank() == 0:
        if weights is not None:
            model = vocabulary.narrow(fresh())
            model.load_state_dict(weights)
        with vocabulary.whole(model):
            plain: Any = merged(model) if params.adapter else model
            plain.cpu().save_pretrained(draft)
        tokenizer.save_pretrained(draft)
    return history


def encoded(
    split: str, tokenizer: Any, task: Task, params: Finetune
) -> tuple[Encoded, list[str], list[str]]:
    """A split as the model takes it, the id of each of its texts, and what is true of each."""
    examples = read_examples(split)
    if split == "train" and params.augment is not None:
        examples = rewritten(examples, task, params.augment, params.seed)
    truth = task.truths(examples.labels, examples.tasks)
    found = encode(tokenizer, examples.texts, truth, task, params.max_length, params.window_stride)
    return found, examples.ids, truth


def adapted_encoder(
    plan: Plan, params: Finetune, base: Path, tokenizer: Any, checkpoint: Checkpoint
) -> tuple[Tensors | None, dict[str, Any] | None]:
    """The weights of an encoder that has read the domain's texts, and how that went, if wished."""
    if params.adapt is None:
        return None, None
    held_out = texts_of(read_examples("validation").texts)
    return read_domain(
        base, tokenizer, domain_texts(params.adapt.texts), held_out, params.max_length,
        params.adapt, params, plan, checkpoint.inside("adapted"),
    )  # fmt: skip


def reads_unlabelled(params: Finetune) -> bool:
    """Whether the result depends on the texts without labels."""
    return params.adapt is not None and params.adapt.texts != "labelled"


def domain_texts(which: str) -> list[str]:
    """What an encoder is to read: the texts of the training split, those without labels, both."""
    found = [] if which == "unlabelled" else texts_of(read_examples("train").texts)
    if which != "labelled":
        found += texts_of(read_unlabelled())
    return found


def build(
    params: Finetune, base: Path, tokenizer: Any, task: Task, plan: Plan, rows: int,
    encoder: Tensors | None = None,
) -> nn.Module:  # fmt: skip
    """The model as it is before training on so many rows: new head, adapters, what is frozen.

    `encoder` are the weights of one that has read the domain's texts, in place of the base's.
    """
    torch.manual_seed(params.seed)
    model = load_pretrained(
        base, tokenizer, task, plan.attention, params.max_length, params.dropout
    )
    if encoder is not None:
        take_over(model, encoder)
    model = reading_first(pooled(model, params.pooling))
    if task.per_token:
        config: Any = model.config
        config.nightshift_stride = params.window_stride  # export cuts texts alike
    if params.adapter is not None:
        model = adapted(model, params.adapter, steps_of(rows, params))
    freeze(model, params.freeze_embeddings, params.freeze_layers)
    return model.to(plan.device)


def how(
    params: Finetune, model: nn.Module, task: Task, truth: Sequence[str]
) -> tuple[Objective, Methods]:
    """What is minimised, and what is done besides; `truth` is the training split's."""
    if params.task_weights is not None:
        task = task.weighted(params.task_weights)
    objective: Objective = TaskLoss(task, shaping_of(params.loss, task, truth))
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


def report(history: History, plan: Plan, task: Task) -> dict[str, Any]:
    """The findings of a run."""
    best = history.evaluations[history.best]
    return {
        "metrics": {
            f"validation_{task.metric}": best["figure"],
            "validation_loss": best["loss"],
            "best_epoch": best["epoch"],
            "steps": history.evaluations[-1]["step"],
            "skipped_steps": len(history.skipped),
            "trained_share": round(history.trained_share, 6),
        },
        "metric": task.metric,
        "task": task.describe(),
        "labels": list(task.labels),
        "stopped_early": history.stopped_early,
        "evaluations": history.evaluations,
        "losses": history.losses,
        "skipped": history.skipped,
        "adaptation": history.adaptation,
        "plan": plan.describe(),
    }


if __name__ == "__main__":
    run_stage("finetune", Finetune, finetune)
