"""Reading a store's records, counted, each run's once for as long as it stays as it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tasks.handover.journal import Entry, timestamp
from tasks.handover.run import Record
from tasks.registry.aliases import Aliases, read_aliases
from tasks.stage.errors import StageError
from tasks.store.entries import Found
from tasks.store.store import Store

LISTED_AT_ONCE = 1000
"""Keys that a bucket lists in one request."""


@dataclass
class Seen:
    """What is known of a run."""

    records: dict[str, tuple[str, Record]] = field(default_factory=dict)
    """The stages' records by key, with their tags."""
    reports: dict[str, dict[str, Any]] = field(default_factory=dict)
    over: bool = False
    """Whether its records will change no more."""

    @property
    def stages(self) -> dict[str, Record]:
        """Where each stage stands."""
        return {record.stage: record for _, record in self.records.values()}


class Reader:
    """A store whose answers are remembered. Raises StageError naming a record that is broken."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.requests = 0
        """Asked so far, in those that a bucket is paid for."""
        self._seen: dict[str, Seen] = {}

    def tags(self, prefix: str) -> dict[str, str]:
        """The tags of all keys below a prefix."""
        found = self.store.tags(prefix)
        self.requests += 1 + max(len(found) - 1, 0) // LISTED_AT_ONCE
        return found

    def read(self, key: str) -> Found | None:
        """A record as it is now."""
        self.requests += 1
        return self.store.read(key)

    def aliases(self, name: str) -> Aliases:
        """A model's aliases as they are now: people move them too."""
        self.requests += 1
        return read_aliases(self.store, name)

    def stages(self, entry: Entry, over: bool) -> dict[str, Record]:
        """Where a run's stages stand: read again where a tag has changed, unless it is over."""
        seen = self._of(entry)
        if not seen.over:
            tags = self.tags(f"runs/{entry.run}/stages/")
            for key, tag in tags.items():
                if seen.records.get(key, ("",))[0] != tag:
                    seen.records[key] = tag, self._record(key)
            seen.records = {key: seen.records[key] for key in tags}
            seen.over = over
        return seen.stages

    def report(self, entry: Entry, path: str, edition: str) -> dict[str, Any]:
        """A run's report, read once an edition; {} when there is none, or not yet."""
        seen, name = self._of(entry), f"{path} {edition}"
        if name not in seen.reports:
            content = self._json(f"runs/{entry.run}/{path}")
            if not content and not entry.ended:
                return {}  # its worker sends it after the record
            seen.reports[name] = content
        return seen.reports[name]

    def look_again(self, entry: Entry) -> None:
        """A run that was over may have been taken up again."""
        self._of(entry).over = False

    def forget_all_but(self, runs: set[str]) -> None:
        """Drop what is known of other runs."""
        self._seen = {run: seen for run, seen in self._seen.items() if run in runs}

    def _of(self, entry: Entry) -> Seen:
        return self._seen.setdefault(entry.run, Seen())

    def _record(self, key: str) -> Record:
        try:
            record = Record(**self._json(key))
            for text in filter(None, (record.begun, record.ended)):
                timestamp(text)
            return record
        except (TypeError, ValueError) as error:
            raise StageError(f"{self.store.url}/{key} is no stage's record: {error}") from None

    def _json(self, key: str) -> dict[str, Any]:
        found = self.read(key)
        try:
            content = found.json() if found else {}
        except ValueError as error:
            raise StageError(f"{self.store.url}/{key} is not JSON: {error}") from None
        if not isinstance(content, dict):
            raise StageError(f"{self.store.url}/{key} is not a record: {str(content)[:40]}")
        return content
