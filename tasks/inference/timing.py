"""What a text takes on this machine: by which fusion, and by how many threads."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from tasks.data.dataset import Text
from tasks.inference.predictor import Predictor
from tasks.inference.release import Release
from tasks.stage.cores import cores

TEXTS_TIMED = 32
WORTH_IT = 1.3
"""How many times as fast more threads must make one text: a core that buys less has more to give to
the next text, and two threads that share one physical core, as those of a virtual machine may at
times, are slower than one."""
REST = 0.2
"""Seconds before threads are timed again: on which cores they run is settled when they wake up, and
holds for a while."""

Answer = Callable[[list[Any]], object]


class Threads(Protocol):
    """What is asked of threads: the section `export:` has it."""

    @property
    def threads(self) -> int | None: ...
    @property
    def latency_threads(self) -> int | None: ...


@dataclass(frozen=True)
class Speed:
    """What a text takes, in ms: when it comes alone, and as one of many at once."""

    alone: float
    together: float

    @property
    def both(self) -> float:
        """Their geometric mean: a tenth less of either is worth the same."""
        return math.sqrt(self.alone * self.together)


def time_threads(folder: Path, texts: Sequence[Text], wishes: Threads) -> dict[int, float]:
    """Latency in ms of the release in a folder at one text at a time, by its threads: a thread that
    gains in some draws and loses in others gains what it does in the mean.

    What `fewest` says of them is written on its card. One entry when there is no choice.
    """
    card, most = Release.read(folder), wishes.threads or cores()
    choices = sorted({2**power for power in range(most.bit_length())} | {most})
    if wishes.latency_threads is not None:
        choices = [min(wishes.latency_threads, most)]
    elif card.session.provider is not None:
        choices = [most]  # another processor does the work
    times = {choices[0]: 0.0}
    if len(choices) > 1:
        loaded = {str(count): Predictor.load(folder, count) for count in choices}
        found = latencies(loaded, texts[:TEXTS_TIMED], rest=REST)
        times = {int(count): ms for count, ms in found.items()}
    replace(card, session=replace(card.session, alone=fewest(times))).write(folder)
    return times


def fewest(times: Mapping[int, float]) -> int:
    """Of numbers of threads, with what a text takes by each, the least that no other one beats by
    so much that it is worth it."""
    limit = WORTH_IT * min(times.values())
    return min(count for count, ms in times.items() if ms <= limit)


def latencies(
    candidates: Mapping[str, Answer], texts: Sequence[Any], rounds: int = 5, rest: float = 0.0
) -> dict[str, float]:
    """Milliseconds that each candidate takes of the median text, one at a time, in the mean of the
    rounds: the candidates in turn, each after `rest` seconds in which nothing runs."""
    found = _timed(candidates, [[text] for text in texts], rounds, rest)
    return {name: statistics.mean(times) for name, times in found.items()}


def speeds(
    candidates: Mapping[str, Answer], texts: Sequence[Any], rounds: int = 3
) -> dict[str, Speed]:
    """How fast each candidate is at one text at a time and at all of them at once, in turn."""
    alone = latencies(candidates, texts, rounds)
    together = _timed(candidates, [texts], rounds)
    return {
        name: Speed(alone[name], statistics.median(times) / len(texts))
        for name, times in together.items()
    }


def _timed(
    candidates: Mapping[str, Answer], calls: Sequence[Sequence[Any]], rounds: int,
    rest: float = 0.0,
) -> dict[str, list[float]]:  # fmt: skip
    """Milliseconds that each candidate takes of the median call, of each round.

    In turn, so that a machine that slows down for a while slows down all of them alike. The first
    round only warms up, and is not told.
    """
    found: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(rounds + 1):
        for name, predict in candidates.items():
            time.sleep(rest if turn else 0.0)
            took = []
            for texts in calls:
                started = time.perf_counter()
                predict(list(texts))
                took.append(1e3 * (time.perf_counter() - started))
            if turn:
                found[name].append(statistics.median(took))
    return found
