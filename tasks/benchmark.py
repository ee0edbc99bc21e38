"""benchmark: every variant beside what one would deploy otherwise; the best becomes the release.

Text in, answer out, each contender in a process of its own, in interleaved rounds. The fastest
variant whose drop on validation is within `benchmark.max_drop`, and that reaches the target of
speed and size if there is one, is copied to `models/release`; the test split is reported, never
chosen by.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

from tasks.data.dataset import SPLITS, Text, read_examples
from tasks.inference.release import CARD, PROFILE, Release, megabytes, weights_of
from tasks.inference.targets import TARGETS
from tasks.measuring.confidence import right_and_wrong
from tasks.measuring.contender import Answer, Contender
from tasks.measuring.costs import cost_of_a_night
from tasks.measuring.findings import (
    FRONTIER,
    costs,
    describe,
    flat,
    frontier,
    honest_warnings,
    mistakes,
    quiet_warnings,
    raw_samples,
    stand_in_warnings,
    summary,
)
from tasks.measuring.frontier import Row, Target, choices, choose, speed, table
from tasks.measuring.honest import honest_rows
from tasks.measuring.scores import Score, expected, score
from tasks.measuring.session import Measurement, Plan, measure
from tasks.params.benchmark import PRESETS, Benchmark
from tasks.stage.cores import cores
from tasks.stage.errors import BadInput
from tasks.stage.outputs import read_json, whole, write_json
from tasks.stage.run import run_stage
from tasks.task import Task

FINETUNED = Path("models/finetuned")
VARIANTS = Path("models/onnx")
RELEASE = Path("models/release")
DATA_PROFILE = Path("data/profile.json")
REPORTS = Path("reports")
STAGES_BEFORE = ("snapshot", "ingest", "validate", "finetune", "prune", "export")


def benchmark(params: Benchmark) -> dict[str, Any]:
    """The stage: returns the findings for `reports/benchmark.json`."""
    contenders = find_contenders(params.threads or cores())
    task = contenders[0].task
    assert task is not None
    train, validation, test = (Split.read(name, task) for name in SPLITS)
    plan = Plan(params.rounds, params.texts, params.batch, params.seed)
    found, others = measure(contenders, validation.texts, test.texts, plan)
    rows = make_rows(task, found, validation.truth, test.truth, params.seed)
    honest = honest_rows(task, train, validation, test, params.seed)
    findings = describe(task, found, plan, others, honest)
    findings["contenders"] = [asdict(row) for row in rows]
    say_where(findings["environment"])
    write_json(REPORTS / "benchmark.samples.json", raw_samples(found))
    write_csv("frontier", FRONTIER, frontier(rows))
    try:
        target = Target(params.min_speedup, params.max_megabytes)
        chosen = choose(rows[1:], params.allowed_drop, task, target)
    except BadInput as error:
        raise BadInput(str(error), findings) from None
    presets = choices(rows[1:], PRESETS, task, target)
    print(table(rows, task, chosen.name), flush=True)
    told = ", ".join(f"{preset} {name or 'nothing'}" for preset, name in presets.items())
    print(f"benchmark: benchmark.preset would ship: {told}", flush=True)
    warnings = [
        *quiet_warnings(others),
        *stand_in_warnings(rows),
        *honest_warnings(task, rows, chosen, honest),
    ]
    for warning in warnings:
        print(f"benchmark: warning: {warning}", flush=True)
    answers = next(each.test for each in found if each.contender.name == chosen.name)
    metrics = summary(rows[0], chosen, honest, params.price_per_hour)
    night = cost_of_a_night(REPORTS, STAGES_BEFORE, params.price_per_hour)
    ship(task, chosen, metrics, findings["environment"], test, answers)
    return findings | {
        "metrics": flat(metrics),
        "chosen": chosen.name,
        "allowed_drop": params.allowed_drop,
        "presets": presets,
        "warnings": warnings,
        "costs": costs(rows, night, params.price_per_hour),
        **mistakes(task, test.texts, test.truth, answers),
    }


class Split(NamedTuple):
    """A split as a task sees it."""

    texts: list[Text]
    truth: list[str]

    @classmethod
    def read(cls, name: str, task: Task) -> Split:
        """`train`, `validation` or `test` of the dataset."""
        examples = read_examples(name)
        return cls(examples.texts, task.truths(examples.labels, examples.tasks))


def find_contenders(threads: int) -> list[Contender]:
    """The baseline first, then every variant that export made."""
    folders = sorted(path.parent for path in VARIANTS.glob(f"*/{CARD}"))
    if not folders:
        raise BadInput(f"{VARIANTS} holds no variant: run export first")
    card = Release.read(folders[0])
    baseline = Contender.baseline(FINETUNED, threads, card.answers, card.stride)
    return [baseline, *(Contender(each.name, "release", each, threads) for each in folders)]


def make_rows(
    task: Task,
    found: Sequence[Measurement],
    validation: Sequence[str],
    test: Sequence[str],
    seed: int,
) -> list[Row]:
    """A row a contender, in their order; the first is what the others are held against."""
    baseline = found[0]

    def scored(truth: Sequence[str], answers: list[Answer], reference: list[Answer]) -> Score:
        return score(task, truth, answers, reference, seed)

    rows = []
    for each in found:
        name, folder = each.contender.name, each.contender.folder
        card = Release.read(folder) if each.contender.kind == "release" else None
        target = TARGETS[card.params.get("target", "cpu")] if card else None
        rows.append(
            Row(
                name=name,
                level=card.level if card else "finetuned",
                precision=card.precision if card else "fp32",
                validation=scored(validation, each.validation, baseline.validation),
                expected_drop=expected(task, validation, each.validation, baseline.validation),
                test=scored(test, each.test, baseline.test),
                speed=speed(each.samples, baseline.samples, seed),
                start_seconds=each.start_seconds,
                memory_mb=each.memory_bytes / 1e6,
                weights_mb=megabytes(weights_of(folder)),
                folder_mb=megabytes(path for path in folder.rglob("*") if path.is_file()),
                target=target.name if target else "cpu",
                stand_in=target.stand_in(each.environment.get("runs_on", "")) if target else None,
            )
        )
    return rows


def ship(
    task: Task,
    chosen: Row,
    metrics: dict[str, dict[str, Any]],
    environment: dict[str, Any],
    test: Split,
    answers: Sequence[Answer],
) -> None:
    """Make the chosen variant the release, and write down what it is like."""
    facts = {**metrics["release"], "metric": task.metric, "figure": round(chosen.test.figure, 4)}
    pairs: list[tuple[str, str]] = []
    profile: dict[str, Any] = {}
    if task.classes:
        told = [(task.label_of(answer), answer.score) for answer in answers]
        pairs = [(one, label) for one, (label, _) in zip(test.truth, told, strict=True)]
        profile = {"answers": right_and_wrong(test.truth, told)}
    write_release(chosen, facts, environment, profile)
    write_json(REPORTS / "metrics.json", metrics)
    write_csv("confusion", ("actual", "predicted"), pairs)


def write_release(
    chosen: Row,
    facts: dict[str, Any],
    environment: dict[str, Any],
    profile: dict[str, Any],
) -> None:
    """The chosen variant with the measured facts on its card; published, it gets a version.

    Beside it the data's profile, which later nights are held against, and what `profile` adds to
    it: of exclusive classes how often the variant is right on the test split by how sure it is.
    """
    with whole(RELEASE) as draft:
        shutil.copytree(VARIANTS / chosen.name, draft)
        write_json(draft / PROFILE, {**read_json(DATA_PROFILE), **profile})
        facts = {**facts, "variant": chosen.name, "environment": environment}
        replace(Release.read(draft), facts=facts, version=None).write(draft)
    print(f"benchmark: {chosen.name} is the release, in {RELEASE}", flush=True)


def say_where(environment: dict[str, Any]) -> None:
    """Print what the figures depend on."""
    for name in ("baseline", "variants"):
        told = ", ".join(f"{key} {value}" for key, value in environment[name].items())
        print(f"benchmark: {name} on {environment['cpu']}: {told}", flush=True)


def write_csv(name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """`reports/plots/NAME.csv`."""
    with (
        whole(REPORTS / "plots" / f"{name}.csv") as draft,
        open(draft, "w", encoding="utf-8", newline="") as file,
    ):
        csv.writer(file).writerows([header, *rows])


if __name__ == "__main__":
    run_stage("benchmark", Benchmark, benchmark)
