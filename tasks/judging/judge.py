"""From a candidate and what was published before to a verdict with its reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tasks.data.dataset import Examples
from tasks.inference.release import Release
from tasks.judging import golden, rules
from tasks.judging.check import Check, reasons_of, verdict_of
from tasks.judging.contest import CandidateBroke, Contest, Rival, contest
from tasks.judging.slices import Standing, slices, standings
from tasks.measuring.machine import LOUD
from tasks.measuring.paired import Comparison, Slowdown, compare, slowdown
from tasks.params.gate import Gate
from tasks.stage.cores import cores
from tasks.stage.errors import BadInput
from tasks.task import Task


@dataclass(frozen=True)
class Case:
    """What is judged, and by what."""

    section: Gate
    candidate: Path
    """The release's folder."""
    champion: Rival | None
    """The version in production."""
    best: Rival | None
    """The best version ever promoted, if it is another one."""
    revoked: str | None
    """The version that is this very model and was revoked, if any."""
    major: int | None
    """The first number of the version to be; None: production's."""
    test: Examples
    domains: dict[str, list[str | None]]
    """Columns of the test split that say where each example comes from."""


@dataclass(frozen=True)
class Evidence:
    """What the contest came to."""

    contest: Contest
    change: Comparison | None
    """Against production; None without one that can be asked the same."""
    total: Comparison | None
    """Against the best version ever promoted."""
    slowdown: Slowdown | None
    standings: list[Standing] | None


def judge(case: Case) -> dict[str, Any]:
    """The findings for `reports/gate.json`; a candidate that must not pass is a finding too.

    Raises BadInput when a rival can't be scored or the golden requests can't be read, Unavailable
    when the system kills a process.
    """
    checks = [rules.not_revoked(case.revoked)]
    if case.revoked:
        return _ruling(case, checks)
    try:
        release = Release.read(case.candidate)
    except BadInput as error:
        return _ruling(case, [*checks, rules.loads(str(error))])
    if case.champion and release.digest == case.champion.digest:
        return _nothing_new(case, case.champion)
    task = release.answers
    truth = _truth(case, task)
    asked = golden.requests(case.section.golden, task, release.pairs)
    outcome = golden.try_out(case.candidate, asked, case.section.threads or cores())
    checks += [rules.loads(outcome.broke)]
    if outcome.seconds is None:
        return _ruling(case, checks)
    checks += [rules.golden(outcome), *rules.starts(outcome.seconds, case.section)]
    champion = _card(case.champion) if case.champion else None
    version = case.champion.version if case.champion else ""
    checks += [rules.same_contract(release, champion, version, case.major)]
    try:
        found = _evidence(case, task, truth, _comparable(case, release))
    except CandidateBroke as error:
        return _ruling(case, [*checks, rules.loads(str(error))])
    return _ruling(case, [*checks, *_checks(case, task, truth, found)], found)


def _truth(case: Case, task: Task) -> list[str]:
    """What is true of the test texts; raises BadInput when they are none of the candidate's."""
    known = task.members().keys()
    unknown = sorted({name for name in case.test.tasks if name} - known)
    if unknown:
        raise BadInput(
            f"the test split is of the task {', '.join(unknown)}, the candidate of "
            f"{', '.join(known)}: run the stages that make both again"
        )
    return task.truths(case.test.labels, case.test.tasks)


def _comparable(case: Case, release: Release) -> list[Rival]:
    """Who can be asked what the candidate is asked, and has the same task."""
    known = {each.version: each for each in (case.champion, case.best) if each}
    return [each for each in known.values() if rules.comparable(release, _card(each))]


def _card(rival: Rival) -> Release:
    try:
        return Release.read(rival.folder)
    except BadInput as error:
        raise BadInput(f"{rival.version}, which the candidate is held against: {error}") from None


def _evidence(case: Case, task: Task, truth: Sequence[str], rivals: Sequence[Rival]) -> Evidence:
    section, texts = case.section, case.test.texts
    found = contest(task, case.candidate, rivals, texts, truth, section)
    mine = found.candidate.evidence
    changes = {
        version: compare(task, mine, each.evidence, section.seed)
        for version, each in found.rivals.items()
    }
    best = case.best or case.champion
    total = changes.get(best.version) if best else None
    champion = found.rivals.get(case.champion.version) if case.champion else None
    if champion is None:
        return Evidence(found, None, total, None, None)
    theirs, sliced = champion.evidence, slices(task, texts, truth, case.domains)
    return Evidence(
        contest=found,
        change=changes[champion.name],
        total=total,
        slowdown=slowdown(found.candidate.rounds, champion.rounds, section.seed),
        standings=standings(task, sliced, mine, theirs, section.min_slice, section.seed),
    )


