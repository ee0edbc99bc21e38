from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tasks.registry.aliases import (
    Aliases,
    is_revoked,
    production,
    promote,
    read_aliases,
    rollback,
)
from tasks.registry.publishing import publish
from tasks.stage.errors import BadInput, StageError
from tasks.store.store import Store
from tests.registry.made import NAME, facts, process, published

Move = tuple[str, str | None, str]


def moves(record: Aliases) -> list[Move]:
    return [(entry["action"], entry["from"], entry["to"]) for entry in record.history]


def serving(store: Store, folder: Path, graphs: str) -> Aliases:
    """Each graph published and promoted, one after the other."""
    record = Aliases()
    for each in published(store, folder, graphs):
        record = promote(store, NAME, each.version, "tests")
    return record


def test_nothing_serves_before_it_is_promoted(store: Store, tmp_path: Path) -> None:
    published(store, tmp_path, "a")

    assert production(store, NAME) is None
    assert read_aliases(store, NAME) == Aliases()


def test_promoting_moves_production_and_keeps_where_it_was(store: Store, tmp_path: Path) -> None:
    record = serving(store, tmp_path, "ab")

    assert record == read_aliases(store, NAME)
    assert record.aliases == {"production": "v1.1.0", "previous": "v1.0.0"}
    assert moves(record) == [("promote", None, "v1.0.0"), ("promote", "v1.0.0", "v1.1.0")]
    assert {entry["by"] for entry in record.history} == {"tests"}
    assert all(entry["at"].endswith("Z") for entry in record.history)


def test_promoting_what_serves_changes_nothing(store: Store, tmp_path: Path) -> None:
    record = serving(store, tmp_path, "ab")

    assert promote(store, NAME, "v1.1.0", "somebody else") == record == read_aliases(store, NAME)


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("v1.7.0", r"mood has no version v1\.7\.0; it has v1\.0\.0"),
        ("production", "'production' can't be a version; takes vMAJOR.MINOR.PATCH"),
    ],
)
def test_only_a_whole_version_is_promoted(
    folder_store: Store, tmp_path: Path, version: str, message: str
) -> None:
    published(folder_store, tmp_path, "a")

    with pytest.raises(BadInput, match=message):
        promote(folder_store, NAME, version, "tests")


def test_rolling_back_brings_back_the_version_before(store: Store, tmp_path: Path) -> None:
    serving(store, tmp_path, "ab")
    record = rollback(store, NAME, "a person", reason="it swears")

    assert record == read_aliases(store, NAME)
    assert record.aliases == {"production": "v1.0.0"}
    assert moves(record)[-1] == ("rollback", "v1.1.0", "v1.0.0")
    assert record.revoked["v1.1.0"]["reason"] == "it swears"
    with pytest.raises(BadInput, match=r"v1\.1\.0 was revoked .* by a person: it swears"):
        promote(store, NAME, "v1.1.0", "tests")


def test_rolling_back_twice_goes_back_two(store: Store, tmp_path: Path) -> None:
    serving(store, tmp_path, "abc")

    first = rollback(store, NAME, "tests")
    assert first.aliases == {"production": "v1.1.0", "previous": "v1.0.0"}
    assert rollback(store, NAME, "tests").aliases == {"production": "v1.0.0"}
    with pytest.raises(BadInput, match=r"no version before v1\.0\.0 is left to go back to"):
        rollback(store, NAME, "tests")
    assert production(store, NAME) == "v1.0.0"


def test_with_nothing_in_production_there_is_nothing_to_roll_back(
    folder_store: Store, tmp_path: Path
) -> None:
    published(folder_store, tmp_path, "a")

    with pytest.raises(BadInput, match="mood has no version in production"):
        rollback(folder_store, NAME, "tests")


def test_a_revoked_version_is_skipped_on_the_way_back(folder_store: Store, tmp_path: Path) -> None:
    serving(folder_store, tmp_path, "ab")
    rollback(folder_store, NAME, "tests")  # b is revoked, a serves
    for each in published(folder_store, tmp_path, "abcd")[2:]:
        promote(folder_store, NAME, each.version, "tests")

    rollback(folder_store, NAME, "tests")  # d is revoked, c serves
    assert rollback(folder_store, NAME, "tests").production == "v1.0.0"


