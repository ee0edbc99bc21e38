"""What is known of a model, as the store's records tell it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tasks.handover.journal import Entry, timestamp
from tasks.handover.run import Record
from tasks.registry.aliases import Aliases


@dataclass(frozen=True)
class Model:
    """One model of one store, when it was last read."""

    name: str
    nights: list[Entry]
    """The journal, oldest first; at least one."""
    stages: dict[str, Record]
    """Where each stage of the newest run stands."""
    finished: dict[str, Record]
    """By stage, the record of the newest run in which it came through."""
    intake: dict[str, Any]
    """The metrics of the newest report of `ingest`: counts of rows."""
    ruling: dict[str, Any]
    """The newest report of the gate in which a candidate was scored."""
    aliases: Aliases
    read: float
    """When, in seconds since 1970."""

    @property
    def night(self) -> Entry:
        """The newest one."""
        return self.nights[-1]

    @property
    def waits(self) -> dict[str, float]:
        """Seconds from the end of the stage before it to a stage's own beginning, in the newest
        run: what scheduling, queue and pool took. Of stages in their first attempt."""
        ends = [timestamp(record.ended) for record in self.stages.values() if record.ended]
        ends.append(timestamp(self.night.begun))
        return {
            stage: began - max((end for end in ends if end <= began), default=began)
            for stage, record in self.stages.items()
            if record.attempt == 1 and record.begun
            for began in (timestamp(record.begun),)
        }

    @property
    def verdict(self) -> Entry | None:
        """The newest night with a verdict."""
        return next((entry for entry in reversed(self.nights) if entry.verdict), None)

    @property
    def refusals(self) -> int:
        """How many verdicts in a row, the newest included, were refusals."""
        verdicts = [entry.verdict for entry in self.nights if entry.verdict]
        refused = 0
        while verdicts and verdicts.pop() == "refused":
            refused += 1
        return refused


KINDS = ("unavailable", "refused", "broken")
"""Of errors: the store can't be reached; does not let us; holds a record that can't be read."""


@dataclass
class State:
    """What a store came to at the last look, and how looking went."""

    url: str
    models: dict[str, Model] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    """Since the process began, by kind."""
    requests: int = 0
    """That the last look took."""
    seconds: float = 0.0
    """That the last look took."""
