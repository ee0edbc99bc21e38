"""The candidate and the versions it is held against, all asked the same today, by turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tasks.data.dataset import Examples
from tasks.inference.release import MODEL, Release
from tasks.judging.paired import Right
from tasks.measuring.contender import Contender
from tasks.measuring.scores import Score, score
from tasks.measuring.session import Measurement, Plan, measure
from tasks.measuring.statistics import Latency, latency
from tasks.params.gate import Gate
from tasks.stage.cores import cores
from tasks.stage.errors import BadInput, StageError

CANDIDATE = "candidate"
BATCH = 32
"""Texts that share a batch while accuracy is measured."""


class CandidateBroke(Exception):
    """The candidate can't be loaded, or can't answer: a reason to refuse it, no accident."""


@dataclass(frozen=True)
class Rival:
    """A published version that the candidate is held against."""

    version: str
    folder: Path
    """Its files, on this machine."""
    digest: str
    accuracy: float | None = None
    """0 to 1, on the test split of the night it was made: shown, never judged by."""


@dataclass(frozen=True)
class Scored:
    """What a contender is like today."""

    name: str
    right: Right
    """Whether it labels each test text rightly, [texts]."""
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
            "accuracy": self.score.accuracy,
            "accuracy_interval": self.score.accuracy_interval,
            "macro_f1": self.score.macro_f1,
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


def contest(candidate: Path, rivals: Sequence[Rival], test: Examples, section: Gate) -> Contest:
    """Score and time everybody on the test split, each in a process of its own.

    Raises CandidateBroke when the candidate can't be scored, BadInput naming the version when a
    rival can't, Unavailable when the system kills one of the processes.
    """
    threads = section.threads or cores()
    folders = {CANDIDATE: candidate} | {each.version: each.folder for each in rivals}
    contenders = [Contender(name, "release", path, threads) for name, path in folders.items()]
    plan = Plan(section.rounds, section.texts, BATCH, section.seed, throughput=False)
    try:
        found, others = measure(contenders, [], test.texts, plan, title="gate")
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
    scored = [_scored(each, test.labels, section.seed) for each in found]
    return Contest(scored[0], {each.name: each for each in scored[1:]}, others)


def _scored(found: Measurement, truth: Sequence[str], seed: int) -> Scored:
    labels = [label for label, _ in found.test]
    right = np.array([given == label for given, label in zip(labels, truth, strict=True)], bool)
    rounds = [[1000 * second for second in each] for each in found.samples.latency]
    return Scored(
        name=found.contender.name,
        right=right,
        score=score(truth, labels, labels, seed),
        rounds=rounds,
        latency=latency(rounds, seed),
        megabytes=_weights(found.contender.folder),
    )


def _weights(folder: Path) -> float:
    """The model's files: the graph, and what it keeps beside itself when it is large."""
    names = [name for name in Release.read(folder).files if Path(name).suffix in (".onnx", ".data")]
    return sum((folder / name).stat().st_size for name in {MODEL, *names}) / 1e6
