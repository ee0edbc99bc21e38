"""What smaller models of a fine-tuned one come to, by their shape and by what they are taught on.

    .venv/bin/python -m tests.recovery 0,1,2,5:922:12 0,1,2,5:600:6 --copies 2

After `make run`, in the same checkout: each is cut straight out of models/finetuned and recovers in
one pass, on the training split, altered copies of it and, unless `--no-comments`, the texts without
labels that the run has read. A shape is its layers, FFN neurons, and heads a layer in the mean.
"""

from __future__ import annotations

import time

import torch
import typer

from tasks.compression.families import family_of
from tasks.compression.importance import Worth
from tasks.compression.levels import probe_of
from tasks.compression.material import gather
from tasks.compression.recovery import Recovery, distil
from tasks.compression.surgery import cut
from tasks.params.base import load_section
from tasks.params.prune import Prune
from tasks.prune import FINETUNED
from tasks.training.classifier import load_finetuned, load_tokenizer, task_of_model
from tasks.training.plan import make_plan
from tasks.training.scoring import divergence, predict, score

EVERYTHING = 1_000_000_000
"""Tokens: more than there are."""

app = typer.Typer(add_completion=False)


@app.command(help=__doc__)
def main(shapes: list[str], copies: int = 1, most: int = EVERYTHING, comments: bool = True) -> None:
    """`most`: tokens of all that is taught on."""
    texts = "both" if comments else "labelled"
    params = load_section(Prune).model_copy(
        update={"augment": copies, "max_tokens": most, "texts": texts}
    )
    tokenizer = load_tokenizer(FINETUNED)
    plan = make_plan(params, tokenizer.model_max_length)
    teacher = load_finetuned(FINETUNED, plan.attention).to(plan.device)
    family, task = family_of(teacher), task_of_model(teacher)
    assert family is not None
    material, objective, _ = gather(teacher, tokenizer, params, plan, "recovery")
    print(f"{len(objective.lessons.texts.ids):,} tokens", flush=True)
    validation, answers = material.validation, material.answers
    probe = probe_of(material.train, params.probe)
    worth = Worth.of(teacher, family, probe, plan, params.batch)
    for shape in shapes:
        torch.manual_seed(params.seed)
        numbers, width, heads = shape.split(":")
        kept = [int(number) for number in numbers.split(",")]
        best = worth.best_neurons(int(width))
        few = worth.best_heads(kept, round(float(heads) * len(kept)))
        student = cut(teacher, family, kept, [best[layer] for layer in kept], few)
        cut_down, started = predict(student, validation, plan), time.monotonic()
        recovery = Recovery(params.epochs, params.batch, params.learning_rate, params.seed)
        distil(student, objective, validation, recovery, plan, shape)
        found = predict(student, validation, plan)
        print(
            f"RECOVERY {shape}: divergence {divergence(task, answers, cut_down, validation):.4f}, "
            f"after {divergence(task, answers, found, validation):.4f}; {task.metric} "
            f"{score(task, found, validation)['figure']:.4f} for "
            f"{score(task, answers, validation)['figure']:.4f}; {time.monotonic() - started:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    app()
