"""A run of two classes and three levels, as its stages report it: small, but every key is there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FRAME = {"status": "ok", "reason": None, "retryable": False}
PLAN = {"device": "cpu", "precision": "bf16", "processes": 1, "threads": 2, "torch": "2.13.0"}


def score(figure: float, drop: float = 0.0) -> dict[str, Any]:
    return {
        "metric": "accuracy",
        "figure": figure,
        "interval": [figure - 0.02, figure + 0.02],
        "others": {"accuracy": figure, "macro_f1": figure - 0.003},
        "heads": {},
        "drop": drop,
        "drop_interval": [drop - 0.5, drop + 0.5],
    }


def contender(
    name: str, level: str, precision: str, figure: float, ms: float, megabytes: float
) -> dict[str, Any]:
    drop = 100 * (0.85 - figure)
    return {
        "name": name,
        "level": level,
        "precision": precision,
        "validation": score(figure + 0.01, drop),
        "expected_drop": drop + 0.07,
        "test": score(figure, drop),
        "speed": {
            "latency": {
                "mean": ms,
                "p50": ms,
                "p90": 2 * ms,
                "p99": 3 * ms,
                "interval": [0.9 * ms, 1.1 * ms],
            },
            "throughput": 1000 / ms,
            "throughput_interval": [900 / ms, 1100 / ms],
            "speedup": {"median": 8 / ms, "lowest": 7 / ms, "highest": 9 / ms},
            "throughput_speedup": {"median": 8 / ms, "lowest": 7 / ms, "highest": 9 / ms},
        },
        "start_seconds": 0.5,
        "memory_mb": 300.0,
        "weights_mb": megabytes,
        "folder_mb": megabytes + 1,
    }


def level(name: str, kept: list[int], removed: list[int], drop: float) -> dict[str, Any]:
    trials = [
        {"removed": [i], "divergence": 0.1 if [i] == removed else 0.5, "figure": 0.8}
        for i in [*kept, *removed]
    ]
    trials[-1]["recovered"], trials[0]["recovered"] = 0.04, 0.06
    return {
        "name": name,
        "kept_layers": kept,
        "removed_layers": removed,
        "neurons": 1382,
        "heads": [12 - layer for layer in kept],
        "removed_neurons": 154,
        "measured": trials,
        "figure_unrecovered": 0.7,
        "figure": 0.86 - drop / 100,
        "drop": drop,
        "expected_drop": drop - 0.4,
        "kept": drop < 2,
    }


def reports(classes: list[str]) -> dict[str, dict[str, Any]]:
    """What each stage of a good run reports."""
    rows = [{"label": name, "train": 80, "validation": 10, "test": 10} for name in classes]
    sizes = {key: 10 * len(classes) for key in ("validation", "test")}
    count = len(classes)
    return {
        "snapshot": {
            "metrics": {"files": 3, "bytes": 1_515_544, "partitions": 3},
            "oldest": "2026-01-01",
            "newest": "2026-01-03",
            "sources": [{"role": "all", "uri": "sample:reviews", "files": 3, "ignored": []}],
            "model": {"uri": "sample:minilm", "revision": "13e2e97955c3368b"},
        },
        "ingest": {
            "metrics": {
                "rows_read": 12_345,
                "train": 80 * count,
                **sizes,
                "classes": count,
                "duplicates": 7,
                "contradictions": 0,
                "leaks": 0,
                "quarantined": 1,
            },
            "labels": rows,
            "lengths": [{"split": "train", "unit": "words", "p0": 1, "p50": 9, "p100": 51}],
            "partitions": [
                {"date": f"2026-01-0{day}", "train": size, "validation": 5, "test": 5}
                for day, size in ((1, 5000), (2, 40), (3, 50))
            ],
            "quarantine": [
                {"file": "a.csv", "row": 3, "rule": "label", "reason": "no label", "text": "hm",
                 "label": None}
            ],
            "duplicates": [],
            "contradictions": [],
        },
        "validate": {
            "metrics": {"expectations": 1, "met": 1},
            "labels_from": "train",
            "expectations": [
                {"name": "enough rows", "split": "train", "subject": "rows", "column": None,
                 "ok": True, "observed": 160, "limit": {"min_value": 100}, "unexpected": 0,
                 "examples": []}
            ],
        },
        "finetune": {
            "metrics": {"validation_accuracy": 0.8608, "best_epoch": 2.0, "steps": 532},
            "stopped_early": True,
            "metric": "accuracy",
            "evaluations": [{"epoch": 1.0, "loss": 0.4, "figure": 0.84},
                            {"epoch": 2.0, "loss": 0.38, "figure": 0.8608}],
            "losses": [{"epoch": 0.1, "loss": 0.69}, {"epoch": 2.0, "loss": 0.1}],
            "plan": PLAN,
        },
        "prune": {
            "metrics": {"levels": 2, "finetuned_accuracy": 0.8608},
            "levels": [level("level1", [0, 2], [1], 0.4), level("level2", [0], [2], 3.1)],
            "passed_through": None,
            "metric": "accuracy",
        },
        "export": {
            "metrics": {},
            "variants": [
                {"variant": "finetuned-fp32", "precision": "fp32", "megabytes": 90.6, "texts": 512,
                 "same_labels": 1.0, "largest_difference": 3e-6, "mended": None,
                 "latency_threads": 2, "thread_times": {"1": 2.51, "2": 1.42}},
                {"variant": "level1-int8", "precision": "int8", "megabytes": 17.3, "texts": 512,
                 "same_labels": 0.97, "largest_difference": 0.2, "mended": {
                     "recipe": {"exact": ["bert.encoder.layer.1.output.dense"], "bits": 8},
                     "harms": {}}},
                {"variant": "level2-int8", "precision": "int8", "megabytes": 16.2, "texts": 512,
                 "same_labels": 0.96, "largest_difference": 0.3, "mended": None, "bits": 7},
            ],
            "fusions": [
                {"variant": "fp32", "fusion": "attention", "chosen": True,
                 "milliseconds": {"alone": 2.9, "together": 1.4}}
            ],
        },
        "benchmark": {
            "metrics": {},
            "chosen": "level1-int8",
            "allowed_drop": 1.0,
            "presets": {"careful": None, "balanced": "level1-int8", "fast": "level1-int8"},
            "metric": "accuracy",
            "task": {"kind": "classification", "labels": classes},
            "heads": {},
            "contenders": [
                contender("transformers.pipeline", "finetuned", "fp32", 0.85, 8.0, 90.9),
                contender("finetuned-fp32", "finetuned", "fp32", 0.85, 2.9, 90.6),
                contender("finetuned-int8", "finetuned", "int8", 0.848, 1.04, 22.9),
                contender("level1-int8", "level1", "int8", 0.8437, 0.61, 17.3),
            ],
            "honest": [
                {"name": "majority class", "validation": score(0.5), "test": score(0.5)},
                {"name": "TF-IDF", "validation": score(0.77), "test": score(0.7654)},
            ],
            "warnings": [],
            "environment": {"cpu": "a processor", "instructions": ["avx2"]},
            "costs": [
                {"what": "a night, up to the benchmark", "seconds": 725.0, "cost": 0.017},
                {"what": "a million predictions", "contender": "level1-int8", "cost": 0.0144},
            ],
            "classes": [],
            "confusion": {
                "labels": classes,
                "counts": [[9 if i == j else int(j == (i + 1) % count) for j in range(count)]
                           for i in range(count)],
            },
            "worst": [{"text": "not bad at all", "truth": classes[0], "predicted": classes[1],
                       "score": 0.98}],
        },
    }  # fmt: skip


def leave(root: Path, found: dict[str, dict[str, Any]]) -> None:
    """Write the reports into a workspace, as the stages do."""
    (root / "reports").mkdir(exist_ok=True)
    for name, content in found.items():
        text = json.dumps({**FRAME, "stage": name, **content})
        (root / "reports" / f"{name}.json").write_text(text, encoding="utf-8")
        timing = {"stage": name, "seconds": 61.0, "started": "2026-11-24T02:00:00Z"}
        (root / "reports" / f"{name}.timing.json").write_text(json.dumps(timing))
