"""The report's pictures: what each shows, and which of a run's numbers it is drawn from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from markupsafe import Markup

from tasks.reporting.charts import (
    Axis,
    Column,
    Point,
    Series,
    columns,
    heat,
    lines,
    scatter,
)
from tasks.reporting.evidence import Evidence, mapping, records
from tasks.reporting.forest import Change, forest
from tasks.reporting.measured import Contender, contenders, pareto
from tasks.reporting.wording import count, decimal, known, layers, points, significant
from tasks.reporting.yardstick import Yardstick, yardstick

WIDE, NARROW = 780, 350
"""Units across on a wide and on a narrow screen: text is drawn about as large as written."""
NATS = ", nats"
"""The unit of a divergence of probabilities; where numbers are told it is the square of theirs."""


def twice(draw: Callable[[float], Markup]) -> Markup:
    """A chart for a wide and one for a narrow screen; the style shows one of them."""
    wide, narrow = draw(WIDE), draw(NARROW)
    return Markup('<div class="wide">{}</div><div class="narrow">{}</div>').format(wide, narrow)


def losses(evidence: Evidence) -> Markup | None:
    """Loss on train and validation by epoch."""
    report = evidence.stages["finetune"].report
    found = [
        Series("train", _pairs(report.get("losses"), "loss"), "muted"),
        Series("validation", _pairs(report.get("evaluations"), "loss"), "b", marked=True),
    ]
    drawn = [series for series in found if series.points]
    if not drawn:
        return None
    return lines(
        drawn,
        Axis("epoch"),
        Axis("loss", _short),
        f"Loss by epoch, last {decimal(drawn[-1].points[-1][1], 3)}",
    )


def progress(evidence: Evidence) -> Markup | None:
    """The metric on validation by epoch."""
    report = evidence.stages["finetune"].report
    found = _pairs(report.get("evaluations"), "figure")
    if not found:
        return None
    by = yardstick(evidence, report)
    series = Series(by.name, found, "a", marked=True)
    label = f"Validation {by.name} by epoch, best {by.shown(max(y for _, y in found))}"
    return lines([series], Axis("epoch"), Axis(f"validation {by.column}", by.on_axis), label)


def recovery(evidence: Evidence) -> Markup | None:
    """The metric on validation of each pruned level while it recovers."""
    rows = [row for row in evidence.curves["prune"] if row.get("split") == "validation"]
    names = list(dict.fromkeys(row["run"] for row in rows))
    tones = ("a", "b", "c", "good", "muted")
    found = [
        Series(name, _pairs([row for row in rows if row["run"] == name], "figure"),
               tones[at % len(tones)], marked=True)
        for at, name in enumerate(names)
    ]  # fmt: skip
    if not any(series.points for series in found):
        return None
    by = yardstick(evidence, evidence.stages["prune"].report)
    label = f"Validation {by.name} during recovery of {', '.join(names)}"
    y = Axis(f"validation {by.column}", by.on_axis)
    return twice(lambda width: lines(found, Axis("epoch of recovery"), y, label, width, 240))


def damage(level: dict[str, Any], by: Yardstick) -> list[tuple[str, Markup]]:
    """One picture a removed layer: what skipping each candidate does to the predictions.

    And one of the choices that were tried: what is left of it after a short recovery.
    """
    steps: dict[int, list[dict[str, Any]]] = {}
    for each in records(level.get("measured")):
        steps.setdefault(len(each["removed"]), []).append(each)
    pictures: list[tuple[str, Markup]] = []
    gone: set[int] = set()
    for trials in steps.values():
        best = min(trials, key=lambda trial: float(trial["divergence"] or 0))
        bars = [_candidate(trial, gone, trial is best, by) for trial in trials]
        said = f"then, without {layers(sorted(gone))}" if gone else "first"
        label = f"Divergence of each candidate layer of {level.get('name')}, {said}"
        y = Axis(f"divergence{NATS if by.share else ''}", partial(significant, digits=2))
        pictures.append(
            (said, columns(bars, [("divergence", "muted")], y, label, 350, 150, "layer"))
        )
        gone = set(best["removed"])
    tried = [each for each in records(level.get("measured")) if each.get("recovered") is not None]
    if tried:
        best = min(tried, key=lambda trial: float(trial["recovered"]))
        bars = [_tried(trial, trial is best, by) for trial in tried]
        label = f"Divergence of each choice of layers of {level.get('name')} after a trial"
        y = Axis(f"divergence{NATS if by.share else ''}", partial(significant, digits=2))
        picture = columns(bars, [("divergence", "muted")], y, label, 350, 150, "layers")
        pictures.append(("tried: after a short recovery", picture))
    return pictures


def _candidate(trial: dict[str, Any], gone: set[int], chosen: bool, by: Yardstick) -> Column:
    added = sorted(set(trial["removed"]) - gone)
    value = float(trial["divergence"] or 0)
    said = (
        f"without {layers(trial['removed'])}: {significant(value)}{' nats' if by.share else ''}, "
    )
    said += f"{by.name} {by.shown(trial.get('figure'))}{', least' if chosen else ''}"
    return Column(layers(added), [value], said, "b" if chosen else "muted")


def _tried(trial: dict[str, Any], chosen: bool, by: Yardstick) -> Column:
    value, name = float(trial["recovered"]), layers(trial["removed"])
    unit = " nats" if by.share else ""
    said = f"without {name}: {significant(value)}{unit} after a short recovery"
    return Column(
        name, [value], f"{said}{', removed' if chosen else ''}", "b" if chosen else "muted"
    )


def frontier(evidence: Evidence) -> Markup | None:
    """Latency against the metric on test of every contender, the Pareto line, and the choice."""
    found = contenders(evidence)
    if not found:
        return None
    order = sorted(found, key=lambda each: (each.kind == "variant", each.latency))
    by = yardstick(evidence, evidence.stages["benchmark"].report)
    marked = [_point(each, by) for each in order]
    line = [(each.latency, each.figure) for each in pareto(found)]
    label = f"Speed against {by.name} of {len(found)} contenders"
    x = Axis("latency of one text, ms (logarithmic; left is faster)")
    y = Axis(f"test {by.column}", by.on_axis)

    def draw(width: float) -> Markup:
        short = Axis("latency, ms (log; left is faster)", x.shown) if width < WIDE else x
        return scatter(marked, line, short, y, label, width, 420 if width == WIDE else 380)

    return twice(draw)


def _point(each: Contender, by: Yardstick) -> Point:
    low, high = each.interval
    said = f"{each.name}: {by.shown(each.figure)} ({by.shown(low)} to {by.shown(high)}), "
    said += f"{significant(each.latency)} ms"
    return Point(each.name, each.latency, each.figure, low, high, each.kind, said)


def confusion(found: Mapping[str, Any]) -> Markup | None:
    """The release's confusion matrix on the test split: its `labels` and `counts`."""
    names = [str(name) for name in found.get("labels") or []]
    if not names:
        return None
    label = f"Confusion matrix of {len(names)} classes on the test split"

    def draw(width: float) -> Markup:
        return heat(found["counts"], names, label, min(width, 620))

    return twice(draw)


