"""What the gate found, for the person who is to approve."""

from __future__ import annotations

from typing import Any

Record = dict[str, Any]
CORRELATIONS = ("spearman",)
"""Metrics that are no shares."""


def as_markdown(report: Record) -> str:
    """`reports/gate.json` in Markdown: verdict, candidate beside production, a row a check."""
    lines = [f"**{_cell(report.get('verdict', 'no verdict'))}**", ""]
    lines += [f"- {_cell(reason)}" for reason in report.get("reasons") or []]
    lines += [f"- {_cell(warning)}" for warning in report.get("warnings") or []]
    metric = str(report.get("metric") or "accuracy")
    lines += ["", *_comparison(report.get("candidate") or {}, report.get("champion") or {}, metric)]
    lines += ["", "| check | what was found | passed |", "|---|---|---|"]
    lines += [_row(check) for check in report.get("checks") or []]
    return "\n".join(lines)


def _comparison(candidate: Record, champion: Record, metric: str) -> list[str]:
    """Figure, latency and size of both; of the candidate alone when nothing serves yet."""
    contenders = {"candidate": candidate}
    if champion.get("version"):
        contenders[f"{champion['version']}, in production"] = champion
    rows = {
        f"{metric} on test": [_figure(c.get("figure"), metric) for c in contenders.values()],
        "one text, mean": [
            _with_unit((c.get("latency_ms") or {}).get("mean"), 1, "ms")
            for c in contenders.values()
        ],
        "weights": [_with_unit(c.get("megabytes"), 1, "MB") for c in contenders.values()],
    }
    lines = [_line(["", *contenders]), _line(["---"] * (1 + len(contenders)))]
    return [*lines, *(_line([name, *cells]) for name, cells in rows.items())]


def _row(check: Record) -> str:
    passed = "waived" if check.get("waived") else "yes" if check.get("ok") else "**no**"
    return _line([_cell(check.get("name")), _cell(check.get("detail")), passed])


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _figure(value: float | None, metric: str) -> str:
    """In per cent, but a correlation; this process has not what it takes to ask the task."""
    if metric in CORRELATIONS:
        return "" if value is None else f"{value:.3f}"
    return _with_unit(value, 100, "%")


def _with_unit(value: float | None, factor: float, unit: str) -> str:
    return "" if value is None else f"{factor * value:.4g} {unit}"


def _cell(value: Any) -> str:
    """Escaped: what comes from data must not become a link, an image or another column."""
    text = "" if value is None else " ".join(str(value).split())
    return "".join(f"\\{sign}" if sign in "\\`*_[]()<>|#!" else sign for sign in text)
