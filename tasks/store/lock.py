"""A readers-writer lock in the store, for what must not happen at the same time.

Many may hold it `shared`; one holds it `exclusive`, alone. Each side announces itself first and
looks for the other then; since a store shows at once what was written, of two that come together at
least one sees the other. The exclusive side waits until those at work have gone, and whoever comes
meanwhile waits for it.

A holder renews its mark. One that has not for `HELD_SECONDS`, by the store's own clock, is gone:
its mark may be removed, and whoever comes back to find its own mark removed must not believe that
it held the lock (`Broken`).
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Self

from tasks.stage.errors import StageError, Unavailable
from tasks.store.entries import Entry
from tasks.store.store import Store, read_record, to_json

ROOM = "locks/"
SHARED = f"{ROOM}shared/"
EXCLUSIVE = f"{ROOM}exclusive.json"
HELD_SECONDS = 900.0
RENEWED_SECONDS = 60.0
SECONDS_BETWEEN_LOOKS = 1.0
SECONDS_BETWEEN_WORDS = 60.0
PATIENCE_SECONDS = 1800.0
Say = Callable[[str], None]


class Broken(Unavailable):
    """The lock was taken away from who held it too long without a sign of life."""


@contextmanager
def shared(
    store: Store, holder: str, say: Say, patience: float = PATIENCE_SECONDS
) -> Iterator[None]:
    """Hold the lock together with others; waits for an exclusive holder, and says so.

    Raises Unavailable when that takes longer than `patience` seconds, and Broken at the end when
    the lock was not held all the time: what was done in it may be void then.
    """
    mark = _Mark(store, f"{SHARED}{uuid.uuid4().hex}.json", holder)
    waiting = _Patience(patience, say)
    while not _announced(mark):
        waiting.wait(f"{store.url}/{EXCLUSIVE} is held by {_holder(store, EXCLUSIVE)}")
    try:
        with _Renewed(mark.renew):
            yield
        if store.read(mark.key) is None:
            raise Broken(f"{holder}: its lock {store.url}/{mark.key} was taken for dead: run again")
    finally:
        _let_go(store, mark.key, say)


class _Mark:
    """What says that somebody is there, moved on by compare-and-set: once removed, it stays so."""

    def __init__(self, store: Store, key: str, holder: str) -> None:
        self.store, self.key, self._holder = store, key, holder
        self._token, self._tag = uuid.uuid4().hex, ""
        self.renewed = float("-inf")
        """When the last sign of life was given, by `time.monotonic`."""

    def write(self) -> None:
        """Put it there, whatever was; for a key of one's own."""
        self.store.write(self.key, self._content(0))
        self._written(self._content(0), time.monotonic())

    def create(self) -> bool:
        """Put it there if there is none; whether it did."""
        asked, content = time.monotonic(), self._content(0)
        return self.store.create(self.key, content) and self._written(content, asked)

    def replace(self, tag: str) -> bool:
        """Put it in the place of one that `tag` came with; whether it did."""
        asked, content = time.monotonic(), self._content(0)
        return self.store.replace(self.key, content, tag) and self._written(content, asked)

    def renew(self, count: int) -> None:
        """A sign of life, if it is still there."""
        asked, content = time.monotonic(), self._content(count)
        if self.store.replace(self.key, content, self._tag):
            self._written(content, asked)

    def remove(self) -> None:
        """Take it away, if it is still this one."""
        found = self.store.read(self.key)
        if found is not None and found.tag == self._tag:
            self.store.delete(self.key)

    def _written(self, content: bytes, asked: float) -> bool:
        found = self.store.read(self.key)
        if found is None or found.content != content:
            return False
        self._tag, self.renewed = found.tag, asked
        return True

    def _content(self, count: int) -> bytes:
        return to_json({"holder": self._holder, "token": self._token, "renewed": count})


def _announced(mark: _Mark) -> bool:
    """Whether the mark is there and no exclusive holder is; else it is taken back."""
    mark.write()
    there = {entry.key: entry for entry in mark.store.listing(ROOM)}
    if _is_free(there.get(EXCLUSIVE), there.get(mark.key)):
        return True
    mark.store.delete(mark.key)
    return False


def _is_free(other: Entry | None, mine: Entry | None) -> bool:
    if other is None:
        return True
    return mine is not None and mine.modified - other.modified > HELD_SECONDS