def test_a_version_that_is_gone_is_skipped_on_the_way_back(store: Store, tmp_path: Path) -> None:
    serving(store, tmp_path, "abc")
    for version in ("v1.1.0", "v1.2.0"):
        store.delete(f"registry/{NAME}/{version}/manifest.json")

    record = rollback(store, NAME, "tests")
    assert record.aliases == {"production": "v1.0.0"}
    assert list(record.revoked) == ["v1.2.0"]


def test_one_may_say_where_to_go_back_to(folder_store: Store, tmp_path: Path) -> None:
    serving(folder_store, tmp_path, "abc")

    record = rollback(folder_store, NAME, "tests", to="v1.0.0")
    assert record.production == "v1.0.0"
    assert record.previous == "v1.1.0"


@pytest.mark.parametrize(
    ("to", "message"),
    [
        ("v1.2.0", r"v1\.2\.0 is in production already"),
        ("v1.3.0", r"v1\.3\.0 never served; these did: v1\.2\.0, v1\.1\.0, v1\.0\.0"),
        ("v1.9.0", r"v1\.9\.0 never served"),
    ],
)
def test_one_goes_back_only_to_what_served(
    folder_store: Store, tmp_path: Path, to: str, message: str
) -> None:
    before = serving(folder_store, tmp_path, "abc")
    published(folder_store, tmp_path, "abcd")

    with pytest.raises(BadInput, match=message):
        rollback(folder_store, NAME, "tests", to=to)
    assert read_aliases(folder_store, NAME) == before


def test_a_revoked_release_is_known_whatever_it_is_called(
    folder_store: Store, tmp_path: Path
) -> None:
    serving(folder_store, tmp_path, "ab")
    rollback(folder_store, NAME, "tests")
    good, bad = (each.digest for each in published(folder_store, tmp_path, "ab"))
    assert is_revoked(folder_store, NAME, bad)
    assert not is_revoked(folder_store, NAME, good)

    again = publish(folder_store, NAME, 2, tmp_path / "b", facts())
    with pytest.raises(BadInput, match=r"v1\.1\.0 \(the same model as v2\.0\.0\) was revoked"):
        promote(folder_store, NAME, again.version, "tests")


def test_of_two_who_roll_back_at_once_one_is_told_to_look_again(
    folder_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise both would have gone back two versions."""
    serving(folder_store, tmp_path, "abc")
    read = folder_store.read
    others: list[bool] = []

    def meanwhile(key: str) -> object:
        found = read(key)
        if key.endswith("v1.2.0/manifest.json") and not others:
            others.append(True)
            rollback(folder_store, NAME, "the other one")
        return found

    monkeypatch.setattr(folder_store, "read", meanwhile)
    with pytest.raises(StageError, match=r"moved from v1\.2\.0 to v1\.1\.0 .* by the other one"):
        rollback(folder_store, NAME, "this one")
    assert production(folder_store, NAME) == "v1.1.0"


def check_one_history(store: Store, versions: set[str]) -> None:
    record = read_aliases(store, NAME)
    before = [None, *(entry["to"] for entry in record.history)]
    assert [entry["from"] for entry in record.history] == before[:-1]
    assert {entry["to"] for entry in record.history} == versions
    assert len(record.history) == len(versions)
    assert [record.previous, record.production] == before[-2:]


def test_eight_promoters_at_once_make_one_history(store: Store, tmp_path: Path) -> None:
    versions = {each.version for each in published(store, tmp_path, "abcdefgh")}
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda version: promote(store, NAME, version, version), versions))

    check_one_history(store, versions)


def test_eight_processes_that_promote_at_once_make_one_history(
    folder_store: Store, tmp_path: Path
) -> None:
    versions = {each.version for each in published(folder_store, tmp_path, "abcdefgh")}
    running = [process("promote", folder_store.url, version) for version in versions]
    said = [each.communicate() for each in running]

    assert all(each.returncode == 0 for each in running), said
    check_one_history(folder_store, versions)
