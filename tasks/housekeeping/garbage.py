"""gc: objects of DVC and archives of code that nothing needs any more are removed.

Mark and sweep. What is needed is told by every run's records, every version's manifest and the
branches and tags of git, read while the lock is held alone: no stage is between "the store has that
object already" and the record that needs it. What is younger than the grace period stays, needed or
not. docs/housekeeping.md says why nothing in use can go.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tasks.housekeeping.objects import FOLDER, ROOM, RUN_CACHE, hash_at, key_of, members, outputs
from tasks.housekeeping.roots import Root, roots
from tasks.params.housekeeping import Housekeeping
from tasks.registry.manifest import together
from tasks.stage.errors import StageError
from tasks.store.entries import Entry
from tasks.store.lock import Exclusive, Say, clock, exclusive
from tasks.store.store import Store, to_json

CODE = "code/"
REMOVED = "housekeeping/removed/"
SHOWN = 5


@dataclass(frozen=True)
class Heap:
    """What lies in the rooms that are swept, and what of it must stay."""

    entries: list[Entry]
    needed: set[str]
    """Keys, those of the young ones among them."""
    lost: list[str]
    """A line for each object that is promised and not there, or not what it should be."""
    unlisted: list[str]
    """Those of these lines that are about a folder's listing: what it lists can't be told."""

    @property
    def garbage(self) -> list[list[Entry]]:
        """What may go, in the order in which it must.

        A folder's listing goes before its files: DVC takes a listing that is there for a folder
        that is there, and would not send the files again.
        """
        gone = [entry for entry in self.entries if entry.key not in self.needed]
        ranks = (RUN_CACHE, FOLDER, ROOM, CODE)
        return [[entry for entry in gone if _rank(entry.key) == rank] for rank in ranks]


def collect(
    store: Store, section: Housekeeping, say: Say, apply: bool = False, despite_loss: bool = False
) -> dict[str, Any]:
    """Say what may go, and remove it if `apply`: objects and bytes by room, and what is lost.

    Raises StageError when a listing that a run or a version needs is lost, unless `despite_loss`:
    which objects it keeps can't be told. Raises Unavailable when the lock can't be had.
    """
    if not apply:
        return _told(survey(store, section), None)
    with exclusive(store, "nightshift gc", say) as lock:
        heap = survey(store, section)
        if heap.unlisted and not despite_loss:
            raise StageError(
                f"{len(heap.unlisted)} listings are lost: {'; '.join(heap.unlisted[:SHOWN])}: what "
                "they list can't be told from garbage; bring them back (bucket versions, `dvc "
                "push` from a machine that has them), or give --despite-loss"
            )
        record = f"{REMOVED}{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}.json"
        keys = [entry.key for each in heap.garbage for entry in each]
        if keys:
            store.write(record, to_json(keys))
        for each in heap.garbage:
            remove(store, lock, [entry.key for entry in each], say)
    return _told(heap, record if keys else None)


def losses(store: Store, root: Root) -> list[str]:
    """A line for each object that something needs and that is not there."""
    there = {entry.key for entry in store.listing(ROOM)}
    return _marked(store, there, set(), [root])[1]


def survey(store: Store, section: Housekeeping) -> Heap:
    """Mark: what lies there and what is needed; changes nothing."""
    repository = None if section.repository is None else Path(section.repository)
    limit = clock(store) - 3600 * section.grace_hours
    entries = [entry for room in (ROOM, RUN_CACHE, CODE) for entry in store.listing(room)]
    entries = [entry for entry in entries if _rank(entry.key) != ROOM or hash_at(entry.key)]
    young = {entry.key for entry in entries if entry.modified > limit}
    found = roots(store, repository)
    needed, lost, unlisted = _marked(store, {entry.key for entry in entries}, young, found)
    return Heap(entries, needed | _useful_runs(store, entries, needed), lost, unlisted)


def _marked(
    store: Store, there: set[str], young: set[str], found: Sequence[Root]
) -> tuple[set[str], list[str], list[str]]:
    """The keys that are needed; a line for each that is lost; those of the lines about listings."""
    who = {
        key_of(md5): f"{root.name}: {path}" for root in found for md5, path in root.outputs.items()
    }
    promised = {key_of(md5) for root in found if root.promised for md5 in root.outputs}
    needed = {*who, *young, *(root.code for root in found if root.code)}
    lost = promised - there
    listings = sorted(key for key in needed & there if key.endswith(FOLDER))
    read = together(lambda key: _members(store, key), listings)
    for key, inside in zip(listings, read, strict=True):
        if inside is None:
            lost.add(key)
            continue
        needed |= set(inside)
        if key in promised:
            who |= dict.fromkeys(inside, who[key])
            lost |= set(inside) - there
    lines = {key: f"{who.get(key, 'of unknown origin')} ({key})" for key in sorted(lost)}
    unlisted = [line for key, line in lines.items() if key.endswith(FOLDER)]
    return needed, list(lines.values()), unlisted


def _members(store: Store, key: str) -> list[str] | None:
    """The keys of what a folder's listing lists; None when it is lost or damaged."""
    found, md5 = store.read(key), hash_at(key)
    inside = members(md5, found.content) if found and md5 else None
    return None if inside is None else [key_of(each) for each in inside]


def _useful_runs(store: Store, entries: Sequence[Entry], needed: set[str]) -> set[str]:
    """Entries of DVC's run-cache whose outputs all stay; one that leads to nothing is of no use."""
    keys = [entry.key for entry in entries if entry.key.startswith(RUN_CACHE)]

    def useful(key: str) -> bool:
        found = store.read(key)
        try:
            content = yaml.safe_load(found.content) if found else None
        except (yaml.YAMLError, UnicodeDecodeError):
            return False
        return all(key_of(md5) in needed for md5, _ in outputs(content))

    return {key for key, kept in zip(keys, together(useful, keys), strict=True) if kept}


def remove(store: Store, lock: Exclusive, keys: Sequence[str], say: Say) -> None:
    """Remove objects, as long as the lock is surely held."""

    def gone(key: str) -> None:
        lock.check()
        store.delete(key)

    if keys:
        say(f"removing {len(keys)} objects, from {keys[0]} on")
        together(gone, keys)


def _rank(key: str) -> str:
    """Which of the four kinds an object is of."""
    if key.startswith(RUN_CACHE):
        return RUN_CACHE
    if key.startswith(CODE):
        return CODE
    return FOLDER if key.endswith(FOLDER) else ROOM


def _told(heap: Heap, record: str | None) -> dict[str, Any]:
    """The outcome: by room, how much stays and how much goes."""
    rooms = {}
    for room in (ROOM, RUN_CACHE, CODE):
        here = [entry for entry in heap.entries if entry.key.startswith(room)]
        gone = [entry for entry in here if entry.key not in heap.needed]
        rooms[room] = {
            "kept": len(here) - len(gone),
            "kept_bytes": sum(entry.size for entry in here) - sum(entry.size for entry in gone),
            "removed": len(gone),
            "removed_bytes": sum(entry.size for entry in gone),
        }
    return {"rooms": rooms, "lost": heap.lost, "record": record}