def changes(evidence: Evidence) -> Markup | None:
    """What the gate found changed: on the whole, and slice by slice."""
    found = [_change(name, row) for name, row in _compared(evidence.gate.report)]
    if not found:
        return None
    by = yardstick(evidence, evidence.gate.report)
    x = Axis(f"change in points of {by.name}; right is better")
    label = f"Change against production in {len(found)} parts of the test split"
    return twice(lambda width: forest(found, x, label, width))


def _compared(report: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each comparison under its name, with the points that may be lost where the gate says so."""
    checks = {check.get("name"): check for check in records(report.get("checks"))}
    whole = (("change", "champion", "drop, points"), ("total", "best", "total drop, points"))
    for key, rival, name in whole:
        row, version = mapping(report.get(key)), mapping(report.get(rival)).get("version")
        check = mapping(checks.get(name))
        if row and version:
            yield f"all, against {version}", row | {at: check.get(at) for at in ("limit", "ok")}
    for row in records(report.get("slices")):
        if row.get("p_corrected") is not None:
            yield f"{row.get('kind')} {row.get('value')}", row


def _change(name: str, row: dict[str, Any]) -> Change:
    low, high = row["drop_interval"]
    limit = known(row.get("limit"))
    said = f"{name}: {points(row['drop'])} points on {count(row['texts'])} texts"
    least = None if limit is None else -limit
    return Change(name, -row["drop"], -high, -low, least, bool(row.get("ok")), said)


def _pairs(rows: Any, key: str) -> Sequence[tuple[float, float]]:
    found = records(rows)
    return [
        (float(row["epoch"]), float(row[key])) for row in found if row.get(key) not in (None, "")
    ]


def _short(value: float) -> str:
    return f"{value:.4g}"
