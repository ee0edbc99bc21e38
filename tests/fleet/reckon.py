"""What a night of many models needs: workers, scheduler, database, store.

Workers by simulation: the fewest with which the night is over in time. A task's seconds are those
of `tests.sizing`, spread as the measured ones were. Requests and rows are those of the measured
night, a task and a model.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from statistics import mean, median

from tasks.handover.resources import read_table
from tests import sizing
from tests.fleet.check import installation
from tests.fleet.measured import Both, Burst
from tests.fleet.night import DAG, Step, steps
from tests.fleet.simulation import Duration, Installation, Load, Night, simulate
from tests.made import ROOT
from tests.sizing import ENCODERS, Size

PRICES = {"PUT": 0.005, "POST": 0.005, "LIST": 0.005, "GET": 0.0004, "HEAD": 0.0004, "DELETE": 0.0}
"""Dollars a thousand requests: an assumption, S3's standard class in one region."""
STORAGE_PRICE = 0.023
"""Dollars a GB and month: another."""
KEPT_NIGHTS = 60
"""`housekeeping.keep_days`."""
FAILURES, REFUSED = 0.02, 0.2
"""Share of attempts that fail and are tried again, of candidates that the gate refuses: assumed."""
MIXES: dict[str, dict[tuple[int, str], int]] = {
    "alike": {(10_000, "22 M"): 1},
    "mixed": {(10_000, "22 M"): 14, (100_000, "22 M"): 4, (100_000, "110 M"): 1,
              (10_000, "350 M"): 1},
}  # fmt: skip
"""Parts of the models that have so many rows and that encoder."""
QUEUES = ("train", "cpu", "publish")
"""The dearest first."""
STEP = 0.05
"""By which a queue grows that is too small, in shares of its workers."""


@dataclass(frozen=True)
class Fleet:
    """Models, by name, and what each is."""

    sizes: dict[str, Size]
    both: Both
    dispatches: float
    """A second, that the scheduler is good for."""
    plan: dict[str, Step] = field(default_factory=lambda: steps(ROOT))

    @classmethod
    def of(cls, count: int, mix: str, both: Both, burst: Burst) -> Fleet:
        """So many models, in the parts of a mix, by turns."""
        parts = MIXES[mix]
        whole = sum(parts.values())
        kinds = [kind for kind, share in parts.items() for _ in range(share)]
        at = [kinds[number * 7 % whole] for number in range(count)]  # 7: prime to any whole here
        named = {f"m{number:04}": Size(rows, ENCODERS[e]) for number, (rows, e) in enumerate(at)}
        return cls(named, both, burst.rate)

    @cached_property
    def kinds(self) -> Counter[Size]:
        """How many models are of each size."""
        return Counter(self.sizes.values())

    @cached_property
    def load(self) -> Load:
        """All of them at once, as 02:00 has it."""
        starts = dict.fromkeys(self.sizes, 0.0)
        return Load(starts, self._duration(), FAILURES, REFUSED)

    def _duration(self) -> Duration:
        by_size = {size: sizing.seconds(size) for size in self.kinds}
        spread = ratios(self.both)
        return lambda model, task, chance: by_size[self.sizes[model]][task] * chance.choice(spread)

    def place(self, workers: Mapping[str, int]) -> Installation:
        """An installation with those workers, its pools as large as they are together."""
        table = read_table(ROOT)
        pools: Counter[str] = Counter()
        for queue, count in workers.items():
            pools[table.queues[queue].pool] += count
        measured = installation(self.both)
        return replace(
            measured,
            pools=dict(pools),
            workers=dict(workers),
            parallelism=sum(workers.values()),
            rate=self.dispatches,
        )

    def night(self, workers: Mapping[str, int]) -> Night:
        """What happens with those workers."""
        return simulate(self.plan, self.place(workers), self.load)

    def work(self) -> dict[str, float]:
        """Seconds of all tasks by queue, with as many workers as one could wish for."""
        many = dict.fromkeys(QUEUES, len(self.sizes))
        found: Counter[str] = Counter()
        for each in self.night(many).attempts:
            found[self.plan[each.task].queue] += each.ended - each.began  # type: ignore[assignment]
        return dict(found)


def ratios(both: Both) -> list[float]:
    """Each measured task's seconds over the median of that task's."""
    return [
        value / median(values)
        for values in both.together.durations().values()
        for value in values
        if median(values) > 1.0
    ]


def fewest(fleet: Fleet, hours: float) -> tuple[dict[str, int], Night]:
    """The fewest workers by queue with which the night is over in time, and that night.

    From as many as the work alone wants, the queue grows whose tasks wait longest for each of its
    workers; then each is made smaller again as far as it goes, the dearest first. Raises ValueError
    when one model alone takes longer.
    """
    limit = 3600 * hours
    if fleet.night(dict.fromkeys(QUEUES, len(fleet.sizes))).makespan > limit:
        raise ValueError(f"the longest night takes more than {hours:g} h, however many workers")
    workers = {queue: math.ceil(seconds / limit) for queue, seconds in fleet.work().items()}
    queue_of = {name: step.queue for name, step in fleet.plan.items()}
    while (night := fleet.night(workers)).makespan > limit:
        waits = night.waits(queue_of)
        worst = max(QUEUES, key=lambda queue: sum(waits[queue]) / workers[queue])
        workers[worst] += max(1, round(STEP * workers[worst]))
    for queue in QUEUES:
        while workers[queue] > 1:
            fewer = {**workers, queue: workers[queue] - 1}
            if (less := fleet.night(fewer)).makespan > limit:
                break
            workers, night = fewer, less
    return workers, night


