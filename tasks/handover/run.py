"""One run's folder in the store: what it is to do, and what each stage has handed over."""

from __future__ import annotations

import time
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from tasks.handover.names import check_slug
from tasks.stage.errors import BadInput, StageError
from tasks.store.store import Store, read_record, to_json

LATEST = "runs/latest.json"
"""Names the last run whose whole graph succeeded: its lock is what the next one starts from."""
GRACE_TRIES = 20


@dataclass(frozen=True)
class Record:
    """Where a stage stands in a run. `attempt` counts from 1."""

    stage: str
    attempt: int
    token: str
    status: str
    """`running`, `ok`, `stopped` or `failed`, the last three as in the stage's report."""
    retryable: bool = False
    reason: str | None = None
    ran: bool = False
    """Whether it computed anything; False when nothing had changed."""
    seconds: float = 0.0
    entry: dict[str, Any] | None = None
    """The stage's entry for `dvc.lock`, of the last attempt that succeeded."""
    begun: str | None = None
    """When the attempt began, UTC; None in records of before times were kept."""
    ended: str | None = None
    """When its outcome was written."""


class Run:
    """A run by its id. Everything it knows lies below `runs/<id>/` in the store."""

    def __init__(self, store: Store, name: str) -> None:
        self.store, self.name = store, check_slug(name)

    def key(self, path: str) -> str:
        """The store's key of a path in the run's folder."""
        return f"runs/{self.name}/{path}"

    def facts(self) -> dict[str, Any]:
        """`run.json`, as `prepare` left it; raises BadInput when there is no such run."""
        found: dict[str, Any] | None = read_record(self.store, self.key("run.json"))
        if found is None:
            raise BadInput(f"{self.store.url} has no run {self.name!r}: `nightshift prepare` first")
        return found

    def text(self, path: str) -> str | None:
        """A text file of the run's folder, None when there is none."""
        found = self.store.read(self.key(path))
        return None if found is None else found.content.decode()

    def base_entries(self) -> dict[str, Any]:
        """The lock entries, by stage, that this run starts from; empty for the very first."""
        content = yaml.safe_load(self.text("base.lock") or "") or {}
        found: dict[str, Any] = content.get("stages", {})
        return found

    def record(self, stage: str) -> Record | None:
        """Where a stage stands, None when it has not begun."""
        found = read_record(self.store, self._record_key(stage))
        return None if found is None else Record(**found)

    def claim(self, stage: str) -> Record:
        """Begin another attempt at a stage; whoever is still at an earlier one loses it."""
        key = self._record_key(stage)
        for _ in range(GRACE_TRIES):
            found = self.store.read(key)
            before = None if found is None else Record(**found.json())
            mine = Record(
                stage,
                attempt=1 if before is None else before.attempt + 1,
                token=uuid.uuid4().hex,
                status="running",
                entry=None if before is None else before.entry,
                begun=_now(),
            )
            content = to_json(asdict(mine))
            done = (
                self.store.create(key, content)
                if found is None
                else self.store.replace(key, content, found.tag)
            )
            if done:
                return mine
        raise StageError(f"{stage}: others keep starting it in run {self.name}")

    def finish(self, mine: Record, outcome: Record) -> None:
        """Write an attempt's outcome; raises StageError when another attempt began since."""
        key = self._record_key(mine.stage)
        found = self.store.read(key)
        if (
            found is None
            or found.json()["token"] != mine.token
            or not self.store.replace(key, to_json(asdict(outcome) | {"ended": _now()}), found.tag)
        ):
            raise overtaken(mine, self)

    def lock(self, stages: list[str]) -> dict[str, Any]:
        """The lock entries of stages that came through; raises BadInput for one that has not."""
        entries = {}
        for stage in stages:
            record = self.record(stage)
            if record is None or record.status != "ok" or record.entry is None:
                state = "has not begun" if record is None else f"is {record.status}"
                raise BadInput(f"run {self.name}: {stage} {state}: it must come through first")
            entries[stage] = record.entry
        return entries

    def upload(self, folder: Path, below: str) -> None:
        """Put every file of `folder` below `below` in the run's folder."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.store.upload(path, self.key(f"{below}/{path.relative_to(folder).as_posix()}"))

    def download(self, below: str, folder: Path) -> None:
        """The reverse of `upload`."""
        start = self.key(f"{below}/")
        for key in self.store.keys(start):
            self.store.download(key, folder / key.removeprefix(start))

    def _record_key(self, stage: str) -> str:
        return self.key(f"stages/{stage}.json")


def overtaken(mine: Record, run: Run) -> StageError:
    """What a worker is told whose attempt is not the last one any more."""
    return StageError(
        f"{mine.stage}: attempt {mine.attempt} of run {run.name} was overtaken by a later one "
        "while it worked; what it found is dropped"
    )


def latest(store: Store) -> Run | None:
    """The last run whose whole graph succeeded."""
    found = read_record(store, LATEST)
    return None if found is None else Run(store, found["run"])


def set_latest(run: Run) -> None:
    """Make `run` the one that the next run starts from."""
    run.store.write(LATEST, to_json({"run": run.name, "at": _now()}))


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
