"""What the measurements say: the parts of the benchmark's report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from tasks.measuring.contender import Answer, Text
from tasks.measuring.costs import cost_of_a_million
from tasks.measuring.frontier import Row
from tasks.measuring.honest import Honest
from tasks.measuring.machine import LOUD, describe_cpu
from tasks.measuring.rounds import ROUNDS_TOGETHER
from tasks.measuring.scores import classes, confusion_counts, each_class, worst
from tasks.measuring.session import Measurement, Plan
from tasks.task import Task

EXAMPLES_SHOWN = 20


def describe(
    task: Task, found: Sequence[Measurement], plan: Plan, others: float, honest: Sequence[Honest]
) -> dict[str, Any]:
    """What was measured, how, and on what."""
    environment = {
        **describe_cpu(),
        "baseline": found[0].environment,
        "variants": _environment(found[1:]),
    }
    return {
        "task": task.describe(),
        "metric": task.metric,
        "environment": environment,
        "others_share_of_cores": others,
        "honest": [asdict(each) for each in honest],
        "method": {
            "rounds": plan.rounds,
            "texts_one_at_a_time": max(map(len, found[0].samples.latency), default=0),
            "texts_together": max(found[0].samples.together, default=0),
            "rounds_together": min(ROUNDS_TOGETHER, plan.rounds),
            "batch": plan.batch,
        },
    }


def _environment(variants: Sequence[Measurement]) -> dict[str, Any]:
    """What all variants' figures depend on; "runs_on" is a list of all that they ran on."""
    together: dict[str, Any] = {}
    for each in variants:
        together |= each.environment
    ran_on = dict.fromkeys(each.environment["runs_on"] for each in variants)
    return {**together, "dtype": "each variant's own", "runs_on": ", ".join(ran_on)}


def quiet_warnings(others: float) -> list[str]:
    """A line when the machine was not ours alone."""
    if others <= LOUD:
        return []
    return [
        f"other programs took {100 * others:.0f} % of the cores while speed was measured: "
        "ratios may hold, absolute times don't"
    ]


def stand_in_warnings(rows: Sequence[Row]) -> list[str]:
    """A line for each kind of hardware that variants are for and that was not there."""
    absent: dict[str, list[str]] = {}
    for row in rows:
        if row.stand_in is not None:
            absent.setdefault(row.stand_in, []).append(row.name)
    return [
        f"{', '.join(names)}: measured on {stand_in}: the answers hold, the speed does not; "
        "the smallest may ship where nothing else can"
        for stand_in, names in absent.items()
    ]


def honest_warnings(
    task: Task, rows: Sequence[Row], chosen: Row, honest: Sequence[Honest]
) -> list[str]:
    """A line for each simple model on the test split that the transformer doesn't beat."""
    best = max(rows, key=lambda row: row.validation.figure)
    return [
        f"{row.name} ({task.told(row.test.figure)} on test) does not beat {each.name} "
        f"({task.told(each.test.figure)}): is a transformer worth it here?"
        for row in ([best] if best is chosen else [best, chosen])
        for each in honest
        if row.test.figure <= each.test.figure
    ]


def summary(
    baseline: Row, chosen: Row, honest: Sequence[Honest], price: float
) -> dict[str, dict[str, Any]]:
    """The numbers a person asks for first: figures up to 1, drops in points, ms, texts/s, MB."""
    fast, metric = chosen.speed, chosen.test.metric
    numbers: dict[str, dict[str, float]] = {
        "finetuned": {
            **baseline.test.others,
            f"validation_{metric}": baseline.validation.figure,
        },
        "baseline": {
            "latency_ms": baseline.speed.latency.mean,
            "throughput": baseline.speed.throughput,
            "cost_of_a_million": cost_of_a_million(baseline.speed.throughput, price),
        },
        "release": {
            **chosen.test.others,
            f"validation_{metric}": chosen.validation.figure,
            "drop_validation": chosen.validation.drop,
            "drop_expected": chosen.expected_drop,
            "drop_test": chosen.test.drop,
            "latency_ms": fast.latency.mean,
            "latency_p99_ms": fast.latency.p99,
            "speedup": fast.speedup.median,
            "throughput": fast.throughput,
            "throughput_speedup": fast.throughput_speedup.median,
            "size_mb": chosen.weights_mb,
            "start_seconds": chosen.start_seconds,
            "memory_mb": chosen.memory_mb,
            "cost_of_a_million": cost_of_a_million(fast.throughput, price),
        },
        **{each.key: {metric: each.test.figure} for each in honest},
    }
    return {
        name: {key: round(value, 4) for key, value in each.items()}
        for name, each in numbers.items()
    }


def flat(metrics: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The same numbers under one name each: `release_accuracy`."""
    return {
        f"{group}_{key}": value for group, each in metrics.items() for key, value in each.items()
    }


def mistakes(
    task: Task, texts: Sequence[Text], truth: Sequence[str], answers: Sequence[Answer]
) -> dict[str, Any]:
    """Where the release goes wrong on the test split: by class, pair of classes, and example.

    Of several tasks each has its own, under `heads`.
    """
    found = {
        each.name: _mistakes_of(
            each.task, [texts[row] for row in each.rows], each.truth, each.of(answers)
        )
        for each in task.by_head(truth)
    }
    if "" in found:
        return {**found[""], "heads": {}}
    return {"classes": [], "confusion": None, "worst": [], "heads": found}


def _mistakes_of(
    task: Task, texts: Sequence[Text], truth: Sequence[str], answers: Sequence[Answer]
) -> dict[str, Any]:
    confusion = None
    if task.classes:
        told = [task.label_of(answer) for answer in answers]
        counts = confusion_counts(truth, told)
        confusion = {"labels": classes(truth, told), "counts": counts}
    return {
        "metric": task.metric,
        "classes": each_class(task, truth, answers),
        "confusion": confusion,
        "worst": worst(task, texts, truth, answers, EXAMPLES_SHOWN),
    }


def costs(rows: Sequence[Row], night: dict[str, Any], price: float) -> list[dict[str, Any]]:
    """A night, and a million predictions of each contender."""
    return [
        night,
        *(
            {"what": "a million predictions", "contender": row.name,
             "cost": cost_of_a_million(row.speed.throughput, price)}
            for row in rows
        ),
    ]  # fmt: skip


def raw_samples(found: Sequence[Measurement]) -> dict[str, Any]:
    """Every sample, in whole microseconds and texts a second, by contender and round."""
    return {
        "latency_us": {
            each.contender.name: [
                [round(1e6 * second) for second in one] for one in each.samples.latency
            ]
            for each in found
        },
        "texts_per_second": {each.contender.name: each.samples.throughput for each in found},
    }


FRONTIER = ("variant", "latency_ms", "figure", "validation_figure", "throughput", "size_mb")


def frontier(rows: Sequence[Row]) -> list[tuple[Any, ...]]:
    """A line a contender for the plot; the columns are `FRONTIER`. Figures are at most 1."""
    return [
        (
            row.name,
            row.speed.latency.mean,
            row.test.figure,
            row.validation.figure,
            row.speed.throughput,
            row.weights_mb,
        )
        for row in rows
    ]
