"""The candidate and the versions it is held against, all asked the same today, by turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tasks.data.dataset import Text
from tasks.inference.release import megabytes, weights_of
from tasks.measuring.contender import Contender
from tasks.measuring.scores import Score, score
from tasks.measuring.session import Measurement, Plan, measure
from tasks.measuring.statistics import Array, Latency, latency
from tasks.params.gate import Gate
from tasks.stage.cores import cores
from tasks.stage.errors import BadInput, StageError
from tasks.task import Task

CANDIDATE = "candidate"
BATCH = 32
"""Texts that share a batch while what is right is counted."""


class CandidateBroke(Exception):
    """The candidate can't be loaded, or can't answer: a reason to refuse it, no accident."""


@dataclass(frozen=True)
class Rival:
    """A published version that the candidate is held against."""

    version: str
    folder: Path
    """Its files, on this machine."""
    digest: str
    figure: float | None = None
    """At most 1, on the test split of the night it was made: shown, never judged by."""


@dataclass(frozen=True)
class Scored:
    """What a contender is like today."""

    name: str
    evidence: Array
    """What each test text says of it, [texts, n], as `Task.evidence` has it."""
    score: Score
    rounds: list[list[float]]
    """Milliseconds of every single text, [rounds][texts]."""
    latency: Latency
    """In ms."""
    megabytes: float
    """Of the weights, in 10^6 bytes."""

    def told(self) -> dict[str, Any]:
        """Its figures for the report."""
        return {
            "metric": self.score.metric,
            "figure": self.score.figure,
            "interval": self.score.interval,
            "others": self.score.others,
            "latency_ms": asdict(self.latency),
            "megabytes": self.megabytes,
        }


@dataclass(frozen=True)
class Contest:
    """Everybody's figures, from the same texts and the same rounds."""

    candidate: Scored
    rivals: dict[str, Scored]
    """By version."""
    others: float
    """Share of the machine's cores (0 to 1) that other programs took meanwhile."""


def contest(
    task: Task,
    candidate: Path,
    rivals: Sequence[Rival],
    texts: Sequence[Text],
    truth: Sequence[str],
    section: Gate,
) -> Contest:
    """Score and time everybody on the test split, each in a process of its own.

    `truth` is what `Task.truths` says of the texts.

    Raises CandidateBroke when the candidate can't be scored, BadInput naming the version when a
    rival can't, Unavailable when the system kills one of the processes.
    """
    threads = section.threads or cores()
    folders = {CANDIDATE: candidate} | {each.version: each.folder for each in rivals}
    contenders = [Contender(name, "release", path, threads) for name, path in folders.items()]
    plan = Plan(section.rounds, section.texts, BATCH, section.seed, throughput=False)
    try:
        found, others = measure(contenders, [], texts, plan, title="gate")
    except StageError as error:
        if error.retryable:
            raise
        broken = error.findings.get("contender")
        if broken == CANDIDATE:
            raise CandidateBroke(str(error)) from None
        raise BadInput(
            f"{broken}, which the candidate is held against, can't be scored, and without it "
            f"nothing may pass; fetch it again, or roll back to a version that loads:\n{error}"
        ) from None
    scored = [_scored(task, each, truth, section.seed) for each in found]
    return Contest(scored[0], {each.name: each for each in scored[1:]}, others)


def _scored(task: Task, found: Measurement, truth: Sequence[str], seed: int) -> Scored:
    rounds = [[1000 * second for second in each] for each in found.samples.latency]
    return Scored(
        name=found.contender.name,
        evidence=task.evidence(truth, found.test),
        score=score(task, truth, found.test, found.test, seed),
        rounds=rounds,
        latency=latency(rounds, seed),
        megabytes=megabytes(weights_of(found.contender.folder)),
    )
