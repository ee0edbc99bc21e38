"""A folder and a real bucket keep the same promises."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config

from infra.s3 import Server
from tasks.sources import aws
from tasks.stage.errors import BadInput, Unavailable
from tasks.store import bucket as s3_store
from tasks.store.bucket import BucketStore
from tasks.store.store import Store, open_store
from tests.made import ROOT
from tests.s3 import KEYS, settings


def test_what_is_written_is_read(store: Store) -> None:
    assert store.read("runs/a.json") is None
    store.write("runs/a.json", b"one")
    first = store.read("runs/a.json")
    assert first is not None
    assert first.content == b"one"
    store.write("runs/a.json", b"two")
    second = store.read("runs/a.json")
    assert second is not None
    assert second.tag != first.tag


def test_keys_are_listed_below_a_prefix_and_nothing_else(store: Store) -> None:
    for key in ("runs/b/1", "runs/b/2/3", "runs/bc", "code/x"):
        store.write(key, b"x")
    assert store.keys("runs/b/") == ["runs/b/1", "runs/b/2/3"]
    assert store.keys("runs/b") == ["runs/b/1", "runs/b/2/3", "runs/bc"]
    store.delete("runs/b/1")
    store.delete("runs/b/1")
    assert store.keys("runs/b/") == ["runs/b/2/3"]


def test_a_listing_has_the_tags_that_reading_gives(store: Store) -> None:
    store.write("runs/a.json", b"one")
    before = store.tags("runs/")
    found = store.read("runs/a.json")
    assert found is not None
    assert before == {"runs/a.json": found.tag}
    store.write("runs/a.json", b"two")
    assert store.tags("runs/")["runs/a.json"] != before["runs/a.json"]
    assert store.tags("code/") == {}


def test_a_folder_that_is_not_mounted_is_not_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="is its disk mounted"):
        open_store(str(tmp_path / "away")).tags("runs/")


def test_a_file_goes_there_and_comes_back(store: Store, tmp_path: Path) -> None:
    content = os.urandom(40 * 2**20)  # several parts of a multipart upload
    (tmp_path / "there").write_bytes(content)
    digest = store.upload(tmp_path / "there", "models/big")
    assert store.download("models/big", tmp_path / "deep" / "back") == digest
    assert (tmp_path / "deep" / "back").read_bytes() == content
    with pytest.raises(BadInput, match="models/none does not exist"):
        store.download("models/none", tmp_path / "none")


def test_of_many_creators_at_once_exactly_one_wins(store: Store) -> None:
    for turn in range(2):
        with ThreadPoolExecutor(8) as pool:
            key = f"claims/{turn}"
            wins = list(pool.map(lambda n: store.create(key, b"%d" % n), range(8)))  # noqa: B023
        found = store.read(key)
        assert wins.count(True) == 1
        assert found is not None
        assert found.content == b"%d" % wins.index(True)


def test_of_many_that_count_up_none_gets_lost(store: Store) -> None:
    store.write("count", b"0 -")

    def add(name: int) -> None:
        for turn in range(5):
            while True:
                found = store.read("count")
                assert found is not None
                more = int(found.content.split()[0]) + 1
                if store.replace("count", b"%d %d-%d" % (more, name, turn), found.tag):
                    break

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(add, range(6)))
    found = store.read("count")
    assert found is not None
    assert found.content.split()[0] == b"30"


COUNTING = """
import sys
import time
from tasks.store.store import open_store
store = open_store(sys.argv[1])
for turn in range(10):
    while True:
        found = store.read("count")
        more = int(found.content.split()[0]) + 1
        if store.replace("count", f"{more} {sys.argv[2]}-{turn}".encode(), found.tag):
            break
