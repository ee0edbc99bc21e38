"""A night's data as `ingest` and `validate` tell of them: every table has a record or two."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tasks.reporting.accounting import FATES
from tasks.reporting.composition import EDGES


def file(day: int, **counts: int) -> dict[str, Any]:
    """One file of data/intake.json: what is not named is 0, `rows` is their sum."""
    fates = dict.fromkeys(FATES, 0) | counts
    date = f"2026-01-{day:02}"
    return {"name": f"date={date}/a.csv", "role": "all", "date": date,
            "rows": sum(fates.values()), **fates}  # fmt: skip


def intake(*files: dict[str, Any]) -> dict[str, Any]:
    """data/intake.json of three nights, or of the files given; its rules add up too."""
    found = list(files) or [
        file(1, train=900, validation=110, test=120, duplicates=9, quarantined=2),
        file(2, train=80, validation=10, test=8, unlabelled=40, contradictions=4, leaks=1),
        file(3, train=70, validation=9, test=9, repeated=21, quarantined=7),
    ]
    totals = {key: sum(one[key] for one in found) for key in ("rows", *FATES)}
    bad = totals["quarantined"]
    rules = {"no label": bad - bad // 3, "text too long": bad // 3}
    return {
        "files": found,
        "rules": {rule: rows for rule, rows in rules.items() if rows},
        "masked": {"email": 12, "phone": 3},
        "totals": totals,
    }


def expectation(name: str, table: str, column: str, ok: bool | None, **more: Any) -> dict[str, Any]:
    """One outcome of reports/validate.json."""
    content: dict[str, Any] = {
        "name": name, "table": table, "split": None, "column": column, "severity": "stop",
        "because": None, "ok": ok, "why": None, "observed": {"rows": 3, "unexpected": 0},
        "limit": {"type": "column_values_to_be_between"}, "unexpected": 0, "examples": [],
    }  # fmt: skip
    return content | more


def at_most(limit: float, **where: Any) -> dict[str, Any]:
    """The limits of an outcome about the records that `where` picks."""
    told = {"type": "column_values_to_be_between", "max_value": limit}
    return {**told, "where": where} if where else told


def expectations() -> list[dict[str, Any]]:
    """Something met, something warned of, something that stops, something not judged."""
    lengths = {"measure": "lengths"}
    return [
        expectation("known labels", "rows", "label", True, split="train"),
        expectation("lengths as before", "drift", "drift", False, severity="warn",
                    limit=at_most(0.1, **lengths)),
        expectation("lengths much as before", "drift", "drift", True,
                    limit=at_most(0.5, **lengths, slice=["all", "new"])),
        expectation("production agrees", "agreement", "noise_at_least", False,
                    limit=at_most(0.02), because="labels of this night are wrong",
                    observed={"rows": 2, "unexpected": 1},
                    examples=[{"id": "2026-01-03", "value": 0.061, "start": "the night of it"}]),
        expectation("few suspects", "suspects", "share", True, severity="warn"),
        expectation("no giveaway", "giveaways", "purity", True, severity="warn"),
        expectation("few files", "intake", "rows", None, why="no record where rows is at least 50"),
    ]  # fmt: skip


def drift(slice_: str, measure: str, effect: float, p: float) -> dict[str, Any]:
    """One record of the drift table."""
    return {"id": f"{slice_}: {measure}", "start": f"{measure} of {slice_}", "slice": slice_,
            "measure": measure, "rows": 1316, "effect": effect, "p": p / 4, "p_corrected": p,
            "drift": effect if p < 0.01 else 0.0}  # fmt: skip


def night(name: str, rows: int, agreement: float, at_least: float) -> dict[str, Any]:
    """One record of the agreement table."""
    return {"id": name, "start": f"the night of {name}", "rows": rows, "agreement": agreement,
            "expected": 0.84, "noise": at_least + 0.04, "noise_at_least": at_least}  # fmt: skip


def tables() -> dict[str, list[dict[str, Any]]]:
    """The tables of reports/validate.json."""
    return {
        "drift": [drift("all", "labels", 0.004, 0.6), drift("all", "lengths", 0.21, 1e-9),
                  drift("all", "embeddings", 0.03, 0.2), drift("new", "lengths", 0.34, 1e-6),
                  drift("new", "labels", 0.31, 0.4)],
        "agreement": [night("2026-01-02", 98, 0.86, 0.0), night("2026-01-03", 88, 0.72, 0.061),
                      night("new", 186, 0.79, 0.03)],
        "repetition": [{"id": "test ~ train", "start": "a fine film ~ a fine, fine film",
                        "looked_at": 137, "rows": 3, "share": 0.0219}],
        "pairs": [{"between": "test ~ train", "similarity": 0.87,
                   "sides": [{"id": "5", "start": "a fine film"},
                             {"id": "9", "start": "a fine, fine film"}]}],
        "giveaways": [{"id": "positive: stars=5", "token": "stars=5", "label": "positive",
                       "start": "stars=5 a fine film", "purity": 0.999, "coverage": 0.4}],
        "suspects": [{"id": "17", "text": "dull from end to end", "label": "good",
                      "suggested": "bad", "confidence": 0.97, "reason": "the others say bad"}],
    }  # fmt: skip


def profile(**labels: int) -> dict[str, Any]:
    """A profile of data whose texts have 32 characters, as `data/reference.json` holds it."""
    lengths = [0] * (len(EDGES) + 1)
    lengths[EDGES.index(32) + 1] = sum(labels.values())
    return {"version": 1, "newest": "2026-01-01",
            "all": {"rows": sum(labels.values()), "labels": labels, "other_labels": 0,
                    "lengths": lengths}}  # fmt: skip


def put(files: dict[str, Any]) -> None:
    """Write JSON files into the workspace, by path."""
    for name, content in files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(json.dumps(content), encoding="utf-8")
