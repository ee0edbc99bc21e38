"""What a person must know first: the verdict in a sentence, and the numbers behind it."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.reporting.evidence import Evidence, Stage, mapping
from tasks.reporting.measured import Contender, contenders, depth
from tasks.reporting.wording import decimal, plain, points, significant, times, unit
from tasks.reporting.yardstick import Yardstick, yardstick


@dataclass(frozen=True)
class Tile:
    """One number, what it is, and what to compare it with."""

    name: str
    number: str
    beside: str


@dataclass(frozen=True)
class Headline:
    """A verdict (`good`, `bad` or `open`), its sentence, and up to six numbers."""

    mood: str
    sentence: str
    reason: str | None
    tiles: list[Tile]


def headline(evidence: Evidence) -> Headline:
    """The verdict over the whole run, or where and why it ended."""
    trouble = evidence.trouble
    if all(stage.state == "not run" for stage in evidence.stages.values()):
        return Headline("open", "Nothing has run yet.", "Start with: nightshift run", [])
    if trouble is None:
        chosen, baseline = _pair(evidence)
        if chosen is None or baseline is None:
            return Headline("open", "Every stage came through; none chose a release.", None, [])
        by = yardstick(evidence, evidence.stages["benchmark"].report)
        mood, sentence, reason = _judged(evidence, _verdict(evidence, chosen, baseline, by))
        return Headline(mood, sentence, reason, _tiles(evidence, chosen, baseline, by))
    if trouble.state == "not run":
        sentence = f"Not finished: {trouble.name} has not run to its end."
        return Headline("open", sentence, "Go on with: nightshift run", [])
    if trouble.state == "unreadable":
        return Headline("bad", f"The report of {trouble.name} can't be read.", trouble.reason, [])
    said = f"{trouble.name} {_word(trouble)}: no new release."
    return Headline("bad", said, trouble.reason, [])


def _judged(evidence: Evidence, sentence: str) -> tuple[str, str, str | None]:
    """Mood, sentence and reason, once the gate has had its say."""
    gate = evidence.gate
    verdict = gate.report.get("verdict")
    if gate.state == "not run" or gate.outdated:
        return "good", sentence, None
    if not gate.ok:
        return "bad", f"gate {_word(gate)}: nothing is published.", gate.reason
    serving = mapping(gate.report.get("champion")).get("version")
    reasons = gate.report.get("reasons")
    said = "\n".join(str(each) for each in reasons) if isinstance(reasons, list) else None
    if verdict == "refused":
        stays = f"{serving} stays in production" if serving else "nothing is published"
        return "bad", f"Refused by the gate: {stays}.", said
    if verdict == "nothing new":
        return "open", f"Nothing new: {serving or 'the same model'} stays in production.", said
    return "good", sentence, None


def _word(stage: Stage) -> str:
    return {"stopped": "stopped the run", "failed": "failed"}.get(stage.state, "can't be read")


def _pair(evidence: Evidence) -> tuple[Contender | None, Contender | None]:
    found = contenders(evidence)
    chosen = next((each for each in found if each.kind == "chosen"), None)
    return chosen, found[0] if found else None


def _verdict(evidence: Evidence, chosen: Contender, baseline: Contender, by: Yardstick) -> str:
    number = depth(evidence, chosen.level)
    which = f"A {number}-layer {chosen.precision} model" if number else f"{chosen.name}"
    if chosen.level == "finetuned":
        which = f"The fine-tuned model itself, as {chosen.precision}"
    now, then = chosen.row, baseline.row
    return (
        f"{which}: {by.of(chosen.figure)} on test where the fine-tuned one has "
        f"{by.shown(baseline.figure)}, {times(now['speed']['speedup']['median'])} faster, "
        f"{significant(now['weights_mb'], 2)} MB in place of {significant(then['weights_mb'], 2)}."
    )


def _tiles(evidence: Evidence, chosen: Contender, baseline: Contender, by: Yardstick) -> list[Tile]:
    report = evidence.stages["benchmark"].report
    row, then = chosen.row, baseline.row
    low, high = chosen.interval
    now, before = row["speed"], then["speed"]
    ms, mb = unit("ms"), unit("MB")
    allowed = plain(report.get("allowed_drop"))
    speedup, throughput = times(now["speedup"]["median"]), decimal(before["throughput"], 0)
    more = times(now["throughput_speedup"]["median"])
    changed, tested = points(row["validation"]["drop"]), points(row["test"]["drop"])
    expected = points(row.get("expected_drop"))
    sure = f"95 % interval {by.shown(low)} to {by.shown(high)}"
    texts = f"{decimal(now['throughput'], 0)} texts/s"
    where = f", on {row['stand_in']}" if row.get("stand_in") else ""
    return [
        Tile(f"test {by.name}", by.shown(chosen.figure), sure),
        Tile(
            "change on validation",
            f"{changed} points",
            f"expected of new texts {expected}, may lose {allowed}; on test {tested}",
        ),
        Tile(
            "latency of one text",
            ms(chosen.latency),
            f"{speedup} faster than {ms(baseline.latency)}{where}",
        ),
        Tile("throughput", texts, f"{more} the baseline's {throughput}{where}"),
        Tile("weights", mb(row["weights_mb"]), f"{mb(then['weights_mb'])} before"),
        Tile(
            "a million predictions",
            _money(chosen.cost),
            f"{_money(baseline.cost)} with the baseline",
        ),
    ]


def _money(value: float | None) -> str:
    return significant(value, 2)
