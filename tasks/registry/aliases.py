"""Aliases: which version serves, how it came to, and which ones must never serve again.

All of it is one record, `registry/NAME/aliases.json`, moved by compare-and-set: `production` and
`previous` can't disagree, nor either with the history.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from random import SystemRandom
from typing import Any

from tasks.inference.remote import ALIASES
from tasks.registry.manifest import Manifest, need_manifest, now, read_manifest, room
from tasks.stage.errors import BadInput, StageError, Unavailable
from tasks.store.store import TRIES_TO_MOVE_ON, Store, read_record, to_json

PRODUCTION = "production"
PREVIOUS = "previous"
LONGEST_WAIT_SECONDS = 0.5


@dataclass(frozen=True)
class Aliases:
    """The record of one model's aliases."""

    aliases: dict[str, str] = field(default_factory=dict)
    """Alias → version. `previous` is where a rollback would go."""
    history: list[dict[str, Any]] = field(default_factory=list)
    """Every move of `production`, oldest first: at, action, from, to, by."""
    revoked: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Version → digest, reason, at, by."""

    @property
    def production(self) -> str | None:
        """The version that serves."""
        return self.aliases.get(PRODUCTION)

    @property
    def previous(self) -> str | None:
        """The version that a rollback would bring back."""
        return self.aliases.get(PREVIOUS)

    @property
    def promoted(self) -> list[str]:
        """Every version that ever served, the latest first."""
        return list(dict.fromkeys(entry["to"] for entry in reversed(self.history)))

    def of(self, version: str) -> list[str]:
        """The aliases that point at a version."""
        return sorted(alias for alias, target in self.aliases.items() if target == version)

    def revoked_as(self, digest: str, version: str | None = None) -> str | None:
        """The revoked version that is this very release (or is `version`), if any."""
        if version in self.revoked:
            return version
        return next((v for v, why in self.revoked.items() if why["digest"] == digest), None)

    def moved(self, action: str, to: str, previous: str | None, by: str) -> Aliases:
        """The record after `production` has moved."""
        entry = {"at": now(), "action": action, "from": self.production, "to": to, "by": by}
        wanted = {**self.aliases, PRODUCTION: to, PREVIOUS: previous}
        aliases = {alias: version for alias, version in wanted.items() if version is not None}
        return replace(self, aliases=aliases, history=[*self.history, entry])


def read_aliases(store: Store, name: str) -> Aliases:
    """The record; an empty one when nothing was ever promoted."""
    record = read_record(store, _key(name))
    return _parsed(record, f"{store.url}/{_key(name)}")


def production(store: Store, name: str) -> str | None:
    """The version that serves, or None."""
    return read_aliases(store, name).production


def is_revoked(store: Store, name: str, digest: str) -> bool:
    """Whether a release was rolled back under any version (`Aliases.revoked_as` says which)."""
    return read_aliases(store, name).revoked_as(digest) is not None


def promote(store: Store, name: str, version: str, by: str) -> Aliases:
    """Let `version` serve; the one that did becomes `previous`. Once it serves, nothing to do.

    Raises BadInput when the version is not whole or was revoked.
    """
    manifest = need_manifest(store, name, version)

    def change(before: Aliases) -> Aliases:
        if before.production == version:
            return before
        _refuse_revoked(before, manifest)
        return before.moved("promote", version, before.production, by)

    return _move(store, name, change)


def rollback(
    store: Store, name: str, by: str, to: str | None = None, reason: str = "rolled back"
) -> Aliases:
    """Let the version before serve again (or `to`), and revoke the one that does now.

    The version before is the latest in the history that is whole and was not revoked. Raises
    BadInput when there is none, and when `to` never served or was revoked; StageError when
    somebody else moved `production` meanwhile.
    """
    leaving = production(store, name)
    if leaving is None:
        raise BadInput(f"{name} has no version in production: there is nothing to roll back")
    if to == leaving:
        raise BadInput(f"{name}: {to} is in production already")
    left = read_manifest(store, name, leaving)  # None: there is a way back from a lost version too
    digest = left.digest if left else None
    mark = {"digest": digest, "reason": reason, "at": now(), "by": by}

    def change(before: Aliases) -> Aliases:
        if before.production != leaving:
            raise StageError(
                f"{name}: production moved from {leaving} to {before.production} meanwhile, by "
                f"{before.history[-1]['by']}: look again before you roll back"
            )
        after = replace(before, revoked={**before.revoked, leaving: mark})
        target = _chosen(store, name, after, to) if to else _earlier(store, name, after, leaving)
        if target is None:
            raise BadInput(
                f"{name}: no version before {leaving} is left to go back to: publish and promote "
                "another one"
            )
        return after.moved("rollback", target, _earlier(store, name, after, target), by)

    return _move(store, name, change)


def _move(store: Store, name: str, change: Callable[[Aliases], Aliases]) -> Aliases:
    """Compare-and-set until it goes through; `change` sees the record as it is each time."""
    key = _key(name)
    for turn in range(TRIES_TO_MOVE_ON):
        found = store.read(key)
        before = _parsed(found.json() if found else None, f"{store.url}/{key}")
        after = change(before)
        if after == before:
            return before
        content = to_json(asdict(after))
        if store.replace(key, content, found.tag) if found else store.create(key, content):
            return after
        time.sleep(SystemRandom().uniform(0, min(0.02 * (turn + 1), LONGEST_WAIT_SECONDS)))
    raise Unavailable(f"{store.url}/{key}: too many others are moving it: run again")


def _earlier(store: Store, name: str, record: Aliases, version: str) -> str | None:
    """The latest version that served other than `version`, whole and not revoked."""
    for each in record.promoted:
        manifest = read_manifest(store, name, each) if each != version else None
        if manifest and not record.revoked_as(manifest.digest, each):
            return each
    return None


def _chosen(store: Store, name: str, record: Aliases, version: str) -> str:
    if version not in record.promoted:
        served = ", ".join(record.promoted)
        raise BadInput(f"{name}: {version} never served; these did: {served}")
    _refuse_revoked(record, need_manifest(store, name, version))
    return version


def _refuse_revoked(record: Aliases, manifest: Manifest) -> None:
    version = record.revoked_as(manifest.digest, manifest.version)
    if version is None:
        return
    why = record.revoked[version]
    same = "" if version == manifest.version else f" (the same model as {manifest.version})"
    raise BadInput(
        f"{manifest.name}: {version}{same} was revoked at {why['at']} by {why['by']}: "
        f"{why['reason']}; it can't serve again"
    )


def _parsed(record: Any, where: str) -> Aliases:
    if record is None:
        return Aliases()
    try:
        return Aliases(record["aliases"], record["history"], record["revoked"])
    except (KeyError, TypeError) as error:
        raise StageError(f"{where} is broken: {error}") from None


def _key(name: str) -> str:
    return f"{room(name)}/{ALIASES}"
