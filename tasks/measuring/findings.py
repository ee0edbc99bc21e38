"""What the measurements say: the parts of the benchmark's report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tasks.measuring.contender import Answer, Text
from tasks.measuring.costs import cost_of_a_million
from tasks.measuring.frontier import Row
from tasks.measuring.honest import MAJORITY, TFIDF
from tasks.measuring.machine import LOUD, describe_cpu
from tasks.measuring.rounds import ROUNDS_TOGETHER, TEXTS_TOGETHER
from tasks.measuring.scores import Score, classes, confusion_counts, each_class, worst
from tasks.measuring.session import Measurement, Plan

EXAMPLES_SHOWN = 20

Honest = Mapping[str, Mapping[str, Score]]
"""Scores of the simple models, by name and split."""


def describe(
    found: Sequence[Measurement], plan: Plan, others: float, honest: Honest
) -> dict[str, Any]:
    """What was measured, how, and on what."""
    environment = {
        **describe_cpu(),
        "baseline": found[0].environment,
        "variants": {**found[1].environment, "dtype": "each variant's own"},
    }
    return {
        "environment": environment,
        "others_share_of_cores": others,
        "honest": [
            {"name": name, **{split: asdict(each) for split, each in scores.items()}}
            for name, scores in honest.items()
        ],
        "method": {
            "rounds": plan.rounds,
            "texts_one_at_a_time": min(plan.single, len(found[0].test)),
            "texts_together": min(TEXTS_TOGETHER, len(found[0].test)),
            "rounds_together": min(ROUNDS_TOGETHER, plan.rounds),
            "batch": plan.batch,
        },
    }


def quiet_warnings(others: float) -> list[str]:
    """A line when the machine was not ours alone."""
    if others <= LOUD:
        return []
    return [
        f"other programs took {100 * others:.0f} % of the cores while speed was measured: "
        "ratios may hold, absolute times don't"
    ]


def honest_warnings(rows: Sequence[Row], chosen: Row, honest: Honest) -> list[str]:
    """A line for each simple model on the test split that the transformer doesn't beat."""
    best = max(rows, key=lambda row: row.validation.accuracy)
    return [
        f"{row.name} ({100 * row.test.accuracy:.2f} % on test) does not beat {name} "
        f"({100 * scores['test'].accuracy:.2f} %): is a transformer worth it here?"
        for row in dict.fromkeys([best, chosen])
        for name, scores in honest.items()
        if row.test.accuracy <= scores["test"].accuracy
    ]


def summary(baseline: Row, chosen: Row, honest: Honest, price: float) -> dict[str, dict[str, Any]]:
    """The numbers a person asks for first: accuracies 0 to 1, drops in points, ms, texts/s, MB."""
    fast = chosen.speed
    numbers = {
        "finetuned": {
            "accuracy": baseline.test.accuracy,
            "macro_f1": baseline.test.macro_f1,
            "validation_accuracy": baseline.validation.accuracy,
        },
        "baseline": {
            "latency_ms": baseline.speed.latency.p50,
            "throughput": baseline.speed.throughput,
            "cost_of_a_million": cost_of_a_million(baseline.speed.throughput, price),
        },
        "release": {
            "accuracy": chosen.test.accuracy,
            "macro_f1": chosen.test.macro_f1,
            "validation_accuracy": chosen.validation.accuracy,
            "drop_validation": chosen.validation.drop,
            "drop_test": chosen.test.drop,
            "latency_ms": fast.latency.p50,
            "latency_p99_ms": fast.latency.p99,
            "speedup": fast.speedup.median,
            "throughput": fast.throughput,
            "throughput_speedup": fast.throughput_speedup.median,
            "size_mb": chosen.weights_mb,
            "start_seconds": chosen.start_seconds,
            "memory_mb": chosen.memory_mb,
            "cost_of_a_million": cost_of_a_million(fast.throughput, price),
        },
        "tfidf": {"accuracy": honest[TFIDF]["test"].accuracy},
        "majority": {"accuracy": honest[MAJORITY]["test"].accuracy},
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
    texts: Sequence[Text], truth: Sequence[str], answers: Sequence[Answer]
) -> dict[str, Any]:
    """Where the release goes wrong on the test split: by class, pair of classes, and example."""
    predicted = labels_of(answers)
    return {
        "classes": each_class(truth, predicted),
        "confusion": {
            "labels": classes(truth, predicted),
            "counts": confusion_counts(truth, predicted),
        },
        "worst": worst(texts, truth, answers, EXAMPLES_SHOWN),
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


FRONTIER = ("variant", "latency_ms", "accuracy", "validation_accuracy", "throughput", "size_mb")


def frontier(rows: Sequence[Row]) -> list[tuple[Any, ...]]:
    """A line a contender for the plot; the columns are `FRONTIER`. Accuracies are 0 to 1."""
    return [
        (
            row.name,
            row.speed.latency.p50,
            row.test.accuracy,
            row.validation.accuracy,
            row.speed.throughput,
            row.weights_mb,
        )
        for row in rows
    ]


def labels_of(answers: Sequence[Answer]) -> list[str]:
    """The labels alone."""
    return [label for label, _ in answers]
