"""The rules of the gate: each takes figures and says whether they will do, in a sentence."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.inference.release import Release
from tasks.judging.check import Check, waive
from tasks.judging.contest import Scored
from tasks.judging.golden import Outcome
from tasks.judging.slices import Standing
from tasks.measuring.paired import Comparison, Slowdown
from tasks.measuring.statistics import ROUNDING
from tasks.params.gate import Gate
from tasks.task import Task

FAILURES_TOLD = 3
"""Golden requests that a reason names; the report has them all."""


def not_revoked(version: str | None) -> Check:
    """Refused when a rollback has revoked `version`, which is this very model."""
    told = f"it is {version} again, which a rollback revoked" if version else "never revoked"
    return Check("not revoked", "absolute", version, None, "equal to", version is None, told)


def loads(broke: str | None) -> Check:
    """Refused when it can't be loaded, or breaks when it is asked."""
    told = f"it can't serve: {broke}" if broke else "it loads and answers"
    return Check("serves", "absolute", None, None, "equal to", broke is None, told)


def golden(outcome: Outcome) -> Check:
    """Every golden request must be answered as it should."""
    wrong = outcome.failures
    told = f"all {outcome.asked} golden requests are answered as they must be"
    if wrong:
        more = f"; and {len(wrong) - FAILURES_TOLD} more" if len(wrong) > FAILURES_TOLD else ""
        told = f"of {outcome.asked} golden requests, {'; '.join(wrong[:FAILURES_TOLD])}{more}"
    return Check("golden requests", "absolute", len(wrong), 0, "at most", not wrong, told)


def starts(seconds: float, section: Gate) -> list[Check]:
    """The time to the first answer against its limit, if there is one."""
    limit = section.max_start_seconds
    if limit is None:
        return []
    told = f"its first answer comes after {seconds:.3g} s, gate.max_start_seconds allows {limit:g}"
    return [Check("start, s", "absolute", seconds, limit, "at most", seconds <= limit, told)]


def absolute(task: Task, mine: Scored, truth: Sequence[str], section: Gate) -> list[Check]:
    """Better than one answer to everything, and within the limits that are set.

    `truth` is what `Task.truths` says of the test texts.
    """
    figure, milliseconds = mine.score.figure, mine.latency.mean
    checks = [_unlike_a_constant(task, figure, truth)]
    if (least := section.min_figure) is not None:
        told = f"its {task.metric_name} on test is {task.told(figure)}, gate.min_figure asks for "
        told += task.told(least)
        ok = figure >= least - ROUNDING
        checks.append(Check("figure", "absolute", figure, least, "at least", ok, told))
    if (most := section.max_latency_ms) is not None:
        told = f"one text takes {milliseconds:.3g} ms, gate.max_latency_ms allows {most:g}"
        ok = milliseconds <= most
        checks.append(Check("latency, ms", "absolute", milliseconds, most, "at most", ok, told))
    if (most := section.max_megabytes) is not None:
        told = f"the weights are {mine.megabytes:.3g} MB, gate.max_megabytes allows {most:g}"
        ok = mine.megabytes <= most
        checks.append(Check("weights, MB", "absolute", mine.megabytes, most, "at most", ok, told))
    return checks


def same_contract(mine: Release, theirs: Release | None, version: str, major: int | None) -> Check:
    """What a consumer sends and may get back stays the same within a major version.

    `major` is that of the version to be; a higher one than `version`'s may change both.
    """
    name = "labels"
    if theirs is None:
        return waive(name, None, "equal to", NO_CHAMPION)
    observed, limit = _listed(mine), _listed(theirs)
    ok = sorted(mine.labels) == sorted(theirs.labels) and comparable(mine, theirs)
    told = _answers(mine, theirs, version)
    if not ok and major is not None and major > major_of(version):
        return waive(name, limit, "equal to", f"{told}: publish.major {major} is a new one")
    if not ok:
        told += ": raise publish.major, so that whoever asks it knows"
    return Check(name, "change", observed, limit, "equal to", ok, told)


def _unlike_a_constant(task: Task, figure: float, truth: Sequence[str]) -> Check:
    usual = task.usual(truth)
    share = task.figure(task.evidence(truth, [usual] * len(truth)))
    ok, theirs = figure > share, task.told(share)
    if task.classes:
        told = f"{task.told(figure)} of the test texts are labelled rightly, always saying "
        told += f"{task.label_of(usual)} gives {theirs}"
        return Check("majority class", "absolute", figure, share, "more than", ok, told)
    told = f"its {task.metric_name} on test is {task.told(figure)}, the same answer to every text "
    told += f"gives {theirs}"
    return Check("usual answer", "absolute", figure, share, "more than", ok, told)


NO_CHAMPION = "no version is in production yet"
NO_BEST = "no version was ever promoted"


def comparable(mine: Release, theirs: Release) -> bool:
    """Whether both can be asked the same, and answer in the same way."""
    return mine.pairs == theirs.pairs and _kinds(mine) == _kinds(theirs)


def drop(task: Task, found: Comparison | None, version: str, section: Gate) -> Check:
    """Points lost against production."""
    limit = section.max_drop
    if found is None:
        return waive("drop, points", limit, "at most", NO_CHAMPION)
    told = f"{_change(task, found, version)}, gate.max_drop allows {limit:g}"
    return _at_most("drop, points", found.drop, limit, told)


