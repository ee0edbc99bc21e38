"""A whole night on one machine, in the order in which Airflow runs it on many."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tasks.handover import after
from tasks.handover.dvc import Say
from tasks.handover.graph import read_graph
from tasks.handover.prepare import prepare
from tasks.handover.worker import work
from tasks.stage.errors import StageError
from tasks.store.store import Store


class Night:
    """prepare → the stages → gate → publish → promote, then announce and clean up in any case."""

    def __init__(
        self, store: Store, name: str | None, root: Path, changes: Sequence[str], say: Say
    ) -> None:
        self._store, self._root, self._changes, self._say = store, root, changes, say
        self._name = name or time.strftime("night-%Y%m%d-%H%M%S", time.gmtime())

    def run(self) -> dict[str, Any]:
        """What came out: `verdict`, `version`, `headline`, `page`.

        Raises the StageError of the step that failed, when the page is written.
        """
        self._say(f"night {self._name}: prepare")
        run = prepare(self._store, self._name, self._root, self._changes)
        promotion = run.facts()["publish"]["promotion"]
        found: dict[str, Any] = {"run": self._name, "verdict": None, "version": None, "ran": True}
        try:
            for stage in read_graph(self._root).stages:
                record = work(run, stage, self._say)
                state = "done" if record.ran else "nothing had changed"
                self._say(f"night {self._name}: {stage}: {state}, {record.seconds:.1f} s")
            report = after.gate(run, self._say)
            found.update(verdict=report["verdict"], reasons=report["reasons"])
            if report["verdict"] == "blessed":
                found.update(self._publish(run, promotion))
        finally:
            found.update(self._close(run))
        return found

    def _publish(self, run: Any, promotion: str) -> dict[str, Any]:
        published = after.publish(run, self._root, self._say)
        if promotion == "auto":
            return after.promote(run, by=f"run {run.name}")
        version = f"{published['name']}@{published['version']}"
        self._say(f"{version} is published; `nightshift promote {version}` lets it serve")
        return published

    def _close(self, run: Any) -> dict[str, Any]:
        """The page and the cleaning must not hide why a night failed."""
        try:
            told = after.announce(run, self._say)
            self._say(f"night {self._name}: {told['headline']}\n{told['page']}")
            after.cleanup(run)
        except StageError as error:
            self._say(f"night {self._name}: its page could not be written: {error}")
            return {}
        return {"headline": told["headline"], "page": told["page"]}
