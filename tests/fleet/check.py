"""Is the simulation right? What it says of a night that was measured, beside what happened.

An earlier night with fewer models says how long the scheduler takes and a worker is held between
two tasks; nothing of that is fitted to the night that is checked. Three questions, apart from each
other:

- **queueing**: with each task's measured seconds given, does the simulated scheduler have the night
  end when it did, and the models wait as long as they did?
- **one for many**: the same with the seconds of the model that ran alone. Tasks that run at once
  take each other's cores, which the simulation knows nothing of.
- **counts**: requests to the store by verb, and rows of Airflow's database, of the model that ran
  alone, times the number of models.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import mean, median

from tasks.handover.resources import read_table
from tests.fleet.measured import Both, Measured, Span
from tests.fleet.night import Step, steps
from tests.fleet.simulation import Installation, Load, Night, simulate
from tests.made import ROOT

ANY = "any"
AHEAD = 1
"""Tasks that a LocalExecutor has queued beside those that run, as the earlier night shows."""
WAITS = {"cpu": 0.2, "train": 0.5}
"""Tolerances: few tasks train, and whether one is a place ahead of another changes their mean."""
MANY = 1000.0
"""Dispatches a second: here the two delays say all."""


@dataclass(frozen=True)
class Comparison:
    """A predicted figure beside the measured one."""

    what: str
    predicted: float
    measured: float
    tolerance: float
    """The largest relative error that passes."""

    @property
    def error(self) -> float:
        """Relative to the measured one; predicted too little is negative."""
        return (self.predicted - self.measured) / self.measured

    @property
    def good(self) -> bool:
        """Whether it is close enough."""
        return abs(self.error) <= self.tolerance


def compare(both: Both, earlier: Both) -> list[Comparison]:
    """Everything that is held against the measured night `both`; its delays are `earlier`'s."""
    plan, alone, together = steps(ROOT), both.alone, both.together
    taken = {(span.model, span.task): span.ended - span.began for span in together.spans}
    starts = dict.fromkeys(together.models, 0.0)
    place, any_queue = installation(earlier), {n: replace(s, queue=ANY) for n, s in plan.items()}
    given = simulate(any_queue, place, Load(starts, lambda model, task, _: taken[model, task]))
    least = {task: seconds[0] for task, seconds in alone.durations().items()}
    pure = simulate(any_queue, place, Load(starts, lambda _, task, __: least[task]))
    return [
        Comparison("queueing: makespan, s", given.makespan, together.makespan, 0.05),
        Comparison("queueing: mean end of a night, s", *ends(given, together), 0.1),
        *waits(given, together, plan),
        Comparison("one for many: makespan, s", pure.makespan, together.makespan, 0.25),
        *counts(alone, together),
    ]


def installation(both: Both) -> Installation:
    """That of `tests.fleet.measure`: one machine, whose executor takes tasks of any queue, as many
    as it has workers and one ahead. The delays are measured: the scheduler's where one model is
    alone and nothing is waited for but it, the workers' where they are never idle."""
    alone, workers = both.alone.spans, both.together.about["parallelism"]
    turns = [after.queued - one.ended for one, after in pairwise(alone)]
    return Installation(
        pools=read_table(ROOT).pools,
        workers={ANY: workers},
        parallelism=workers + AHEAD,
        notice=median(turns),
        start=median(span.began - span.queued for span in alone),
        hold=mean(holds(both.together.spans, workers)),
        rate=MANY,
    )


def holds(spans: Sequence[Span], workers: int) -> list[float]:
    """Seconds from when a worker's task had ended, and another was queued, until that began.

    Which worker took a task is not recorded: the one that is idle, of several the one that has been
    so for the longest.
    """
    free = [0.0] * workers
    found = []
    for span in sorted(spans, key=lambda span: span.began):
        at = free.index(min(free))
        if free[at]:
            found.append(max(0.0, span.began - max(free[at], span.queued)))
        free[at] = span.ended
    return found


def ends(given: Night, together: Measured) -> tuple[float, float]:
    """Mean seconds until a model's night was over, predicted and measured."""
    last: dict[str, float] = defaultdict(float)
    for span in together.spans:
        last[span.model] = max(last[span.model], span.ended - together.begun)
    return mean(given.ends()), mean(last.values())


def waits(given: Night, together: Measured, plan: Mapping[str, Step]) -> list[Comparison]:
    """Mean seconds from ready to begun, by queue."""
    mine = given.waits({name: step.queue for name, step in plan.items()})
    over = {(span.model, span.task): span.ended for span in together.spans}
    theirs = defaultdict(list)
    for span in together.spans:
        before = [over[span.model, name] for name in plan[span.task].after]
        theirs[plan[span.task].queue].append(span.began - max(before, default=together.begun))
    return [
        Comparison(
            f"queueing: mean wait in {queue}, s", mean(mine[queue]), mean(found), WAITS[queue]
        )
        for queue, found in sorted(theirs.items())
        if queue in WAITS
    ]


def counts(alone: Measured, together: Measured) -> list[Comparison]:
    """One model's requests and rows, times the models."""
    many = len(together.models)
    verbs, theirs = alone.verbs(), together.verbs()
    found = [
        Comparison(f"counts: {verb}", many * verbs[verb], theirs[verb], 0.1)
        for verb in sorted(theirs)
    ]
    total = (many * verbs.total(), theirs.total())
    rows = (many * sum(alone.rows.values()), sum(together.rows.values()))
    return [
        *found,
        Comparison("counts: all requests", *total, 0.05),
        Comparison("counts: rows of the database", *rows, 0.1),
    ]