def _checks(case: Case, task: Task, truth: Sequence[str], found: Evidence) -> list[Check]:
    section, mine = case.section, found.contest.candidate
    version = case.champion.version if case.champion else ""
    best = case.best or case.champion
    champion = found.contest.rivals.get(version)
    times = mine.latency.mean, champion.latency.mean if champion else 0.0
    return [
        *rules.absolute(task, mine, truth, section),
        rules.drop(task, found.change, version, section),
        rules.significance(found.change, version, section),
        rules.total_drop(task, found.total, best.version if best else "", section),
        *rules.by_slice(task, found.standings, version, section),
        *rules.slowness(found.slowdown, times, version, section),
    ]


def _nothing_new(case: Case, champion: Rival) -> dict[str, Any]:
    told = f"it is {champion.version}, which is in production, bit for bit"
    return _ruling(case, []) | {"verdict": "nothing new", "reasons": [told]}


def _ruling(case: Case, checks: list[Check], found: Evidence | None = None) -> dict[str, Any]:
    """The report, with as much of it as there was reason to find out."""
    return {
        "verdict": verdict_of(checks),
        "metric": found.contest.candidate.score.metric if found else None,
        "reasons": reasons_of(checks),
        "checks": [asdict(check) for check in checks],
        "waived": [check.name for check in checks if check.waived],
        "candidate": _identity(case.candidate) | (found.contest.candidate.told() if found else {}),
        "champion": _told(case.champion, found),
        "best": _told(case.best, found),
        "change": _plain(found.change) if found else None,
        "total": _plain(found.total) if found else None,
        "slowdown": _plain(found.slowdown) if found else None,
        "slices": _slices(found.standings, case.section) if found else [],
        "warnings": _warnings(found.contest.others) if found else [],
        "metrics": _metrics(found) if found else {},
    }


def _warnings(others: float) -> list[str]:
    """A line when the machine was not ours alone while speed was measured."""
    if others <= LOUD:
        return []
    told = f"other programs took {100 * others:.0f} % of the cores while speed was measured"
    return [f"{told}: the slowdown may hold, milliseconds don't"]


def _identity(folder: Path) -> dict[str, Any]:
    try:
        release = Release.read(folder)
    except BadInput:
        return {"digest": None}
    return {"digest": release.digest, "level": release.level, "precision": release.precision}


def _told(rival: Rival | None, found: Evidence | None) -> dict[str, Any] | None:
    if rival is None:
        return None
    scored = found.contest.rivals.get(rival.version) if found else None
    known = {"version": rival.version, "digest": rival.digest, "recorded_figure": rival.figure}
    return known | (scored.told() if scored else {})


def _plain(found: Comparison | Slowdown | None) -> dict[str, Any] | None:
    return asdict(found) if found else None


def _slices(found: Sequence[Standing] | None, section: Gate) -> list[dict[str, Any]]:
    return [
        {
            "kind": each.slice.kind,
            "value": each.slice.value,
            **asdict(each.found),
            "p_corrected": each.p_corrected,
            "ok": not rules.is_failing(each, section),
        }
        for each in found or ()
    ]


def _metrics(found: Evidence) -> dict[str, float]:
    """The numbers to compare nights by: figures up to 1, points, ms, MB."""
    mine = found.contest.candidate
    metric = mine.score.metric
    numbers = {
        **mine.score.others,
        "latency_ms": mine.latency.mean,
        "megabytes": mine.megabytes,
        "texts": len(mine.evidence),
    }
    if found.change:
        numbers |= {
            f"champion_{metric}": found.change.reference,
            "drop": found.change.drop,
            "p_value": found.change.p_value,
        }
    if found.total:
        numbers |= {f"best_{metric}": found.total.reference, "total_drop": found.total.drop}
    if found.slowdown:
        numbers["slowdown"] = found.slowdown.ratio
    return numbers
