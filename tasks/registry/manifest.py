"""What a published version says about itself: `manifest.json`, written after all its files.

    registry/NAME/
      claims/v1.4.0.json      who took the number, for which release
      v1.4.0/…                the release's files, the card, and last the manifest
      aliases.json            which version serves, how it came to, and what was revoked

A version is whole exactly when its manifest is there.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from tasks.inference.release import MANIFEST
from tasks.stage.errors import BadInput, StageError
from tasks.store.store import Store, read_record

if TYPE_CHECKING:
    from tasks.task import Task

FORMAT = 1
_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?")
_VERSION = re.compile(r"v(\d+)\.(\d+)\.(\d+)")
READERS = 16

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Where a release comes from and what was found out about it."""

    run: str | None = None
    revision: str | None = None
    """The git commit of the code that made it."""
    params: dict[str, Any]
    """The run's `params.yaml`."""
    lock: dict[str, Any] | None = None
    """The run's `dvc.lock`."""
    data: dict[str, str]
    """DVC's hashes of the dataset's files and of what was pinned, by path."""
    metrics: dict[str, Any]
    """`reports/metrics.json`."""
    gate: dict[str, Any] | None = None
    """The gate's verdict on this very release, with its reasons."""
    environment: dict[str, Any]
    """What it was measured on."""


class File(NamedTuple):
    """A file of a version, as its manifest lists it."""

    sha256: str
    size: int


@dataclass(frozen=True, kw_only=True)
class Manifest(Facts):
    """A version: its facts, what it is called, and what it is made of."""

    name: str
    version: str
    digest: str
    """`Release.digest`: the same for the same model, whatever it is called."""
    files: dict[str, File]
    created: str
    """When it became whole, UTC."""
    token: str
    """Of the publisher that finished it."""
    format: int = FORMAT

    @property
    def task(self) -> Task:
        """What it was made to do, without its labels: classification if no parameter says so.

        Raises BadInput naming the version when this nightshift does not know such a task.
        """
        from tasks.task import task_of

        where = f"{self.name}@{self.version}: params: ingest.task"
        ingest = self.params.get("ingest")
        told = ingest.get("task") if isinstance(ingest, dict) else None
        if isinstance(told, dict):
            heads = {name: {"kind": kind} for name, kind in told.items()}
            return task_of({"kind": "multi-task", "heads": heads}, where)
        return task_of({"kind": told or "classification"}, where)

    @property
    def figure(self) -> float | None:
        """Its task's metric on the test split, at most 1, as measured when it was made."""
        return self.measured(self.task.metric)

    @property
    def megabytes(self) -> float:
        """All its files, in MB of 10^6 bytes."""
        return sum(file.size for file in self.files.values()) / 1e6

    def measured(self, metric: str) -> float | None:
        """A metric of the release itself, or None when it was not measured."""
        value = self.metrics.get("release", {}).get(metric)
        return float(value) if isinstance(value, int | float) else None

    def to_json(self) -> dict[str, Any]:
        """What lies in the store."""
        return asdict(self) | {"files": {key: file._asdict() for key, file in self.files.items()}}

    @classmethod
    def of(cls, record: Any, where: str) -> Manifest:
        """The manifest that a record holds; raises StageError naming `where` if it is none."""
        if not isinstance(record, dict) or record.get("format") != FORMAT:
            found = record.get("format") if isinstance(record, dict) else record
            raise StageError(
                f"{where}: format: got {found!r}; this version of nightshift reads {FORMAT}"
            )
        try:
            known = {key.name: record[key.name] for key in fields(cls)}
            files = {path: File(**file) for path, file in known.pop("files").items()}
        except (KeyError, TypeError, AttributeError) as error:
            raise StageError(f"{where} is not a manifest: {error}") from None
        return cls(**known, files=files)


def room(name: str) -> str:
    """The key below which a model's versions lie; raises BadInput when it can't be a name."""
    if not _NAME.fullmatch(name):
        raise BadInput(f"{name!r} can't be a model's name; takes a-z, 0-9, -, _ and . within")
    return f"registry/{name}"


def place(name: str, version: str) -> str:
    """The key below which a version's files lie; raises BadInput when it can't be a version."""
    number(version)
    return f"{room(name)}/{version}"


def number(version: str) -> tuple[int, int, int]:
    """`v1.4.0` as (1, 4, 0), to sort by; raises BadInput when it can't be a version."""
    found = _VERSION.fullmatch(version)
    if not found:
        raise BadInput(f"{version!r} can't be a version; takes vMAJOR.MINOR.PATCH, as v1.4.0")
    return int(found[1]), int(found[2]), int(found[3])


def is_version(text: str) -> bool:
    """Whether `text` is of the form v1.4.0."""
    return _VERSION.fullmatch(text) is not None


def read_manifest(store: Store, name: str, version: str) -> Manifest | None:
    """A version's manifest, or None when it is not whole (or not there at all)."""
    key = f"{place(name, version)}/{MANIFEST}"
    record = read_record(store, key)
    return None if record is None else Manifest.of(record, f"{store.url}/{key}")


def need_manifest(store: Store, name: str, version: str) -> Manifest:
    """A version's manifest; raises BadInput saying which versions there are when it isn't whole."""
    found = read_manifest(store, name, version)
    if found is None:
        known = ", ".join(whole_versions(store, name)) or "none"
        raise BadInput(f"{store.url}: {name} has no version {version}; it has {known}")
    return found


def whole_versions(store: Store, name: str) -> list[str]:
    """The versions that have a manifest, oldest first."""
    start = f"{room(name)}/"
    paths = [key.removeprefix(start).split("/") for key in store.keys(f"{start}v")]
    found = [path[0] for path in paths if path[1:] == [MANIFEST] and is_version(path[0])]
    return sorted(found, key=number)


def together(question: Callable[[str], T], items: Iterable[str]) -> list[T]:
    """The answers to `question` in the order of `items`; a store is asked many at once."""
    with ThreadPoolExecutor(READERS) as pool:
        return list(pool.map(question, items))


def now() -> str:
    """This second, UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
