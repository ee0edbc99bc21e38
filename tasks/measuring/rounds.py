"""Interleaved rounds: who is measured when must not decide who wins."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Protocol

from tasks.measuring.contender import Answer, Text

SECONDS_TO_QUIET = 0.2
"""Pause between two turns: ONNX Runtime's threads spin some 50 ms after their last work."""
TEXTS_TOGETHER = 2000
"""Most texts in a throughput measurement: more takes longer and says the same."""
CHARACTERS_TOGETHER = 150_000
"""Most characters in it, for texts that are long."""
CHARACTERS_ALONE = 100_000
"""Characters of the texts that are asked one at a time in a round, if they are as long as the mean:
every round has as many texts, so that their quantiles compare."""
ROUNDS_TOGETHER = 2
"""Rounds with a throughput measurement: a call with all texts wobbles less than one with one."""


class Measured(Protocol):
    """What a turn needs of a contender's process."""

    def each(self, texts: Sequence[Text]) -> tuple[list[float], list[Answer]]:
        """One call a text: the seconds of each, and the answers."""

    def together(self, texts: Sequence[Text], batch: int) -> tuple[float, list[Answer]]:
        """One call for all texts: its seconds, and the answers."""


@dataclass(frozen=True)
class Samples:
    """Raw samples of one contender, a list a round."""

    latency: list[list[float]] = field(default_factory=list)
    """Seconds of every single call, [rounds][texts]."""
    throughput: list[float] = field(default_factory=list)
    """Texts a second of every call with many texts, [rounds with such a call]."""
    together: list[int] = field(default_factory=list)
    """How many texts each of these calls had."""


@dataclass(frozen=True)
class Turn:
    """What one contender does in one round."""

    round: int
    name: str
    single: list[Text]
    """Texts to be asked one at a time; the same for everybody in a round."""
    together: list[Text]
    """Texts to be asked all at once; empty in rounds that don't."""


def schedule(
    names: Sequence[str], texts: Sequence[Text], rounds: int, single: int, seed: int
) -> list[Turn]:
    """Every turn in order; each round reshuffles the contenders and the texts."""
    shuffle = random.Random(seed)  # noqa: S311 - an order, no secret
    alone = min(single, CHARACTERS_ALONE * len(texts) // max(1, sum(map(_characters, texts))))
    turns: list[Turn] = []
    for number in range(rounds):
        order = shuffle.sample(names, len(names))
        mixed = shuffle.sample(texts, len(texts))
        together = _bounded(mixed) if number < ROUNDS_TOGETHER else []
        turns += [Turn(number, name, mixed[: max(1, alone)], together) for name in order]
    return turns


def _bounded(texts: Sequence[Text]) -> list[Text]:
    """The first of them, as far as a throughput measurement goes; one at least."""
    fitting = sum(total <= CHARACTERS_TOGETHER for total in accumulate(map(_characters, texts)))
    return list(texts[: max(1, min(fitting, TEXTS_TOGETHER))])


def _characters(text: Text) -> int:
    return len(text) if isinstance(text, str) else sum(map(len, text))


def race(
    processes: Mapping[str, Measured],
    turns: Iterable[Turn],
    batch: int,
    progress: Callable[[Turn], None] = lambda _: None,
) -> dict[str, Samples]:
    """Let each contender take its turns, one at a time, and keep every sample.

    `progress` is called before each turn.
    """
    found = {name: Samples() for name in processes}
    for turn in turns:
        progress(turn)
        process, samples = processes[turn.name], found[turn.name]
        time.sleep(SECONDS_TO_QUIET)
        seconds, _ = process.each(turn.single)
        samples.latency.append(seconds)
        if turn.together:
            taken, _ = process.together(turn.together, batch)
            samples.throughput.append(len(turn.together) / taken)
            samples.together.append(len(turn.together))
    return found
