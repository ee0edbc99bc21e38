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
from tasks.judging.paired import Comparison, Slowdown, compare, slowdown
from tasks.judging.slices import Standing, slices, standings
from tasks.measuring.machine import LOUD
from tasks.params.gate import Gate
from tasks.stage.cores import cores
from tasks.stage.errors import BadInput


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
    asked = golden.requests(case.section.golden, release.pairs)
    outcome = golden.try_out(case.candidate, asked, case.section.threads or cores())
    checks += [rules.loads(outcome.broke)]
    if outcome.seconds is None:
        return _ruling(case, checks)
    checks += [rules.golden(outcome), *rules.starts(outcome.seconds, case.section)]
    champion = _card(case.champion) if case.champion else None
    version = case.champion.version if case.champion else ""
    checks += [rules.same_contract(release, champion, version, case.major)]
    try:
        found = _evidence(case, _comparable(case, release))
    except CandidateBroke as error:
        return _ruling(case, [*checks, rules.loads(str(error))])
    return _ruling(case, [*checks, *_checks(case, found)], found)


def _comparable(case: Case, release: Release) -> list[Rival]:
    """Who can be asked what the candidate is asked: texts, or pairs of texts."""
    known = {each.version: each for each in (case.champion, case.best) if each}
    return [each for each in known.values() if _card(each).pairs == release.pairs]


def _card(rival: Rival) -> Release:
    try:
        return Release.read(rival.folder)
    except BadInput as error:
        raise BadInput(f"{rival.version}, which the candidate is held against: {error}") from None


def _evidence(case: Case, rivals: Sequence[Rival]) -> Evidence:
    section, test = case.section, case.test
    found = contest(case.candidate, rivals, test, section)
    mine = found.candidate
    champion, best = (
        found.rivals.get(each.version) if each else None
        for each in (case.champion, case.best or case.champion)
    )
    total = compare(mine.right, best.right, section.seed) if best else None
    if champion is None:
        return Evidence(found, None, total, None, None)
    was_right, sliced = champion.right, slices(test, case.domains)
    return Evidence(
        contest=found,
        change=compare(mine.right, was_right, section.seed),
        total=total,
        slowdown=slowdown(mine.rounds, champion.rounds, section.seed),
        standings=standings(sliced, mine.right, was_right, section.min_slice, section.seed),
    )


def _checks(case: Case, found: Evidence) -> list[Check]:
    section, mine = case.section, found.contest.candidate
    version = case.champion.version if case.champion else ""
    best = case.best or case.champion
    champion = found.contest.rivals.get(version)
    times = mine.latency.p50, champion.latency.p50 if champion else 0.0
    return [
        *rules.absolute(mine, case.test.labels, section),
        rules.drop(found.change, version, section),
        rules.significance(found.change, version, section),
        rules.total_drop(found.total, best.version if best else "", section),
        *rules.by_slice(found.standings, version, section),
        *rules.slowness(found.slowdown, times, version, section),
    ]


def _nothing_new(case: Case, champion: Rival) -> dict[str, Any]:
    told = f"it is {champion.version}, which is in production, bit for bit"
    return _ruling(case, []) | {"verdict": "nothing new", "reasons": [told]}


def _ruling(case: Case, checks: list[Check], found: Evidence | None = None) -> dict[str, Any]:
    """The report, with as much of it as there was reason to find out."""
    return {
        "verdict": verdict_of(checks),
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
    known = {"version": rival.version, "digest": rival.digest, "recorded_accuracy": rival.accuracy}
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
    """The numbers to compare nights by: shares 0 to 1, points, ms, MB."""
    mine = found.contest.candidate
    numbers = {
        "accuracy": mine.score.accuracy,
        "macro_f1": mine.score.macro_f1,
        "latency_ms": mine.latency.p50,
        "megabytes": mine.megabytes,
        "texts": len(mine.right),
    }
    if found.change:
        numbers |= {
            "champion_accuracy": found.change.reference,
            "drop": found.change.drop,
            "p_value": found.change.p_value,
        }
    if found.total:
        numbers |= {"best_accuracy": found.total.reference, "total_drop": found.total.drop}
    if found.slowdown:
        numbers["slowdown"] = found.slowdown.ratio
    return numbers
