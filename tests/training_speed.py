"""How fast `finetune` trains, beside transformers' own Trainer.

    .venv/bin/python -m tests.training_speed compare    every contender under every seed, by turns
    .venv/bin/python -m tests.training_speed profile    where the time of our own steps goes

The same data (the sample's train split), base model, epochs, batch, rates and dropout for all;
nothing frozen, nothing left out. Each run has a process of its own, and they take turns, a seed
after the other. The clock covers training alone: no loading, no tokenising, no evaluation. Beside
it the machine's own bf16 matrix ceiling, measured in the same minute, and the share of it that the
matrix products of the encoder come to.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import mean
from typing import Any

import typer

from tests.proofs import clone, run

app = typer.Typer(help=__doc__, add_completion=False)

DEFAULT = "Trainer, fp32"
GROUPED = "Trainer, bf16, grouped by length"
OURS = "nightshift"
CONTENDERS = (DEFAULT, GROUPED, OURS)
MOST_TOKENS = 128
RATE, WARMUP, DECAY = 1e-4, 0.1, 0.01
UNSEEN = ("validation", "test")
"""The splits that no contender learns from or looks at."""
SIZE = 2048
"""Rows and columns of the matrices whose product gives the ceiling."""


@app.command()
def compare(
    seeds: list[int] = [17, 18, 19],  # noqa: B006
    epochs: int = 3,
    threads: int = 2,
    precision: str = "auto",
    only: list[str] = list(CONTENDERS),  # noqa: B006
    together: int | None = None,
) -> None:
    """Every contender under every seed, by turns. `precision` is ours, as in `params.yaml`; so is
    `together`, how many batches are sorted by length together, if it is not as `finetune` has it.
    """
    folder = clone("training-speed", {})
    run(folder, "dvc", "repro", "validate")
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in only}
    for seed in seeds:
        for name in only:
            one = _child(folder, name, seed, epochs, threads, precision, together)
            found[name].append(one)
            print(f"PROOF {name}, seed {seed}: {one['examples_a_second']:.0f} examples/s, "
                  f"{100 * mean(one['right']['test']):.2f} % on test, "
                  f"{100 * one['ceiling_share']:.0f} % of {one['ceiling_gflops']:.0f} GFLOP/s",
                  flush=True)  # fmt: skip
    for name in only:
        accuracy = mean(mean(one["right"]["test"]) for one in found[name])
        rate = mean(one["examples_a_second"] for one in found[name])
        print(f"PROOF {name}: {rate:.0f} examples/s, {100 * accuracy:.2f} % on test, means of "
              f"{len(seeds)} seeds")  # fmt: skip
    for name in only:
        for other in CONTENDERS[: CONTENDERS.index(name)]:
            if other in only:
                _hold_against(name, found[name], other, found[other])


def _hold_against(
    name: str, mine: list[dict[str, Any]], other: str, theirs: list[dict[str, Any]]
) -> None:
    """How many times as fast, and how many points better with a 95 % interval over texts, a
    text's worth being its mean over the seeds."""
    import numpy as np

    pairs = zip(mine, theirs, strict=True)
    ratios = [one["examples_a_second"] / two["examples_a_second"] for one, two in pairs]
    print(f"PROOF {name} against {other}: {mean(ratios):.2f} times as fast ({min(ratios):.2f} to "
          f"{max(ratios):.2f})")  # fmt: skip
    for splits in (("test",), UNSEEN):
        sides = [
            np.mean([[of for split in splits for of in one["right"][split]] for one in ones], 0)
            for ones in (mine, theirs)
        ]
        gains = 100 * (sides[0] - sides[1])
        spread = 1.96 * gains.std(ddof=1) / len(gains) ** 0.5
        print(f"PROOF   on {' and '.join(splits)}, {len(gains):,} texts: {gains.mean():+.2f} "
              f"points ({gains.mean() - spread:+.2f} to {gains.mean() + spread:+.2f})")  # fmt: skip


