"""What was measured, as a file; those beside this one have what the docs speak of."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "measured.json"
EARLIER = Path(__file__).parent / "earlier.json"
BURST = Path(__file__).parent / "dispatch.json"


@dataclass(frozen=True)
class Span:
    """A task of a model's night: when it was queued, began and ended, in seconds since 1970."""

    model: str
    task: str
    queued: float
    began: float
    ended: float
    tries: int


@dataclass(frozen=True)
class Request:
    """How many requests the tasks of that name made with a verb to a room, and their bodies' bytes,
    all models together."""

    task: str
    verb: str
    room: str
    count: int
    bytes: int


@dataclass(frozen=True)
class Measured:
    """A night of several models."""

    about: dict[str, Any]
    """When, at which commit, on what kind of machine, how many at once."""
    begun: float
    """When the first run was asked for, in seconds since 1970."""
    spans: list[Span]
    requests: list[Request]
    received: int
    """Bytes of the answers."""
    stored: dict[str, tuple[int, int]]
    """Objects and bytes that it left in the bucket, by room."""
    rows: dict[str, int]
    """Rows that it left in Airflow's database, by table."""

    @property
    def models(self) -> list[str]:
        """Their names, sorted."""
        return sorted({span.model for span in self.spans})

    @property
    def makespan(self) -> float:
        """Seconds from the first run's request to the last task's end."""
        return max(span.ended for span in self.spans) - self.begun

    def durations(self) -> dict[str, list[float]]:
        """Seconds that each task took, a figure a model."""
        found = defaultdict(list)
        for span in self.spans:
            found[span.task].append(span.ended - span.began)
        return dict(found)

    def verbs(self) -> Counter[str]:
        """Requests by verb."""
        found: Counter[str] = Counter()
        for request in self.requests:
            found[request.verb] += request.count
        return found


@dataclass(frozen=True)
class Both:
    """A night of one model alone, and one of several at once."""

    alone: Measured
    together: Measured

    def write(self, path: Path) -> None:
        """As JSON, a line a task and a line a kind of request."""
        text = json.dumps(asdict(self), indent=1)
        path.write_text(re.sub(r"\n {4,}(?=\S)|\n {3}(?=})", "", text) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path = FILE) -> Both:
        """The reverse of `write`."""
        content: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
        return cls(**{name: _night(night) for name, night in content.items()})


@dataclass(frozen=True)
class Burst:
    """So many models whose nights begin at the same moment: see `tests.fleet.dispatch`."""

    about: dict[str, Any]
    parsed: float
    """Seconds from the start of Airflow until all DAGs were known."""
    rate: float
    """Dispatches a second until half of all tasks were out: every model has something to do."""
    whole: float
    """Dispatches a second until the last was out."""
    seconds: float
    """Until then."""
    tasks: int

    @classmethod
    def read(cls, path: Path = BURST) -> Burst:
        """From JSON."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))


def _night(content: dict[str, Any]) -> Measured:
    spans = [Span(**span) for span in content["spans"]]
    requests = [Request(**request) for request in content["requests"]]
    stored = {room: (size[0], size[1]) for room, size in content["stored"].items()}
    return Measured(**{**content, "spans": spans, "requests": requests, "stored": stored})
