"""What the benchmark found, ready to be told: contenders, frontier, what each step bought."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tasks.reporting.evidence import Evidence, records
from tasks.reporting.wording import count


@dataclass(frozen=True)
class Contender:
    """One row of `reports/benchmark.json`. Figures up to 1, latency in ms, sizes in MB."""

    name: str
    kind: str
    """baseline, chosen or variant."""
    level: str
    precision: str
    target: str
    """What it is for, as `export.targets` has it."""
    figure: float
    """Its metric on the test split, at most 1."""
    interval: tuple[float, float]
    latency: float
    row: dict[str, Any]
    """All of it."""
    cost: float | None
    """Of a million predictions."""


@dataclass(frozen=True)
class Step:
    """From one contender to the next smaller one: ratios above 1 are gains."""

    what: str
    name: str
    faster: float
    throughput: float
    smaller: float
    gained_validation: float
    """Points; negative where it was paid for."""
    gained_test: float
    latency: float
    chosen: bool


def contenders(evidence: Evidence) -> list[Contender]:
    """Every contender in the benchmark's order: the baseline first; empty without a benchmark."""
    report = evidence.stages["benchmark"].report
    costs = {each.get("contender"): each.get("cost") for each in records(report.get("costs"))}
    found: list[Contender] = []
    for number, row in enumerate(records(report.get("contenders"))):
        chosen = row["name"] == report.get("chosen")
        low, high = row["test"]["interval"]
        found.append(
            Contender(
                name=row["name"],
                kind="chosen" if chosen else "variant" if number else "baseline",
                level=row["level"],
                precision=row["precision"],
                target=row.get("target", "cpu"),
                figure=row["test"]["figure"],
                interval=(low, high),
                latency=row["speed"]["latency"]["mean"],
                row=row,
                cost=costs.get(row["name"]),
            )
        )
    return found


def pareto(found: Sequence[Contender]) -> list[Contender]:
    """Those that none is both faster and better than, the fastest first."""
    best: list[Contender] = []
    for each in sorted(found, key=lambda one: (one.latency, -one.figure)):
        if not best or each.figure > best[-1].figure:
            best.append(each)
    return best


def steps(evidence: Evidence) -> list[Step]:
    """The way from the baseline to the smallest model, a step at a time.

    First another runtime, then fewer bits, then fewer layers in the fewest bits. Of several
    targets the way is that of the one chosen.
    """
    found = contenders(evidence)
    if not found:
        return []
    target = next((each.target for each in found if each.kind == "chosen"), found[-1].target)
    found = [found[0], *(each for each in found[1:] if each.target == target)]
    way = [found[0], *(each for each in found[1:] if each.level == "finetuned")]
    smallest = way[-1].precision
    way += [each for each in found[1:] if each.level != "finetuned" and each.precision == smallest]
    return [_step(_told(evidence, *pair), *pair) for pair in pairwise(way)]


def depth(evidence: Evidence, level: str) -> int | None:
    """How many layers a level has, if `prune` said so."""
    levels = records(evidence.stages["prune"].report.get("levels"))
    if level == "finetuned" and levels:
        return len(levels[0]["kept_layers"]) + len(levels[0]["removed_layers"])
    found = _level(evidence, level)
    return len(found["kept_layers"]) if found else None


def _told(evidence: Evidence, before: Contender, after: Contender) -> str:
    if before.kind == "baseline":
        runtime = "OpenVINO" if after.target == "openvino" else "ONNX Runtime"
        told = f"{runtime} in place of PyTorch, {after.precision}"
        early = after.target == "cpu" and _early(evidence, after.level)
        return f"{told}, sure texts early" if early else told
    if before.level == after.level:
        return f"{after.precision} in place of {before.precision}"
    now, then = depth(evidence, after.level), depth(evidence, before.level)
    if not now or not then:
        return f"{after.level} pruned"
    told = f"{now} layers in place of {then}" if now != then else _narrowed(evidence, after.level)
    return f"{told}, sure texts early" if _early(evidence, after.level) else told


def _narrowed(evidence: Evidence, level: str) -> str:
    """What a level has fewer of than the one before, where it has all its layers."""
    found = _level(evidence, level)
    if gone := found.get("removed_neurons"):
        then = found["neurons"] + gone
        return f"{count(found['neurons'])} neurons a layer in place of {count(then)}"
    return f"{sum(found['heads'])} heads"


def _early(evidence: Evidence, level: str) -> bool:
    """Whether texts get their answer before its last layers."""
    if level == "finetuned":
        return bool(evidence.stages["prune"].report.get("finetuned_leaving"))
    return any(place["share"] for place in _level(evidence, level).get("leaving") or [])


def _level(evidence: Evidence, name: str) -> Mapping[str, Any]:
    levels = records(evidence.stages["prune"].report.get("levels"))
    return next((each for each in levels if each["name"] == name), {})


def _step(what: str, before: Contender, after: Contender) -> Step:
    one, other = before.row, after.row
    return Step(
        what=what,
        name=after.name,
        faster=before.latency / after.latency,
        throughput=other["speed"]["throughput"] / one["speed"]["throughput"],
        smaller=one["weights_mb"] / other["weights_mb"],
        gained_validation=100 * (other["validation"]["figure"] - one["validation"]["figure"]),
        gained_test=100 * (other["test"]["figure"] - one["test"]["figure"]),
        latency=after.latency,
        chosen=after.kind == "chosen",
    )