"""


def test_processes_count_together_too(store: Store) -> None:
    store.write("count", b"0 -")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    started = [
        subprocess.Popen([sys.executable, "-c", COUNTING, store.url, str(n)], env=environment)
        for n in range(3)
    ]
    assert [process.wait() for process in started] == [0, 0, 0]
    found = store.read("count")
    assert found is not None
    assert found.content.split()[0] == b"30"


def test_replacing_what_is_gone_or_changed_fails(store: Store) -> None:
    store.write("alias", b"one")
    seen = store.read("alias")
    assert seen is not None
    store.write("alias", b"two")
    assert not store.replace("alias", b"three", seen.tag)
    store.delete("alias")
    assert not store.replace("alias", b"three", seen.tag)
    assert store.read("alias") is None


def test_no_key_leads_out_of_the_folder(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store"))
    with pytest.raises(BadInput, match="lies outside the store"):
        store.write("../elsewhere", b"x")


def test_an_answer_that_got_lost_is_no_lost_race(bucket: str) -> None:
    """The first try went through but its answer did not come: the second meets itself."""
    store = open_store(f"s3://{bucket}/x")
    assert store.create("claim", b"mine")
    assert store.create("claim", b"mine")
    assert not store.create("claim", b"theirs")


def test_a_damaged_object_is_found_out(s3: Any, bucket: str, tmp_path: Path) -> None:
    store = open_store(f"s3://{bucket}/x")
    (tmp_path / "file").write_bytes(b"right")
    digest = store.upload(tmp_path / "file", "models/a")
    s3.put_object(Bucket=bucket, Key="x/models/a", Body=b"wrong", Metadata={"sha256": digest})
    with pytest.raises(Unavailable, match=r"models/a: what was read is not what was written"):
        store.download("models/a", tmp_path / "back")


def test_a_server_without_atomic_writes_is_found_out_and_got_along_with(
    bucket: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A gateway that ignores the condition, as some do."""
    plain: Callable[..., None] = BucketStore._put
    monkeypatch.setattr(
        BucketStore, "_put", lambda self, key, content, **_: plain(self, key, content)
    )
    monkeypatch.setattr(s3_store, "SETTLING_SECONDS", 0.2)
    store = open_store(f"s3://{bucket}/x")
    assert store.create("claim", b"mine")
    assert "conditional writes are not atomic" in capsys.readouterr().err
    assert not store.create("claim", b"theirs")
    found = store.read("claim")
    assert found is not None
    assert found.content == b"mine"
    assert store.replace("claim", b"moved", found.tag)
    assert not store.replace("claim", b"lost", found.tag)


def test_the_real_server_is_atomic(bucket: str) -> None:
    assert BucketStore(f"s3://{bucket}/x").atomic


def test_a_server_that_comes_back_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = (KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"])
    with Server(tmp_path / "s3", keys) as server:
        for name, value in settings(server.endpoint, tmp_path).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(aws, "SETTINGS", Config(retries={"max_attempts": 1}))
        store = BucketStore("s3://nights/x")
        store._client.create_bucket(Bucket="nights")
        store.write("a", b"kept")
        server.stop()
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(store.read, "a")
            with pytest.raises(TimeoutError):
                asked.result(3)
            server.start()
            found = asked.result(60)
        assert found is not None
        assert found.content == b"kept"
        assert "asking again" in capsys.readouterr().err


def test_errors_that_no_try_mends_are_said_at_once(
    s3: Any, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadInput, match="there is no bucket 'nowhere-at-all'"):
        open_store("s3://nowhere-at-all/x").keys("a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(BadInput, match="access denied"):
        open_store(f"s3://{bucket}/x").read("a")
    with pytest.raises(BadInput, match="access denied"):
        open_store(f"s3://{bucket}/x").upload(Path(__file__), "a")
    with pytest.raises(BadInput, match="takes a folder or s3://"):
        open_store("gs://bucket/x")


def test_a_listing_has_sizes_and_times(store: Store) -> None:
    before = time.time() - 2  # a bucket has whole seconds
    store.write("runs/a", b"four")
    store.write("runs/b/c", b"")
    assert [(entry.key, entry.size) for entry in store.listing("runs/")] == [
        ("runs/a", 4),
        ("runs/b/c", 0),
    ]
    assert all(before <= entry.modified <= time.time() + 2 for entry in store.listing("runs/"))


def test_a_file_moved_in_from_elsewhere_is_as_new_as_the_move(tmp_path: Path) -> None:
    """DVC may link what is long in its cache into a folder's store."""
    store = open_store(str(tmp_path / "store"))
    (tmp_path / "old").write_text("x")
    os.utime(tmp_path / "old", (0, 0))
    (tmp_path / "store").mkdir()
    os.link(tmp_path / "old", tmp_path / "store" / "new")
    assert store.listing("new")[0].modified > time.time() - 60