def _child(
    folder: Path, name: str, seed: int, epochs: int, threads: int, precision: str,
    together: int | None,
) -> dict[str, Any]:  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, "-m", "tests.training_speed", "one", name]
    command += ["--seed", str(seed), "--epochs", str(epochs), "--threads", str(threads)]
    command += ["--precision", precision]
    command += [] if together is None else ["--together", str(together)]
    done = subprocess.run(
        command, cwd=folder, env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


@app.command()
def one(
    name: str, seed: int = 17, epochs: int = 3, threads: int = 2, precision: str = "auto",
    together: int | None = None,
) -> None:  # fmt: skip
    """One contender, in this process and folder; its figures as a line of JSON."""
    import torch

    from tasks.training.scoring import predict

    model, tokenizer, data, plan = _prepared(name, seed, threads, precision)
    if name == OURS:
        seconds = _ours(model, data, seed, epochs, plan, together)
    else:
        seconds = _trainer(model, data, name, seed, epochs, tokenizer)
    rate = epochs * len(data["train"]) / seconds
    encoder = sum(p.numel() for n, p in model.named_parameters() if "layer." in n and p.ndim == 2)
    tokens = len(data["train"].ids) / len(data["train"])
    ceiling = _ceiling(torch)
    right = {
        split: (predict(model, data[split], plan).argmax(1) == data[split].labels).tolist()
        for split in UNSEEN
    }
    print(json.dumps({
        "examples_a_second": rate,
        "right": right,
        "ceiling_gflops": ceiling,
        "ceiling_share": 6 * encoder * tokens * rate / 1e9 / ceiling,
    }))  # fmt: skip


PARTS = {
    "matrix products": ("aten::mm", "aten::addmm", "aten::bmm"),
    "dropout": ("aten::random_", "aten::ge", "_Dropped", "_DroppedBackward"),
    "bf16 to fp32 and back": ("aten::copy_",),
    "zeroing of memory": ("aten::fill_",),
    "optimiser and clipping": (
        "aten::_fused_adamw_", "aten::linalg_vector_norm", "aten::_foreach_norm",
        "aten::_foreach_mul_",
    ),
    "GELU": ("aten::gelu", "aten::gelu_backward"),
    "layer norm": ("aten::native_layer_norm", "aten::native_layer_norm_backward"),
    "softmax": ("aten::_softmax", "aten::_softmax_backward_data"),
    "sums and products, number by number": ("aten::add", "aten::add_", "aten::mul", "aten::div",
                                            "aten::sum"),
}  # fmt: skip
"""The operators of a step, by what they are for."""


@app.command()
def profile(texts: int = 960, threads: int = 2, precision: str = "auto") -> None:
    """Where the time of our own steps goes: one epoch over some texts, after another to warm up."""
    folder = clone("training-speed", {})
    run(folder, "dvc", "repro", "--quiet", "validate")
    os.chdir(folder)
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as watching

    model, _, data, plan = _prepared(OURS, 17, threads, precision)
    data["train"] = data["train"].sample(texts)
    _ours(model, data, 17, 1, plan)
    model, _, fresh, _ = _prepared(OURS, 17, threads, precision)
    data["train"] = fresh["train"].sample(texts)
    with watching(activities=[ProfilerActivity.CPU]) as watched:
        _ours(model, data, 17, 1, plan)
    took = {event.key: event.self_cpu_time_total for event in watched.key_averages()}
    whole, steps = sum(took.values()), texts / 32
    shares = {part: sum(took.pop(name, 0) for name in names) for part, names in PARTS.items()}
    shares["the rest"] = sum(took.values())
    for part, spent in shares.items():
        print(f"PROOF {part:36}{spent / 1e3 / steps:8.1f} ms a step {100 * spent / whole:6.1f} %")
    for name, spent in sorted(took.items(), key=lambda each: -each[1])[:6]:
        print(f"PROOF   of the rest, {name:30}{spent / 1e3 / steps:8.1f} ms a step")


def _prepared(
    name: str, seed: int, threads: int, precision: str
) -> tuple[Any, Any, dict[str, Any], Any]:
    """A contender's fresh model, the tokenizer, the three splits and the plan, in this folder."""
    import torch

    from tasks.data.dataset import read_examples
    from tasks.sources.pretrained import fetch_model
    from tasks.stage.outputs import read_json
    from tasks.task import task_of
    from tasks.training.batches import encode
    from tasks.training.classifier import load_pretrained, load_tokenizer
    from tasks.training.first_token import reading_first
    from tasks.training.plan import OnCpu, make_plan

    torch.set_num_threads(threads)
    base = fetch_model(read_json("models/base.json"))
    task = task_of(read_json("data/approved.json")["task"])
    tokenizer = load_tokenizer(base, MOST_TOKENS)
    plan = make_plan(OnCpu(threads, precision), MOST_TOKENS)
    data = {}
    for split in ("train", "validation", "test"):
        examples = read_examples(split)
        truth = task.truths(examples.labels, examples.tasks)
        data[split] = encode(tokenizer, examples.texts, truth, task, MOST_TOKENS)
    torch.manual_seed(seed)
    attention = plan.attention if name == OURS else "sdpa"
    model: Any = load_pretrained(base, tokenizer, task, attention, MOST_TOKENS, None)
    if name == OURS:
        model = reading_first(model)
    return model, tokenizer, data, plan


def _ours(
    model: Any, data: Any, seed: int, epochs: int, plan: Any, together: int | None = None
) -> float:
    """As `finetune` trains, without its looks at the validation split but the last."""
    from tasks.params.finetune import Finetune
    from tasks.task import task_of
    from tasks.training import loop
    from tasks.training.batches import MIXED
    from tasks.training.objective import TaskLoss
    from tasks.training.vocabulary import Vocabulary

    params = Finetune(epochs=epochs, seed=seed, learning_rate=RATE, warmup=WARMUP,
                      weight_decay=DECAY, patience=epochs)  # fmt: skip
    task = task_of(model.config.nightshift)
    started = time.perf_counter()
    vocabulary = Vocabulary(model, [*data.values()])
    vocabulary.narrow(model)
    for split in data:
        data[split] = vocabulary.renumbered(data[split])
    loop.fit(
        model, TaskLoss(task), data["train"], data["validation"].sample(1), params, plan,
        together=together or MIXED,
    )  # fmt: skip
    return time.perf_counter() - started


def _trainer(model: Any, data: Any, name: str, seed: int, epochs: int, tokenizer: Any) -> float:
    import tempfile

    import torch
    from transformers import DataCollatorWithPadding, Trainer, TrainingArguments

    encoded = data["train"]
    bounds = encoded.offsets
    rows = [
        {"input_ids": encoded.ids[bounds[i] : bounds[i + 1]].tolist(),
         "labels": int(encoded.labels[i])}
        for i in range(len(encoded))
    ]  # fmt: skip
    bf16 = name != DEFAULT
    with tempfile.TemporaryDirectory() as scratch:
        settings = TrainingArguments(
            scratch, num_train_epochs=epochs, per_device_train_batch_size=32, seed=seed,
            learning_rate=RATE, warmup_steps=WARMUP, weight_decay=DECAY, bf16=bf16, use_cpu=True,
            train_sampling_strategy="group_by_length" if bf16 else "random",
            save_strategy="no", logging_strategy="no", report_to="none", disable_tqdm=True,
        )  # fmt: skip
        trainer = Trainer(model, settings, DataCollatorWithPadding(tokenizer), rows)
        started = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - started
    assert torch.isfinite(next(model.parameters())).all()
    return seconds


def _ceiling(torch: Any) -> float:
    """GFLOP/s of the product of two square bf16 matrices, the best of several."""
    a, b = (torch.randn(SIZE, SIZE).bfloat16() for _ in range(2))
    best = float("inf")
    for _ in range(12):
        started = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - started)
    return float(2 * SIZE**3 / best / 1e9)


if __name__ == "__main__":
    app()
