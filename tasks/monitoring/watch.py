"""Looking at a store: what has changed since the last look is read, and nothing else.

A look takes one listing of the journals (1,000 models a request), one request a model for its
aliases, one a run at work for its stages, and one for each record that is new. What a run that has
ended left behind is read once.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from tasks.handover import journal
from tasks.handover.after import GATE
from tasks.handover.journal import Entry
from tasks.handover.run import Record
from tasks.monitoring.facts import Model, State
from tasks.monitoring.reader import Reader
from tasks.stage.errors import BadInput, StageError, Unavailable
from tasks.store.store import Store

NIGHTS_LOOKED_AT = 2
"""The newest, and the one before it, which has the figures that are not there yet."""
SCORED = ("blessed", "refused")
ENDED = ("ok", "stopped", "failed")


class Watch:
    """One store, looked at again and again; `state` is what the looks came to."""

    def __init__(self, store: Store) -> None:
        self._reader = Reader(store)
        self._journals: dict[str, tuple[str, list[Entry]]] = {}
        self.state = State(store.url)

    def look(self) -> bool:
        """Bring `state` up to date; whether all of it could be read. What could not stays.

        What goes wrong is counted in `state.errors` and said on stderr, and never raised.
        """
        began, asked = time.monotonic(), self._reader.requests
        errors = sum(self.state.errors.values())
        try:
            self._look()
        except (StageError, OSError) as error:
            self._count(error)
        self.state.requests = self._reader.requests - asked
        self.state.seconds = time.monotonic() - began
        return sum(self.state.errors.values()) == errors

    def _look(self) -> None:
        tags = self._reader.tags(journal.FOLDER)
        names = {key: key.removeprefix(journal.FOLDER).removesuffix(".json") for key in tags}
        known = self.state.models
        self.state.models = {name: known[name] for name in names.values() if name in known}
        for key, name in names.items():
            try:
                self.state.models[name] = self._model(name, self._nights(key, tags[key]))
            except Unavailable:
                raise  # each of the others would be waited for as long
            except (StageError, OSError) as error:
                self._count(error)
        self._journals = {key: self._journals[key] for key in names if key in self._journals}
        runs = {entry.run for _, nights in self._journals.values() for entry in nights}
        self._reader.forget_all_but(runs)

    def _nights(self, key: str, tag: str) -> list[Entry]:
        if key in self._journals and self._journals[key][0] == tag:
            return self._journals[key][1]
        where, found = f"{self._reader.store.url}/{key}", self._reader.read(key)
        nights = journal.parse(found, where) if found else []
        if not nights:
            raise StageError(f"{where} has no nights in it: remove it")
        self._reader.look_again(nights[-1])
        self._journals[key] = tag, nights
        return nights

    def _model(self, name: str, nights: list[Entry]) -> Model:
        runs = nights[-NIGHTS_LOOKED_AT:]
        stages = [
            self._reader.stages(entry, over=bool(entry.ended) or entry is not nights[-1])
            for entry in runs
        ]
        return Model(
            name=name,
            nights=nights,
            stages=stages[-1],
            finished={
                stage: record
                for records in stages
                for stage, record in records.items()
                if record.status == "ok"
            },
            intake=self._intake(runs, stages),
            ruling=self._ruling(nights),
            aliases=self._reader.aliases(name),
            read=time.time(),
        )

    def _intake(
        self, nights: Sequence[Entry], stages: Sequence[dict[str, Record]]
    ) -> dict[str, Any]:
        for entry, records in zip(reversed(nights), reversed(stages), strict=True):
            record = records.get("ingest")
            if record and record.status in ENDED:
                report = self._reader.report(entry, "reports/ingest.json", str(record.attempt))
                metrics: dict[str, Any] = report.get("metrics", {})
                if "rows_read" in metrics:
                    return metrics
        return {}

    def _ruling(self, nights: Sequence[Entry]) -> dict[str, Any]:
        """The newest with figures: who serves already, or was revoked, is not scored again."""
        for entry in reversed(nights):
            if entry.verdict in SCORED:
                report = self._reader.report(entry, GATE, str(entry.judged))
                if report.get("metric"):
                    return report
        return {}

    def _count(self, error: StageError | OSError) -> None:
        kind = "broken"
        if isinstance(error, BadInput | PermissionError):
            kind = "refused"
        elif isinstance(error, Unavailable | OSError):
            kind = "unavailable"
        self.state.errors[kind] += 1
        print(f"nightshift: {error}", file=sys.stderr, flush=True)
