"""Speed against the task's figure: a row a contender, and the rule that picks the one to ship."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from tasks.measuring.rounds import Samples
from tasks.measuring.scores import Score
from tasks.measuring.statistics import ROUNDING, Interval, Latency, latency, median_interval
from tasks.stage.errors import BadInput
from tasks.task import Task


@dataclass(frozen=True)
class Ratio:
    """Times better than the baseline: the median of the rounds' ratios, and their range."""

    median: float
    lowest: float
    highest: float


@dataclass(frozen=True)
class Speed:
    """Latency in ms at batch 1, throughput in texts/s; ratios are from the same rounds."""

    latency: Latency
    throughput: float
    throughput_interval: Interval
    speedup: Ratio
    throughput_speedup: Ratio


@dataclass(frozen=True)
class Row:
    """All that was found about one contender. Sizes and memory in MB (10^6 bytes)."""

    name: str
    level: str
    precision: str
    validation: Score
    expected_drop: float
    """Points that new texts may be expected to lose against the baseline, by the validation
    split's."""
    test: Score
    speed: Speed
    start_seconds: float
    memory_mb: float
    weights_mb: float
    folder_mb: float
    target: str = "cpu"
    """What it is for, as `export.targets` has it."""
    stand_in: str | None = None
    """What it was measured on in place of what it is for; None: on just that."""


def speed(samples: Samples, baseline: Samples, seed: int) -> Speed:
    """What the samples come to, beside the baseline's from the same rounds.

    One text is as much faster as all texts are, one after another: a text that is answered early
    (`tasks.training.early`) doesn't speak for one that is not, as a median would have it.
    """
    mine = [fmean(each) for each in samples.latency]
    theirs = [fmean(each) for each in baseline.latency]
    milliseconds = [[1000 * second for second in each] for each in samples.latency]
    return Speed(
        latency=latency(milliseconds, seed),
        throughput=median(samples.throughput),
        throughput_interval=median_interval(samples.throughput, seed),
        speedup=_ratio(theirs, mine),
        throughput_speedup=_ratio(samples.throughput, baseline.throughput),
    )


@dataclass(frozen=True)
class Target:
    """What the release has to be besides accurate; None: it need not."""

    speedup: float | None = None
    """Times the baseline's speed at one text, at least."""
    megabytes: float | None = None
    """Of its weights, at most."""

    def short(self, row: Row) -> float:
        """By which factor a row falls short where it does most; at most 1 when it does not."""
        factors = [0.0]
        if self.speedup is not None:
            factors.append(self.speedup / row.speed.speedup.median)
        if self.megabytes is not None:
            factors.append(row.weights_mb / self.megabytes)
        return max(factors)

    @property
    def keys(self) -> str:
        """The parameters that set it, as a reader would look for them."""
        told = []
        if self.speedup is not None:
            told.append(f"benchmark.min_speedup of {self.speedup:g}")
        if self.megabytes is not None:
            told.append(f"benchmark.max_megabytes of {self.megabytes:g}")
        return " and ".join(told)


NO_TARGET = Target()


def choose(rows: Sequence[Row], allowed_drop: float, task: Task, target: Target = NO_TARGET) -> Row:
    """The fastest row at batch 1 that reaches `target` and loses at most `allowed_drop` points.

    Points are those that new texts may be expected to lose, by validation; the test split has no
    say: whoever chooses by it no longer has a test. Rows that were not measured on the hardware
    that they are for come in only where there are no others; the speed of one says nothing then,
    and the smallest is taken. Raises BadInput with the whole table when no row qualifies, and says
    what came nearest.
    """
    rows = [row for row in rows if row.stand_in is None] or rows
    told = rows[0].stand_in is None
    if not told and target.speedup is not None:
        raise BadInput(
            f"params.yaml: benchmark.min_speedup: got {target.speedup:g}; takes null here: speed "
            f"was measured on {rows[0].stand_in}"
        )
    within = [row for row in rows if row.expected_drop <= allowed_drop + ROUNDING]
    if not within:
        raise BadInput(
            f"no variant may ship: each loses more than the {allowed_drop:g} points of validation "
            f"{task.metric_name} that benchmark.max_drop (or benchmark.preset) allows; allow more, "
            f"or look at what export did to them\n{table(rows, task)}"
        )
    fit = [row for row in within if target.short(row) <= 1 + ROUNDING]
    if not fit:
        raise BadInput(
            f"no variant may ship: none within {allowed_drop:g} points of validation "
            f"{task.metric_name} reaches {target.keys}; {_nearest(rows, within, target)}\n"
            f"{table(rows, task)}"
        )
    if not told:
        return min(fit, key=lambda row: (row.weights_mb, row.name))
    return min(fit, key=lambda row: (row.speed.latency.mean, row.name))


def choices(
    rows: Sequence[Row], allowed: Mapping[str, float], task: Task, target: Target = NO_TARGET
) -> dict[str, str | None]:
    """What would ship for each of several numbers of points by name; None where nothing may."""
    found: dict[str, str | None] = {}
    for name, points in allowed.items():
        try:
            found[name] = choose(rows, points, task, target).name
        except BadInput:
            found[name] = None
    return found


def _nearest(rows: Sequence[Row], within: Sequence[Row], target: Target) -> str:
    """What comes nearest to a target that nothing within the allowed drop reaches."""
    near = min(within, key=lambda row: (target.short(row), row.name))
    told = (
        f"{near.name} comes nearest, {near.speed.speedup.median:.1f} times as fast as the baseline "
        f"and {near.weights_mb:.1f} MB"
    )
    there = [row for row in rows if target.short(row) <= 1 + ROUNDING]
    if not there:
        return f"{told}; none reaches it at any loss: ask for less, or let prune go further"
    least = min(there, key=lambda row: (row.expected_drop, row.name))
    return (
        f"{told}; {least.name} reaches it and loses {least.expected_drop:.2f} points: "
        "ask for less, or allow that"
    )


def table(rows: Sequence[Row], task: Task, chosen: str | None = None) -> str:
    """The rows as text, a line each; the chosen one is marked."""
    lines = [
        f"  {'':<26}{'validation':>11}{'drop':>7}{'expected':>10}{'test':>9}{'ms':>8}{'':>8}"
        f"{'texts/s':>9}{'':>8}{'MB':>7}{'start s':>9}{'RAM MB':>8}"
    ]
    lines += [
        f"{'>' if row.name == chosen else ' '} {row.name:<26}"
        f"{task.told(row.validation.figure):>11}{row.validation.drop:>7.2f}"
        f"{row.expected_drop:>10.2f}"
        f"{task.told(row.test.figure):>9}"
        f"{row.speed.latency.mean:>8.2f}{row.speed.speedup.median:>7.1f}x"
        f"{row.speed.throughput:>9.0f}{row.speed.throughput_speedup.median:>7.1f}x"
        f"{row.weights_mb:>7.1f}{row.start_seconds:>9.2f}{row.memory_mb:>8.0f}"
        for row in rows
    ]
    return "\n".join(lines)


def _ratio(better: Sequence[float], worse: Sequence[float]) -> Ratio:
    ratios = [above / below for above, below in zip(better, worse, strict=True)]
    return Ratio(median(ratios), min(ratios), max(ratios))
