"""Runs of every kind of task, as their stages report them: what differs from one of two classes."""

from __future__ import annotations

from typing import Any

from tests.reporting.made import reports

MULTI_LABEL = {"kind": "multi-label", "labels": ["billing", "login", "refund"]}
REGRESSION = {"kind": "regression", "labels": [], "mean": 3.2, "deviation": 1.1}
ENTITIES = {"kind": "entities", "labels": ["ORG", "PER"]}
MOVIES = {"kind": "classification", "labels": ["bad", "good"]}
SEVERAL = {
    "kind": "multi-task",
    "labels": [],
    "heads": {"movies": MOVIES, "names": ENTITIES, "stars": REGRESSION},
}

LABELS = [{"text": "charged twice, let me in", "truth": ["billing", "login"],
           "predicted": ["billing", "refund"], "wrong": 2},
          {"text": "hello", "truth": [], "predicted": ["login"], "wrong": 1}]  # fmt: skip
NUMBERS = [{"text": "the best film ever", "truth": 5.0, "predicted": 2.71828, "wrong": 2.28172}]
SPANS = [{"text": "Ada Lovelace wrote to Analytical Engines Ltd",
          "truth": [[0, 12, "PER"], [22, 44, "ORG"]],
          "predicted": [[0, 3, "PER"], [22, 44, "ORG"]], "wrong": 2}]  # fmt: skip
CLASSES = [{"label": "ORG", "precision": 1.0, "recall": 0.5, "f1": 0.6667, "texts": 4}]
NOTHING: dict[str, Any] = {"classes": [], "confusion": None, "worst": []}


def multi_label() -> dict[str, dict[str, Any]]:
    """Any number of labels a text."""
    found = {**NOTHING, "classes": CLASSES, "worst": LABELS, "heads": {}}
    return _as(MULTI_LABEL, "f1", ("f1", "macro_f1", "exact"), found)


def regression() -> dict[str, dict[str, Any]]:
    """A rating."""
    others = ("spearman", "pearson", "mean_absolute_error")
    found = _as(REGRESSION, "spearman", others, {**NOTHING, "worst": NUMBERS, "heads": {}})
    found["ingest"] |= {"labels": [], "metrics": {**found["ingest"]["metrics"], "classes": 0}}
    return found


def entities() -> dict[str, dict[str, Any]]:
    """Stretches of the text."""
    found = {**NOTHING, "classes": CLASSES, "worst": SPANS, "heads": {}}
    return _as(ENTITIES, "f1", ("f1", "precision", "recall"), found)


def several() -> dict[str, dict[str, Any]]:
    """Three heads over one encoder."""
    class_mistake = {"text": "not bad", "truth": "good", "predicted": "bad", "score": 0.97}
    confusion = {"labels": ["bad", "good"], "counts": [[9, 1], [0, 10]]}
    heads: dict[str, dict[str, Any]] = {
        "movies": {"metric": "accuracy", "classes": [], "confusion": confusion,
                   "worst": [class_mistake]},
        "names": {"metric": "f1", **NOTHING, "classes": CLASSES, "worst": SPANS},
        "stars": {"metric": "spearman", **NOTHING, "worst": NUMBERS},
    }  # fmt: skip
    found = _as(SEVERAL, "mean", ("mean", "movies_accuracy", "stars_spearman"),
                {**NOTHING, "heads": heads})  # fmt: skip
    for score in _scores(found["benchmark"]):
        score["heads"] = {
            name: {**score, "figure": score["figure"] - at / 10, "heads": {},
                   "others": {"mean_absolute_error": 0.4321}, "metric": head["metric"]}
            for at, (name, head) in enumerate(heads.items())
        }  # fmt: skip
    return found


def _as(
    task: dict[str, Any], metric: str, others: tuple[str, ...], mistakes: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    found = reports(["bad", "good"])
    for name in ("finetune", "prune", "benchmark"):
        found[name] |= {"metric": metric, "task": task}
    found["benchmark"] |= mistakes
    for name, key in (("finetune", "validation_accuracy"), ("prune", "finetuned_accuracy")):
        metrics = found[name]["metrics"]
        metrics[key.replace("accuracy", metric)] = metrics.pop(key)
    for score in _scores(found["benchmark"]):
        score |= {"metric": metric, "others": dict.fromkeys(others, score["figure"])}
    return found


def _scores(benchmark: dict[str, Any]) -> list[dict[str, Any]]:
    rows = [*benchmark["contenders"], *benchmark["honest"]]
    return [row[split] for row in rows for split in ("validation", "test")]
