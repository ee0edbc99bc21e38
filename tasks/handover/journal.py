"""What a model's last nights came to, and when: one small record, which who watches reads first.

`reports/gate.json` is canonical and knows no time, and to find the last run by listing `runs/`
would cost more every night. A run for a day long past is no night and leaves no trace here.
"""

from __future__ import annotations

import sys
import time
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from tasks.handover.run import Run
from tasks.stage.errors import StageError, Unavailable
from tasks.store.entries import Found
from tasks.store.store import TRIES_TO_MOVE_ON, to_json

FOLDER = "runs/_journal/"
"""No run's folder: an id has no `_`."""
KEPT = 60


@dataclass(frozen=True)
class Entry:
    """A night. Times are UTC, as `2026-11-24T02:00:00Z`."""

    run: str
    begun: str
    """When `prepare` had pinned it."""
    verdict: str | None = None
    """The gate's: blessed, refused or nothing new; None as long as it has given none."""
    judged: str | None = None
    """When the gate gave it."""
    ended: str | None = None
    """When its page was written, however it ended; None while it runs."""

    def __post_init__(self) -> None:
        for text in filter(None, (self.begun, self.judged, self.ended)):
            timestamp(text)


def timestamp(text: str) -> float:
    """`2026-11-24T02:00:00Z` in seconds since 1970; raises ValueError for another form."""
    return datetime.fromisoformat(text).timestamp()


def begin(run: Run) -> None:
    """Note that a run has begun."""
    _note(run, begun=str(run.facts()["prepared"]), ended=None)


def judge(run: Run, verdict: str) -> None:
    """Note that the gate has given its verdict on a run, now."""
    _note(run, verdict=verdict, judged=_now(), ended=None)


def end(run: Run) -> None:
    """Note that nothing more comes of a run."""
    _note(run, ended=_now())


def key(name: str) -> str:
    """Where a model's journal lies."""
    return f"{FOLDER}{name}.json"


def parse(found: Found, where: str) -> list[Entry]:
    """The nights, oldest first; raises StageError naming `where` when it is no journal."""
    try:
        return [Entry(**entry) for entry in found.json()["nights"]]
    except (ValueError, KeyError, TypeError) as error:
        raise StageError(
            f"{where} is no journal ({error}): remove it, the next run begins a new one"
        ) from None


def _note(run: Run, **changes: str | None) -> None:
    facts = run.facts()
    if facts.get("data_date") is not None:
        return
    where = key(facts["publish"]["name"])
    for _ in range(TRIES_TO_MOVE_ON):
        found = run.store.read(where)
        nights = {entry.run: entry for entry in _known(found, f"{run.store.url}/{where}")}
        before = nights.get(run.name, Entry(run.name, facts["prepared"]))
        nights[run.name] = replace(before, **changes)  # type: ignore[arg-type]
        content = to_json({"nights": [asdict(entry) for entry in _latest(nights)]})
        if found is None and run.store.create(where, content):
            return
        if found is not None and run.store.replace(where, content, found.tag):
            return
    raise Unavailable(f"{run.store.url}/{where}: too many others are writing it: run again")


def _known(found: Found | None, where: str) -> list[Entry]:
    """A night must not fail for its journal: one that is broken is begun anew."""
    try:
        return parse(found, where) if found else []
    except StageError as error:
        print(error, file=sys.stderr, flush=True)
        return []


def _latest(nights: dict[str, Entry]) -> list[Entry]:
    return sorted(nights.values(), key=lambda entry: entry.begun)[-KEPT:]


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