def total_drop(task: Task, found: Comparison | None, version: str, section: Gate) -> Check:
    """Points lost against the best version ever promoted, so that small losses can't add up."""
    limit = section.max_total_drop
    if found is None:
        return waive("total drop, points", limit, "at most", NO_BEST)
    told = f"{_change(task, found, version)}, the best ever promoted, gate.max_total_drop allows "
    return _at_most("total drop, points", found.drop, limit, f"{told}{limit:g}")


def significance(found: Comparison | None, version: str, section: Gate) -> Check:
    """Not significantly worse than production, one-sided.

    By McNemar's exact test of exclusive classes, elsewhere by drawing the texts anew.
    """
    name, limit = "not significantly worse, p", section.significance
    if found is None:
        return waive(name, limit, "at least", NO_CHAMPION)
    if found.lost is None or found.won is None:
        told = f"of test splits drawn anew from the {found.texts:,} texts, it is no worse than "
        told += f"{version} on a share of {found.p_value:.2g}, "
    else:
        told = f"{found.lost:,} of {found.texts:,} test texts only {version} gets right, "
        told += f"{found.won:,} only the candidate: a model no worse does so with p = "
        told += f"{found.p_value:.2g}, "
    told += f"gate.significance asks for {limit:g}"
    return Check(name, "change", found.p_value, limit, "at least", found.p_value >= limit, told)


def slowness(found: Slowdown | None, times: tuple[float, float], version: str, section: Gate
) -> list[Check]:  # fmt: skip
    """How much slower than production it surely is; `times` are what each takes, in ms."""
    name, limit = "slowdown, surely", section.max_slowdown
    if limit is None:
        return []
    if found is None:
        return [waive(name, limit, "at most", NO_CHAMPION)]
    low, high = found.interval
    told = f"one text takes {found.ratio:.2f} times as long as with {version} ({times[1]:.3g} → "
    told += f"{times[0]:.3g} ms; 95 % interval {low:.2f} to {high:.2f}), gate.max_slowdown allows "
    return [_at_most(name, low, limit, f"{told}{limit:g}")]


def by_slice(
    task: Task, found: Sequence[Standing] | None, version: str, section: Gate
) -> list[Check]:
    """A check a kind of slice: no slice loses much and more than chance would take from it."""
    if found is None:
        return [waive("slices, points", section.max_slice_drop, "at most", NO_CHAMPION)]
    judged = [each for each in found if each.p_corrected is not None]
    kinds = dict.fromkeys(each.slice.kind for each in judged)
    return [
        _of_kind(task, kind, [each for each in judged if each.slice.kind == kind], version, section)
        for kind in kinds
    ]


def is_failing(each: Standing, section: Gate) -> bool:
    """Whether the candidate is refused for this slice."""
    much = each.found.drop > section.max_slice_drop + ROUNDING
    return much and each.p_corrected is not None and each.p_corrected < section.significance


def major_of(version: str) -> int:
    """The first number of `v1.3.0`."""
    return int(version.removeprefix("v").split(".")[0])


def _of_kind(
    task: Task, kind: str, judged: Sequence[Standing], version: str, section: Gate
) -> Check:
    failing = [each for each in judged if is_failing(each, section)]
    worst = max(failing or judged, key=lambda each: each.found.drop)
    limit = section.max_slice_drop
    told = "; ".join(
        f"{each.slice.name}: {_change(task, each.found, version)}, more than chance (p = "
        f"{each.p_corrected:.2g}, corrected), gate.max_slice_drop allows {limit:g}"
        for each in failing
    )
    if not failing:
        told = f"the worst is {worst.slice.name}: {_change(task, worst.found, version)}"
        if worst.found.drop > limit:
            told += f", which may be chance (p = {worst.p_corrected:.2g}, corrected)"
    name = f"slices by {kind}, points"
    return Check(name, "change", worst.found.drop, limit, "at most", not failing, told)


def _at_most(name: str, observed: float, limit: float, told: str) -> Check:
    return Check(name, "change", observed, limit, "at most", observed <= limit + ROUNDING, told)


def _change(task: Task, found: Comparison, version: str) -> str:
    where = f"on {found.texts:,} test texts"
    now, then = task.told(found.figure), task.told(found.reference)
    if abs(found.drop) <= ROUNDING:
        return f"it is as good as {version} {where} ({now})"
    did = "loses" if found.drop > 0 else "gains"
    both = f"{then.removesuffix(' %')} → {now}"
    return f"it {did} {abs(found.drop):.3g} points against {version} {where} ({both})"


def _kinds(release: Release) -> str:
    """What it does, by task where there are several."""
    task = release.answers
    if not task.several:
        return task.kind
    return ", ".join(f"{name}: {each.kind}" for name, each in task.members().items())


def _listed(release: Release) -> str:
    labels = ", ".join(sorted(release.labels)) or _kinds(release)
    return f"{labels}{' for pairs of texts' if release.pairs else ''}"


def _answers(mine: Release, theirs: Release, version: str) -> str:
    """What a consumer of `version` would notice."""
    if mine.pairs != theirs.pairs:
        takes = ["a text", "a pair of texts"]
        return f"it takes {takes[mine.pairs]}, {version} takes {takes[theirs.pairs]}"
    if _kinds(mine) != _kinds(theirs):
        return f"its task is {_kinds(mine)}, that of {version} is {_kinds(theirs)}"
    now, then = set(mine.labels), set(theirs.labels)
    if now == then:
        return f"it has the labels of {version}"
    added = f"answers with {', '.join(sorted(now - then))}" if now - then else ""
    gone = f"never answers with {', '.join(sorted(then - now))}" if then - now else ""
    return f"it {' and '.join(filter(None, [added, gone]))}, unlike {version}"