class Exclusive:
    """The lock, held alone. What must not be done without it asks `check` before each step."""

    def __init__(self, store: Store, holder: str) -> None:
        self._store, self._mark = store, _Mark(store, EXCLUSIVE, holder)

    def check(self) -> None:
        """Raise Broken when the last sign of life is too long ago to be sure of the lock."""
        if time.monotonic() - self._mark.renewed > HELD_SECONDS / 3:
            raise Broken(f"{self._store.url}/{EXCLUSIVE} could not be renewed in time: run again")

    def take(self) -> None:
        """Announce; raises Unavailable naming the holder when another one is there."""
        found = self._store.read(EXCLUSIVE)
        if found is None:
            taken = self._mark.create()
        else:
            taken = self._is_stale() and self._mark.replace(found.tag)
        if not taken:
            holder = _holder(self._store, EXCLUSIVE)
            raise Unavailable(f"{self._store.url}/{EXCLUSIVE} is held by {holder}: run again later")

    def wait_for_the_others(self, waiting: _Patience) -> None:
        """Until no mark of a living shared holder is there; those of dead ones are removed."""
        while others := self._others():
            waiting.wait(f"{len(others)} at work, {_holder(self._store, others[0])} among them")

    def renew(self, count: int) -> None:
        """A sign of life."""
        self._mark.renew(count)

    def leave(self) -> None:
        """Give it back, if it is still this one's."""
        self._mark.remove()

    def _others(self) -> list[str]:
        entries = self._store.listing(ROOM)
        now = max((entry.modified for entry in entries), default=0.0)
        others = [entry for entry in entries if entry.key.startswith(SHARED)]
        dead = {entry.key for entry in others if now - entry.modified > HELD_SECONDS}
        for key in dead:
            self._store.delete(key)
        return [entry.key for entry in others if entry.key not in dead]

    def _is_stale(self) -> bool:
        now = clock(self._store)
        entries = self._store.listing(EXCLUSIVE)
        return bool(entries) and now - entries[0].modified > HELD_SECONDS


@contextmanager
def exclusive(
    store: Store, holder: str, say: Say, patience: float = PATIENCE_SECONDS
) -> Iterator[Exclusive]:
    """Hold the lock alone, once those that share it have gone.

    Raises Unavailable when another one holds it, or when that takes longer than `patience` seconds.
    """
    lock = Exclusive(store, holder)
    lock.take()
    try:
        with _Renewed(lock.renew):
            lock.wait_for_the_others(_Patience(patience, say))
            lock.check()
            yield lock
    finally:
        with suppress(StageError):  # it runs out by itself
            lock.leave()


def clock(store: Store) -> float:
    """What the store's own clock says, in seconds since 1970: ages are told by it alone."""
    key = f"{ROOM}clock-{uuid.uuid4().hex}"
    store.write(key, b"")
    try:
        return max(entry.modified for entry in store.listing(key))
    except ValueError:
        raise Unavailable(f"{store.url} does not list {key}, just written: run again") from None
    finally:
        store.delete(key)


class _Renewed:
    """Gives a sign of life every minute while the block lasts; one that fails is tried again."""

    def __init__(self, renew: Callable[[int], None]) -> None:
        self._renew, self._over = renew, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="lock")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """No sign of life comes after this."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        count = 0
        while not self._over.wait(RENEWED_SECONDS):
            count += 1
            with suppress(StageError, OSError):
                self._renew(count)


class _Patience:
    """Waits a second at a time, says once a minute for what, and ends with Unavailable."""

    def __init__(self, seconds: float, say: Say) -> None:
        self._end, self._say, self._said = time.monotonic() + seconds, say, float("-inf")

    def wait(self, why: str) -> None:
        if time.monotonic() - self._said > SECONDS_BETWEEN_WORDS:
            self._say(f"waiting: {why}")
            self._said = time.monotonic()
        if time.monotonic() > self._end:
            raise Unavailable(f"{why}, for too long: run again later")
        time.sleep(SECONDS_BETWEEN_LOOKS)


def _holder(store: Store, key: str) -> str:
    found = read_record(store, key)
    return str(found.get("holder")) if isinstance(found, dict) else "somebody who has just left"


def _let_go(store: Store, key: str, say: Say) -> None:
    try:
        store.delete(key)
    except StageError as error:
        say(f"{store.url}/{key} could not be removed, and runs out by itself: {error}")
