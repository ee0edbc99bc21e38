"""A discrete-event simulation of one night of many models: deterministic for a seed.

A run asks for its tasks as the DAG does. One that is ready waits for the scheduler, which takes the
task with the highest weight of those whose pool has a slot (and as long as fewer than `parallelism`
are out), one after the other, at most so many a second; then for a worker of its queue, first come,
first served; then for its process to start. An end is known to the scheduler a moment later: only
then is the slot free, and the next task ready. The worker may be free later still.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.fleet.night import SHIPPING, WHATEVER_HAPPENED, Step

RETRIES = 3
RETRY_SECONDS = (30.0, 60.0, 120.0)
"""Before the second, third and fourth attempt; the DAG doubles from 30 s."""
Duration = Callable[[str, str, random.Random], float]
"""Seconds that a task (its model, its name) takes, drawn from a generator of its own."""


@dataclass(frozen=True)
class Installation:
    """What a night has to run on."""

    pools: Mapping[str, int]
    """Slots: tasks that are queued or run."""
    workers: Mapping[str, int]
    """Tasks at once, by queue."""
    parallelism: int
    """Tasks that are queued or run in the whole installation."""
    notice: float
    """Seconds from a task's end until the scheduler has dispatched what it lets go on."""
    start: float
    """Seconds from when a worker takes a task until it has begun."""
    hold: float
    """Seconds from a task's end until its worker can take another."""
    rate: float
    """Dispatches a second that the scheduler is good for."""


@dataclass(frozen=True)
class Load:
    """What is to be done: when each model's run is asked for, and how its tasks go."""

    starts: Mapping[str, float]
    """Seconds, by model."""
    duration: Duration
    failures: float = 0.0
    """Share of attempts that fail somewhere on their way, and are tried again from the start."""
    refused: float = 0.0
    """Share of the nights whose candidate the gate refuses."""
    seed: int = 17


@dataclass(frozen=True)
class Attempt:
    """A task that ran: when it was ready, dispatched, begun, ended, in seconds."""

    model: str
    task: str
    number: int
    ready: float
    queued: float
    began: float
    ended: float


