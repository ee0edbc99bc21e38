"""Everything that may need an object: runs, versions, and the branches and tags of git."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tasks.handover.package import key_of as code_of
from tasks.housekeeping.objects import outputs
from tasks.inference.release import MANIFEST
from tasks.registry.git import Git, GitError
from tasks.registry.manifest import is_version, together
from tasks.stage.errors import BadInput, StageError, Unavailable
from tasks.store.store import Store, read_record

LOCK = "dvc.lock"


@dataclass(frozen=True)
class Root:
    """Something that keeps objects from being removed."""

    name: str
    """`run night-1`, `version reviews@v1.0.0`, `branch refs/heads/main`."""
    outputs: dict[str, str] = field(default_factory=dict)
    """Hash of an output → its path."""
    code: str | None = None
    """The key of the archive of its code."""
    promised: bool = True
    """Whether its objects must be there: what a person has on a branch, or has published by hand,
    may never have been sent."""


def roots(store: Store, repository: Path | None) -> list[Root]:
    """Everything there is; raises StageError for what can't be read, since it may need anything."""
    versions = [root for root, _ in version_roots(store)]
    return [*_runs(store), *versions, *_branches(repository)]


def version_roots(store: Store, prefix: str = "registry/") -> list[tuple[Root, dict[str, Any]]]:
    """Every published version, and every one that a publisher has begun: with its manifest."""
    keys = [key for key in store.keys(prefix) if _is_manifest(key) or _is_claim(key)]
    records = together(lambda key: read_record(store, key), keys)
    found = zip(keys, records, strict=True)
    return [_version(store, key, record) for key, record in found if record is not None]


def _runs(store: Store) -> Iterator[Root]:
    keys = store.keys("runs/")
    wanted = [key for key in keys if _is_record(key)]
    contents = together(lambda key: _parsed(store, key), wanted)
    for key, content in zip(wanted, contents, strict=True):
        revision = content.get("revision") if key.endswith("/run.json") else None
        code = code_of(revision) if revision else None
        yield Root(f"run {key.split('/')[1]}", dict(outputs(content)), code)


def _is_record(key: str) -> bool:
    """`runs/RUN/run.json`, `base.lock` and `stages/*.json`."""
    below = key.split("/")[2:]
    return below in (["run.json"], ["base.lock"]) or (len(below) == 2 and below[0] == "stages")


def _parsed(store: Store, key: str) -> dict[str, Any]:
    """A record, JSON or YAML; an empty one for what has gone meanwhile."""
    if key.endswith(".json"):
        content = read_record(store, key)
    else:
        found = store.read(key)
        content = _yaml(found.content.decode(), f"{store.url}/{key}") if found else None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise StageError(f"{store.url}/{key} holds no record: mend or remove it")
    return content


def _yaml(text: str, where: str) -> Any:
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml.load(text, loader)  # noqa: S506 - both load plain data alone
    except yaml.YAMLError as error:
        raise StageError(f"{where} can't be read: {' '.join(str(error).split())}") from None


def _is_manifest(key: str) -> bool:
    path = key.split("/")
    return len(path) == 4 and path[3] == MANIFEST and is_version(path[2])


def _is_claim(key: str) -> bool:
    path = key.split("/")
    return len(path) == 4 and path[2] == "claims" and path[3].endswith(".json")


def _version(store: Store, key: str, record: Any) -> tuple[Root, dict[str, Any]]:
    try:
        manifest = record["manifest"] if _is_claim(key) else record
        name, lock = f"version {manifest['name']}@{manifest['version']}", manifest["lock"]
        revision, promised = manifest["revision"], manifest["run"] is not None
    except (KeyError, TypeError) as error:
        raise StageError(f"{store.url}/{key} is no manifest that is understood: {error}") from None
    code = code_of(revision) if revision else None
    return Root(name, dict(outputs(lock)), code, promised), manifest


def _branches(repository: Path | None) -> Iterator[Root]:
    if repository is None:
        return
    here = repository / LOCK
    if here.is_file():
        content = _yaml(here.read_text(encoding="utf-8"), str(here))
        yield Root(str(here), dict(outputs(content)), promised=False)
    try:
        git = Git(repository)
    except GitError as error:
        raise BadInput(
            f"housekeeping.repository: {repository.resolve()}: git: {error}; what its branches "
            "need can't be told: put a repository there, or null if no branch names data of this "
            "store"
        ) from None
    known: dict[str, dict[str, str]] = {}
    try:
        for ref, tip in git.tips(git.remote()).items():
            yield Root(f"branch {ref}", _at(git, tip, known), promised=False)
    except GitError as error:
        raise Unavailable(
            f"the branches of {repository.resolve()} can't be read: {error}"
        ) from None


def _at(git: Git, tip: str, known: dict[str, dict[str, str]]) -> dict[str, str]:
    """The outputs that a commit's files of DVC name; `known` are those seen before, by content."""
    found: dict[str, str] = {}
    if git.commit_at(tip) is None:
        return found
    for blob, path in git.paths(tip):
        if Path(path).name == LOCK or path.endswith(".dvc"):
            if blob not in known:
                known[blob] = dict(outputs(_yaml(git.content(blob), f"{tip}:{path}")))
            found |= known[blob]
    return found
