"""By what a run is measured: the metric of its task, in the reader's words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tasks.reporting.evidence import Evidence, mapping
from tasks.reporting.wording import decimal, known, percent
from tasks.stage.errors import BadInput
from tasks.task import KINDS, MultiTask, Task, task_of
from tasks.task.classification import Classification

CORRELATION_DIGITS = 3
"""After the point, of what is no share."""


@dataclass(frozen=True)
class Yardstick:
    """A metric as it is named and written: shares in per cent, anything else as it is."""

    key: str
    """What the figures of a report are filed under: f1."""
    name: str
    """In a reader's words: entity F1."""
    share: bool = True
    exact: bool = False
    """Whether answers are right or wrong one by one, so that intervals are Wilson's."""

    @property
    def title(self) -> str:
        """Its name where a sentence begins."""
        return self.name[:1].upper() + self.name[1:]

    @property
    def column(self) -> str:
        """Its name with the unit of what `bare` writes."""
        return f"{self.name}, %" if self.share else self.name

    @property
    def heading(self) -> str:
        """The same over a column of numbers."""
        return f"#{self.column}"

    def shown(self, value: Any, digits: int = 1) -> str:
        """A figure with its unit; `digits` are those of per cent."""
        return percent(value, digits) if self.share else decimal(value, CORRELATION_DIGITS)

    def bare(self, value: Any, digits: int = 2) -> str:
        """A figure without its unit, for a column that names it."""
        number = known(value)
        if self.share and number is not None:
            return decimal(100 * number, digits)
        return decimal(number, CORRELATION_DIGITS)

    def of(self, value: Any, digits: int = 1) -> str:
        """A figure in a sentence; that a share of right answers is meant goes without saying."""
        return f"{'' if self.exact else f'{self.name} '}{self.shown(value, digits)}"

    def on_axis(self, value: float) -> str:
        """A figure beside a chart's axis, whose name has the unit."""
        return f"{100 * value if self.share else value:.4g}"


def task_in(evidence: Evidence, report: Mapping[str, Any]) -> Task:
    """The task that a report is about: as it says, or else the data's approval or the benchmark.

    Of classes if none says anything that can be understood.
    """
    measured = evidence.stages["benchmark"].report
    for told in (report.get("task"), evidence.approved.get("task"), measured.get("task")):
        try:
            return task_of(mapping(told))
        except (BadInput, KeyError, TypeError, AttributeError):
            continue
    return Classification()


def yardstick(evidence: Evidence, report: Mapping[str, Any]) -> Yardstick:
    """What the `figure`s of a report are measured by."""
    task = task_in(evidence, report)
    told = report.get("metric")
    if told is None or told == task.metric:
        return yardstick_of(task)
    kinds: tuple[type[Task], ...] = (*KINDS.values(), MultiTask)
    known_as = (yardstick_of(kind()) for kind in kinds if kind.metric == told)
    return next(known_as, Yardstick(str(told), str(told)))


def yardstick_of(task: Task) -> Yardstick:
    """What a task's figure is measured by."""
    share = task.is_share(task.metric)
    return Yardstick(task.metric, task.metric_name, share, exact=task.classes)


def other(task: Task, metric: str) -> Yardstick:
    """A further metric that a task is reported by."""
    name = metric.replace("_f1", "-F1").replace("_", " ")
    name = {"f1": "F1", "pearson": "Pearson correlation", "exact": "exactly right"}.get(name, name)
    return Yardstick(metric, name, task.is_share(metric))
