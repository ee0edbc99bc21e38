"""A whole measurement: start every contender, ask each everything, let them race."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from tqdm import tqdm

from tasks.measuring.contender import Answer, Contender, Text
from tasks.measuring.machine import Others
from tasks.measuring.process import Process
from tasks.measuring.rounds import Samples, Turn, race, schedule


@dataclass(frozen=True)
class Plan:
    """How much is measured: `rounds` of `single` texts one at a time, and of `batch` at once."""

    rounds: int
    single: int
    batch: int
    seed: int
    throughput: bool = True
    """Whether it is measured at all: it takes far longer than the latency."""


@dataclass(frozen=True)
class Measurement:
    """All that was found about one contender, raw."""

    contender: Contender
    environment: dict[str, Any]
    start_seconds: float
    """From the start of the process to the first prediction, its files in the page cache."""
    memory_bytes: int
    validation: list[Answer]
    test: list[Answer]
    samples: Samples


def measure(
    contenders: Sequence[Contender],
    validation: Sequence[Text],
    test: Sequence[Text],
    plan: Plan,
    title: str = "benchmark",
) -> tuple[list[Measurement], float]:
    """Measure all contenders on the same texts, interleaved; progress goes to stderr as `title`'s.

    Returns what was found, in the contenders' order, and the share of the machine's cores (0 to 1)
    that other programs took while latency and throughput were measured.
    """
    with _started(contenders, test[0], title) as processes:
        answers = _answers(processes, validation, test, plan.batch, title)
        turns = schedule(list(processes), test, plan.rounds, plan.single, plan.seed)
        if not plan.throughput:
            turns = [replace(turn, together=[]) for turn in turns]
        others = Others([process.pid for process in processes.values()])
        bar = tqdm(turns, f"{title}: rounds", unit=" turns")

        def show(turn: Turn) -> None:
            bar.set_postfix_str(f"round {turn.round + 1}/{plan.rounds}, {turn.name}")

        samples = race(processes, bar, plan.batch, show)
        found = [
            Measurement(
                process.contender,
                process.environment,
                process.start_seconds,
                process.peak_memory(),
                *answers[name],
                samples[name],
            )
            for name, process in processes.items()
        ]
        return found, others.share()


@contextmanager
def _started(
    contenders: Sequence[Contender], first: Text, title: str
) -> Iterator[dict[str, Process]]:
    """A process each. Every one starts twice: only the second time are its files in memory."""
    with ExitStack() as stack:
        processes = {}
        for contender in tqdm(contenders, f"{title}: starts", unit=" contenders"):
            Process(contender, first).close()
            processes[contender.name] = stack.enter_context(Process(contender, first))
        yield processes


def _answers(
    processes: dict[str, Process],
    validation: Sequence[Text],
    test: Sequence[Text],
    batch: int,
    title: str,
) -> dict[str, tuple[list[Answer], list[Answer]]]:
    """Everybody's answers to everything, which warms everybody up as well."""
    bar = tqdm(processes.items(), f"{title}: accuracy", unit=" contenders")
    return {
        name: (process.answers(validation, batch), process.answers(test, batch))
        for name, process in bar
    }
