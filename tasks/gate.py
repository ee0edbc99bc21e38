"""gate: whether what the graph made may be published.

The release itself (the quantised file, in the runtime that will serve it) is asked what users may
ask, and is held against the version in production and the best one ever promoted, all scored now,
on today's test split. A candidate that must not pass is a verdict with its reasons, not an error.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tasks.data.dataset import read_examples
from tasks.judging.contest import Rival
from tasks.judging.judge import Case, judge
from tasks.judging.slices import read_domains
from tasks.params.gate import Gate
from tasks.stage.errors import BadInput, StageError
from tasks.stage.outputs import write_json

REPORT = Path("reports/gate.json")
TEST = Path("data/dataset/test.parquet")


def gate(
    section: Gate,
    candidate: Path,
    champion: Rival | None,
    best: Rival | None,
    revoked: str | None,
    dataset: Path = TEST,
    major: int | None = None,
) -> dict[str, Any]:
    """Judge the release in the folder `candidate`; returns and writes `reports/gate.json`.

    `champion` is the version in production, `best` the best one ever promoted if it is another;
    None where there is none, and then what would be held against it is waived. `revoked` is the
    version with the candidate's digest that a rollback revoked. `major`, the first number of the
    version to be: a higher one than production's may have other labels.

    The report's `verdict` is blessed, refused or nothing new; `reasons` are sentences. Raises
    BadInput when there is nothing to judge with (no test split, a rival that can't be loaded),
    Unavailable when a second try may pass; the report says that too.
    """
    try:
        findings = judge(_case(section, candidate, champion, best, revoked, dataset, major))
    except StageError as error:
        _write({**error.findings, "metrics": {}}, error.status, error.retryable, str(error))
        raise
    return _write(findings, "ok", False, None)


def _case(
    section: Gate, candidate: Path, champion: Rival | None, best: Rival | None,
    revoked: str | None, dataset: Path, major: int | None,
) -> Case:  # fmt: skip
    if not dataset.is_file():
        raise BadInput(f"{dataset} is missing: the gate judges on it; run the stages first")
    test = read_examples(dataset.stem, dataset.parent)
    if not len(test):
        raise BadInput(f"{dataset} has no rows: nothing can be judged on it")
    domains = read_domains(dataset)
    return Case(section, candidate, champion, best, revoked, major, test, domains)


def _write(
    findings: dict[str, Any], status: str, retryable: bool, reason: str | None
) -> dict[str, Any]:
    frame = {"stage": "gate", "status": status, "retryable": retryable, "reason": reason}
    report = {**findings, **frame}
    write_json(REPORT, report)
    return report


def print_verdict(report: dict[str, Any]) -> None:
    """Print the checks as a table, then the verdict and its reasons."""
    console = Console(highlight=False)
    table = Table(box=None, padding=(0, 2), pad_edge=False)
    for name, justify in (("", "left"), ("check", "left"), ("found", "right"), ("takes", "left")):
        table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for check in report["checks"]:
        mark = "waived" if check["waived"] else "ok" if check["ok"] else "NOT"
        shown = mark, check["name"], _shown(check["observed"]), _takes(check)
        table.add_row(*map(Text, shown))
    if report["checks"]:
        console.print(table)
    console.print(f"gate: {report['verdict']}", style="bold", markup=False)
    for reason in report["reasons"]:
        console.print(f"- {reason}", markup=False, soft_wrap=True)
    if report["waived"]:
        waived = "; ".join(report["waived"])
        console.print(f"waived for want of a version: {waived}", markup=False, soft_wrap=True)
    for warning in report["warnings"]:
        console.print(f"gate: warning: {warning}", markup=False, soft_wrap=True)


def _takes(check: dict[str, Any]) -> str:
    limit = _shown(check["limit"])
    return f"{check['direction']} {limit}" if limit else ""


def _shown(value: float | str | None) -> str:
    """Numbers; what is none stands in the reasons."""
    return f"{value:.4g}" if isinstance(value, int | float) else ""
