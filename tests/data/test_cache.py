from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tasks.data.cache import Cache

KEYS = [digit * 64 for digit in "abcd"]


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache", limit=250)


def made(folder: Path, content: bytes) -> Path:
    path = folder / "made"
    path.write_bytes(content)
    return path


def kept(cache: Cache) -> list[Path]:
    return sorted(path for path in cache.folder.rglob("*") if path.is_file())


def test_what_is_kept_is_found_again(cache: Cache, tmp_path: Path) -> None:
    cache.keep(KEYS[0], made(tmp_path, b"content"))

    assert cache.take(KEYS[0], tmp_path / "taken")
    assert (tmp_path / "taken").read_bytes() == b"content"
    assert not cache.take(KEYS[1], tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_what_was_taken_stays_when_the_cache_is_cleared(cache: Cache, tmp_path: Path) -> None:
    cache.keep(KEYS[0], made(tmp_path, b"content"))
    cache.take(KEYS[0], tmp_path / "taken")
    for path in kept(cache):
        path.unlink()

    assert (tmp_path / "taken").read_bytes() == b"content"


@pytest.mark.parametrize("content", [b"", b"c0ntent", b"content and more"])
def test_a_damaged_file_is_not_taken_and_goes(cache: Cache, tmp_path: Path, content: bytes) -> None:
    cache.keep(KEYS[0], made(tmp_path, b"content"))
    (entry,) = kept(cache)
    entry.unlink()
    entry.write_bytes(content)

    assert not cache.take(KEYS[0], tmp_path / "taken")
    assert not (tmp_path / "taken").exists()
    assert kept(cache) == []


def test_what_was_used_longest_ago_goes_first(cache: Cache, tmp_path: Path) -> None:
    for age, key in enumerate(KEYS):
        cache.keep(key, made(tmp_path, bytes(100)))
        (tmp_path / "made").unlink()
        (entry,) = cache.folder.glob(f"??/{key}.*")
        os.utime(entry, (age, age))
    cache.take(KEYS[0], tmp_path / "taken")
    cache.trim()

    assert [path.name[0] for path in kept(cache)] == ["a", "d"]


def test_a_folder_that_can_not_be_used_costs_no_more_than_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    cache = Cache(tmp_path / "file" / "cache", limit=250)
    for key in KEYS:
        cache.keep(key, made(tmp_path, b"content"))

    assert not cache.take(KEYS[0], tmp_path / "taken")
    cache.trim()
    assert capsys.readouterr().err.count("can't be used (Not a directory)") == 1


def test_many_at_once_take_a_whole_file_or_none(cache: Cache, tmp_path: Path) -> None:
    small = Cache(cache.folder, limit=0)  # so that everybody removes what others keep

    def work(number: int) -> list[bool]:
        home = tmp_path / str(number)
        home.mkdir()
        taken = []
        for turn in range(40):
            small.keep(KEYS[0], made(home, b"content"))
            (home / "made").unlink()
            taken.append(small.take(KEYS[0], home / f"taken-{turn}"))
            assert not taken[-1] or (home / f"taken-{turn}").read_bytes() == b"content"
            small.trim()
        return taken

    with ThreadPoolExecutor(4) as pool:
        found = [taken for each in pool.map(work, range(4)) for taken in each]
    assert any(found)
    assert kept(cache) == []


def test_only_its_owner_may_look_into_it(cache: Cache, tmp_path: Path) -> None:
    cache.keep(KEYS[0], made(tmp_path, b"content"))
    assert (kept(cache)[0].parent.stat().st_mode & 0o077) == 0
