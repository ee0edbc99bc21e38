"""Many may share the lock, one holds it alone, and who is dead holds it no longer."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tasks.stage.errors import Unavailable
from tasks.store import lock
from tasks.store.lock import EXCLUSIVE, ROOM, SHARED, Broken, clock, exclusive, shared
from tasks.store.store import Store, open_store


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "SECONDS_BETWEEN_LOOKS", 0.02)


def quiet(_: str) -> None:
    pass


def test_many_share_it_and_leave_nothing_behind(store: Store) -> None:
    with shared(store, "one", quiet), shared(store, "other", quiet):
        assert len(store.keys(SHARED)) == 2
    assert store.keys(ROOM) == []


def test_who_wants_it_alone_waits_for_the_others_and_says_so(store: Store) -> None:
    said: list[str] = []
    with (
        shared(store, "finetune of run a", quiet),
        pytest.raises(Unavailable, match="1 at work, finetune of run a among them"),
        exclusive(store, "gc", said.append, patience=0.1),
    ):
        pytest.fail("both hold it")
    assert said == ["waiting: 1 at work, finetune of run a among them"]
    with exclusive(store, "gc", quiet) as held:
        held.check()
    assert store.keys(ROOM) == []


def test_who_comes_while_one_holds_it_alone_waits(store: Store) -> None:
    with exclusive(store, "gc", quiet):
        with (
            pytest.raises(Unavailable, match="is held by gc"),
            shared(store, "one", quiet, patience=0.1),
        ):
            pytest.fail("both hold it")
        with pytest.raises(Unavailable, match="is held by gc"), exclusive(store, "other", quiet):
            pytest.fail("two hold it alone")
    with shared(store, "one", quiet):
        pass


def test_of_many_at_once_nobody_is_inside_with_the_one(store: Store) -> None:
    """Counts who is inside, over some tens of entries from six threads."""
    inside, seen, alone = [], [], threading.Lock()

    def share(number: int) -> None:
        for _ in range(4):
            with shared(store, str(number), quiet):
                inside.append(number)
                time.sleep(0.005)
                inside.remove(number)

    def hold() -> None:
        done = 0
        while done < 4:
            try:
                with alone, exclusive(store, "gc", quiet):
                    seen.append(len(inside))
                    time.sleep(0.02)
                    seen.append(len(inside))
                    done += 1
            except Unavailable:
                continue

    with ThreadPoolExecutor(6) as pool:
        for future in [pool.submit(hold), *(pool.submit(share, each) for each in range(5))]:
            future.result()
    assert seen == [0] * 8
    assert store.keys(ROOM) == []


def test_a_holder_without_a_sign_of_life_is_gone_and_must_not_believe_it_held_it(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(f"s3://{bucket}/team")
    with exclusive(store, "gc", quiet):
        pass  # it has been found to be atomic, which takes a second

    def frozen() -> None:
        with shared(store, "frozen", quiet):
            time.sleep(3.1)
            monkeypatch.setattr(lock, "HELD_SECONDS", 2.0)
            with exclusive(store, "gc", quiet):
                pass

    with pytest.raises(Broken, match="was taken for dead"):
        frozen()
    assert store.keys(ROOM) == []


def test_a_sign_of_life_keeps_it(folder_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "HELD_SECONDS", 2.0)
    monkeypatch.setattr(lock, "RENEWED_SECONDS", 0.2)
    with shared(folder_store, "slow", quiet):
        time.sleep(2.5)
        with pytest.raises(Unavailable), exclusive(folder_store, "gc", quiet, patience=0.1):
            pytest.fail("both hold it")


def test_a_lock_that_a_dead_one_held_alone_is_taken_over_and_it_may_do_no_more(
    folder_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with exclusive(folder_store, "first", quiet) as frozen:
        time.sleep(2.1)
        monkeypatch.setattr(lock, "HELD_SECONDS", 2.0)
        with shared(folder_store, "one", quiet):
            pass
        with (
            exclusive(folder_store, "second", quiet),
            pytest.raises(Broken, match="could not be renewed in time"),
        ):
            frozen.check()
        assert folder_store.keys(EXCLUSIVE) == []


def test_the_clock_is_the_stores_own(store: Store) -> None:
    assert abs(clock(store) - time.time()) < 5
    assert store.keys(ROOM) == []