@dataclass(frozen=True)
class Needs:
    """What one night of a fleet comes to."""

    fleet: Fleet
    workers: dict[str, int]
    night: Night

    @property
    def cores(self) -> int:
        """Of all workers, each as large as its queue's largest task."""
        tasks = read_table(ROOT).dags[DAG].values()
        largest = {queue: max(t.cpu for t in tasks if t.queue == queue) for queue in self.workers}
        return sum(count * largest[queue] for queue, count in self.workers.items())

    def busy(self) -> dict[str, float]:
        """Share of each queue's workers' time that tasks take, until the night is over."""
        found = dict.fromkeys(self.workers, 0.0)
        for each in self.night.attempts:
            found[self.fleet.plan[each.task].queue] += each.ended - each.began
        return {
            queue: taken / self.night.makespan / self.workers[queue]
            for queue, taken in found.items()
        }

    def waits(self) -> dict[str, float]:
        """Mean seconds from ready to begun, by queue."""
        queue_of = {name: step.queue for name, step in self.fleet.plan.items()}
        return {queue: mean(found) for queue, found in self.night.waits(queue_of).items()}

    def requests(self) -> dict[str, float]:
        """To the store by verb: a task's measured ones, times its attempts."""
        together, attempts = self.fleet.both.together, self.night.count()
        measured = Counter(span.task for span in together.spans)
        found: Counter[str] = Counter()
        for each in together.requests:
            times = (
                attempts[each.task] / measured[each.task]
                if each.task in measured
                else len(self.fleet.sizes) / len(together.models)
            )
            found[each.verb] += each.count * times  # type: ignore[assignment]
        return dict(found)

    def dollars(self) -> float:
        """For a night's requests."""
        return sum(PRICES[verb] * count / 1000 for verb, count in self.requests().items())

    def rows(self) -> float:
        """That a night leaves in Airflow's database, as many for each attempt as were measured."""
        together = self.fleet.both.together
        return sum(together.rows.values()) * len(self.night.attempts) / len(together.spans)

    def stored(self) -> float:
        """Bytes that a night leaves in the store."""
        return sum(count * sizing.stored(size) for size, count in self.fleet.kinds.items())

    def moved(self) -> float:
        """Bytes between workers and store."""
        kinds = self.fleet.kinds.items()
        return sum(count * sum(sizing.moved(size).values()) for size, count in kinds)

    def lines(self) -> list[tuple[str, str]]:
        """Everything, in words."""
        night, per_verb = self.night, self.requests()
        ended = night.ends()
        mean_rate = len(night.attempts) / night.makespan
        kept = KEPT_NIGHTS * self.stored() / 1e9
        verbs = ", ".join(f"{verb} {per_verb[verb]:,.0f}" for verb in sorted(per_verb))
        by_queue = {
            "workers": {queue: f"{count}" for queue, count in self.workers.items()},
            "busy": {queue: f"{100 * share:.0f} %" for queue, share in self.busy().items()},
            "mean wait": {queue: f"{seconds:,.0f} s" for queue, seconds in self.waits().items()},
        }
        told = {
            name: ", ".join(f"{queue} {cells[queue]}" for queue in QUEUES)
            for name, cells in by_queue.items()
        }
        return [
            ("night", f"{night.makespan / 3600:.2f} h; the first model after "
                      f"{ended[0] / 60:.0f} min, half of them after {median(ended) / 3600:.2f} h"),
            ("workers", f"{told['workers']}: {self.cores} cores"),
            ("busy", told["busy"]),
            ("mean wait", told["mean wait"]),
            ("tasks", f"{len(night.attempts):,} attempts, {len(night.failed)} failed for good"),
            ("scheduler", f"{mean_rate:.2f} dispatches/s, at most {night.busiest(10) / 10:.1f} in "
                          f"10 s; good for {self.fleet.dispatches:.1f}"),
            ("database", f"{self.rows():,.0f} rows a night"),
            ("store", f"{sum(per_verb.values()):,.0f} requests a night ({verbs}): "
                      f"${self.dollars():.2f}"),
            ("stored", f"{self.stored() / 1e9:,.0f} GB a night; {kept / 1000:,.1f} TB of "
                       f"{KEPT_NIGHTS} nights: ${kept * STORAGE_PRICE:,.0f} a month"),
            ("moved", f"{self.moved() / 1e12:.2f} TB a night, "
                      f"{8 * self.moved() / night.makespan / 1e9:.2f} Gbit/s in the mean"),
        ]  # fmt: skip