@dataclass
class Night:
    """What happened."""

    attempts: list[Attempt] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    """Models with a task that failed for good."""

    @property
    def makespan(self) -> float:
        """Seconds from 0 to the last end."""
        return max((each.ended for each in self.attempts), default=0.0)

    def waits(self, queue_of: Mapping[str, str]) -> dict[str, list[float]]:
        """Seconds from ready to begun, by queue."""
        found = defaultdict(list)
        for each in self.attempts:
            found[queue_of[each.task]].append(each.began - each.ready)
        return dict(found)

    def ends(self) -> list[float]:
        """When each model's night was over, sorted."""
        last: dict[str, float] = {}
        for each in self.attempts:
            last[each.model] = max(each.ended, last.get(each.model, 0.0))
        return sorted(last.values())

    def busiest(self, seconds: float = 1.0) -> int:
        """The most dispatches that fell into one stretch of so many seconds."""
        counts = Counter(int(each.queued // seconds) for each in self.attempts)
        return max(counts.values(), default=0)

    def count(self) -> Counter[str]:
        """Attempts by task."""
        return Counter(each.task for each in self.attempts)


@dataclass(order=True)
class _Waiting:
    """A task that waits for the scheduler; the smallest goes first."""

    place: tuple[int, int]
    model: str = field(compare=False)
    task: str = field(compare=False)
    number: int = field(compare=False)
    ready: float = field(compare=False)
    queued: float = field(default=0.0, compare=False)


def simulate(steps: Mapping[str, Step], installation: Installation, load: Load) -> Night:
    """One night. Equal arguments give equal nights, and a task of a model takes the same time in
    whatever installation it runs."""
    return _Simulation(steps, installation, load).run()


class _Simulation:
    def __init__(self, steps: Mapping[str, Step], place: Installation, load: Load) -> None:
        self._steps, self._place, self._load = steps, place, load
        self._order = {model: at for at, model in enumerate(load.starts)}
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._tick = itertools.count()
        self._ready: dict[str, list[_Waiting]] = defaultdict(list)
        self._slots = dict(place.pools)
        self._out = 0
        self._free = dict(place.workers)
        self._queues: dict[str, deque[_Waiting]] = defaultdict(deque)
        self._scheduler = 0.0
        self._done: dict[str, set[str]] = defaultdict(set)
        self._asked: dict[str, set[str]] = defaultdict(set)
        self._dead: set[str] = set()
        self._night = Night()

    def run(self) -> Night:
        for model, start in self._load.starts.items():
            self._at(start, lambda now, model=model: self._go_on(model, now))  # type: ignore[misc]
        while self._events:
            now = self._events[0][0]
            while self._events and self._events[0][0] == now:
                heapq.heappop(self._events)[2](now)
            self._dispatch(now)
        return self._night

    def _at(self, when: float, what: Callable[[float], None]) -> None:
        heapq.heappush(self._events, (when, next(self._tick), what))

    def _go_on(self, model: str, now: float) -> None:
        """Every task of the model that now has all it waits for."""
        done, asked = self._done[model], self._asked[model]
        for step in self._steps.values():
            if step.name in asked or not done.issuperset(step.after):
                continue
            asked.add(step.name)
            if self._is_skipped(model, step.name):
                done.add(step.name)  # in the order of the tasks: what follows is looked at next
            else:
                self._wait(model, step.name, 1, now)

    def _is_skipped(self, model: str, task: str) -> bool:
        if model in self._dead:
            return task not in WHATEVER_HAPPENED
        return task in SHIPPING and self._chance(model, "gate", 0).random() < self._load.refused

    def _wait(self, model: str, task: str, number: int, now: float) -> None:
        step = self._steps[task]
        place = (-step.weight, self._order[model])
        heapq.heappush(self._ready[step.pool], _Waiting(place, model, task, number, now))

    def _dispatch(self, now: float) -> None:
        while self._out < self._place.parallelism:
            pools = [name for name, ready in self._ready.items() if ready and self._slots[name]]
            if not pools:
                return
            pool = min(pools, key=lambda name: self._ready[name][0])
            one = heapq.heappop(self._ready[pool])
            self._slots[pool] -= 1
            self._out += 1
            self._scheduler = max(now, self._scheduler) + 1 / self._place.rate
            one.queued = self._scheduler
            self._at(one.queued, lambda now, one=one: self._queue(one, now))  # type: ignore[misc]

    def _queue(self, one: _Waiting, now: float) -> None:
        queue = self._steps[one.task].queue
        if self._free[queue]:
            self._free[queue] -= 1
            self._begin(one, now)
        else:
            self._queues[queue].append(one)

    def _begin(self, one: _Waiting, now: float) -> None:
        chance = self._chance(one.model, one.task, one.number)
        began = now + self._place.start
        seconds = self._load.duration(one.model, one.task, chance)
        good = chance.random() >= self._load.failures
        ended = began + (seconds if good else seconds * chance.random())
        times = (one.ready, one.queued, began, ended)
        self._night.attempts.append(Attempt(one.model, one.task, one.number, *times))
        self._at(ended + self._place.hold, lambda now: self._leave(one, now))
        self._at(ended + self._place.notice, lambda now: self._end(one, good, now))

    def _leave(self, one: _Waiting, now: float) -> None:
        """The worker takes the next."""
        queue = self._steps[one.task].queue
        if self._queues[queue]:
            self._begin(self._queues[queue].popleft(), now)
        else:
            self._free[queue] += 1

    def _end(self, one: _Waiting, good: bool, now: float) -> None:
        """The scheduler has learnt of it."""
        self._slots[self._steps[one.task].pool] += 1
        self._out -= 1
        if not good and one.number <= RETRIES:
            later = now + RETRY_SECONDS[one.number - 1]
            self._at(later, lambda now: self._wait(one.model, one.task, one.number + 1, now))
            return
        if not good:
            self._dead.add(one.model)
            self._night.failed.append(one.model)
        self._done[one.model].add(one.task)
        self._go_on(one.model, now)

    def _chance(self, model: str, task: str, number: int) -> random.Random:
        return random.Random(f"{self._load.seed}/{model}/{task}/{number}")


def drawn_from(samples: Mapping[str, Sequence[float]]) -> Duration:
    """Durations drawn from measured ones of the same task, whatever the model."""
    return lambda _, task, chance: chance.choice(samples[task])
