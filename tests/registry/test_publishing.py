from __future__ import annotations

import json
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tasks.inference.release import CARD, MANIFEST, MODEL, PROFILE, TOKENIZER, Release
from tasks.registry.aliases import promote, read_aliases
from tasks.registry.manifest import need_manifest, read_manifest, whole_versions
from tasks.registry.publishing import Publication, publish
from tasks.registry.versions import fetch_version
from tasks.stage.errors import BadInput, StageError, Unavailable
from tasks.store.store import Store
from tests.registry.made import NAME, facts, process, published, release


def test_versions_are_numbered_within_their_major(store: Store, tmp_path: Path) -> None:
    assert [each.version for each in published(store, tmp_path, "ab")] == ["v1.0.0", "v1.1.0"]
    other = publish(store, NAME, 2, release(tmp_path / "c", "c"), facts())
    assert other == Publication(NAME, "v2.0.0", Release.read(tmp_path / "c").digest, created=True)
    assert whole_versions(store, NAME) == ["v1.0.0", "v1.1.0", "v2.0.0"]


def test_a_version_says_what_it_is_and_where_it_comes_from(store: Store, tmp_path: Path) -> None:
    told = facts(run="night-7", lock={"stages": {}}, gate={"verdict": "blessed"}, revision="abc")
    found = publish(store, NAME, 1, release(tmp_path / "a"), told)

    manifest = need_manifest(store, NAME, found.version)
    assert (manifest.run, manifest.revision, manifest.gate) == ("night-7", "abc", told.gate)
    assert (manifest.params, manifest.lock, manifest.data) == (told.params, told.lock, told.data)
    assert sorted(manifest.files) == sorted([CARD, MODEL, TOKENIZER])
    assert manifest.files[MODEL].size == len("a graph")
    folder = fetch_version(store, NAME, "v1.0.0", tmp_path / "fetched")
    assert Release.read(folder).version == "v1.0.0"
    assert Release.read(folder).digest == found.digest == Release.read(tmp_path / "a").digest


def test_the_same_release_measured_again_is_the_same_version(store: Store, tmp_path: Path) -> None:
    first = publish(store, NAME, 1, release(tmp_path / "a", accuracy=0.8), facts(run="one"))
    again = publish(store, NAME, 1, release(tmp_path / "a", accuracy=0.7), facts(run="two"))

    assert (first.version, first.created) == (again.version, True)
    assert (again.version, again.digest, again.created) == ("v1.0.0", first.digest, False)
    assert need_manifest(store, NAME, "v1.0.0").run == "one"


def test_an_unfinished_version_is_left_to_those_who_have_its_files(
    store: Store, tmp_path: Path
) -> None:
    """Equal releases may tell of other data: the profile beside them is no part of what serves."""
    folder = release(tmp_path / "a")
    (folder / PROFILE).write_text('{"rows": 1}')
    first = publish(store, NAME, 1, release(folder), facts())
    store.delete(f"registry/{NAME}/{first.version}/{MANIFEST}")
    (folder / PROFILE).write_text('{"rows": 2}')
    second = publish(store, NAME, 1, release(folder), facts())
    assert (second.version, second.digest, second.created) == ("v1.1.0", first.digest, True)
    assert publish(store, NAME, 1, folder, facts()).version == "v1.1.0"


def test_a_release_whose_file_was_changed_is_not_published(store: Store, tmp_path: Path) -> None:
    (release(tmp_path / "a") / MODEL).write_text("another graph")

    with pytest.raises(BadInput, match=r"model\.onnx is not the file that was released"):
        publish(store, NAME, 1, tmp_path / "a", facts())
    assert store.keys("registry/") == []


@pytest.mark.parametrize("name", ["", "../up", "Mood", "a/b"])
def test_what_cannot_be_a_name_is_refused(folder_store: Store, tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match="can't be a model's name"):
        publish(folder_store, name, 1, release(tmp_path / "a"), facts())


@pytest.mark.parametrize("broken", [MODEL, TOKENIZER, CARD])
def test_an_upload_that_fails_leaves_no_half_version(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    published(store, tmp_path, "a")
    before = promote(store, NAME, "v1.0.0", "a person")
    upload = store.upload

    def failing(path: Path, key: str) -> str:
        if key.endswith(broken):
            raise Unavailable("the network is gone")
        return upload(path, key)

    with monkeypatch.context() as patch:
        patch.setattr(store, "upload", failing)
        with pytest.raises(Unavailable):
            publish(store, NAME, 1, release(tmp_path / "b", "b"), facts())
    assert whole_versions(store, NAME) == ["v1.0.0"]
    assert read_aliases(store, NAME) == before

    again = publish(store, NAME, 1, release(tmp_path / "b", "b"), facts())
    assert (again.version, again.created) == ("v1.1.0", True)


@pytest.mark.parametrize("moment", ["claims/v1.0.0.json", MODEL, CARD])
def test_a_killed_publisher_is_followed_by_one_that_finishes(
    store: Store, tmp_path: Path, moment: str
) -> None:
    killed = process("publish", store.url, str(release(tmp_path / "a", accuracy=0.8)), moment)
    assert killed.wait() == -signal.SIGKILL, killed.communicate()
    assert whole_versions(store, NAME) == []

    # measured again, its card is another: still the files must be those that the manifest lists
    found = publish(store, NAME, 1, release(tmp_path / "a", accuracy=0.7), facts())
    assert (found.version, found.created) == ("v1.0.0", True)
    fetch_version(store, NAME, "v1.0.0", tmp_path / "fetched")


def test_a_number_that_was_claimed_in_vain_is_left_out(store: Store, tmp_path: Path) -> None:
    killed = process("publish", store.url, str(release(tmp_path / "a", "a")), MODEL)
    assert killed.wait() == -signal.SIGKILL, killed.communicate()

    assert publish(store, NAME, 1, release(tmp_path / "b", "b"), facts()).version == "v1.1.0"
    assert whole_versions(store, NAME) == ["v1.1.0"]
    with pytest.raises(BadInput, match=r"mood has no version v1\.0\.0; it has v1\.1\.0"):
        promote(store, NAME, "v1.0.0", "a person")


def test_killed_before_it_promotes_it_leaves_the_old_alias(store: Store, tmp_path: Path) -> None:
    published(store, tmp_path, "a")
    promote(store, NAME, "v1.0.0", "a person")
    killed = process("publish", store.url, str(release(tmp_path / "b", "b")), MANIFEST)
    assert killed.wait() == -signal.SIGKILL, killed.communicate()

    assert read_aliases(store, NAME).production == "v1.0.0"
    again = publish(store, NAME, 1, tmp_path / "b", facts())
    assert (again.version, again.created) == ("v1.1.0", False)
    assert promote(store, NAME, again.version, "a person").production == "v1.1.0"


def test_a_late_publisher_changes_nothing(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It claimed, slept while another one finished, and wakes up to upload its own files."""
    create = store.create

    def slow(key: str, content: bytes) -> bool:
        done = create(key, content)
        with monkeypatch.context() as patch:
            patch.setattr(store, "create", create)
            publish(store, NAME, 1, release(tmp_path / "same", accuracy=0.7), facts(run="fast"))
        return done

    monkeypatch.setattr(store, "create", slow)
    late = publish(store, NAME, 1, release(tmp_path / "a", accuracy=0.8), facts(run="late"))

    assert (late.version, late.created) == ("v1.0.0", False)
    fetch_version(store, NAME, "v1.0.0", tmp_path / "fetched")


def test_what_others_wrote_into_a_version_is_not_taken_for_ours(
    folder_store: Store, tmp_path: Path
) -> None:
    published(folder_store, tmp_path, "a")
    folder_store.delete(f"registry/{NAME}/claims/v1.0.0.json")

    with pytest.raises(StageError, match="holds another release than its claim says"):
        publish(folder_store, NAME, 1, release(tmp_path / "b", "b"), facts())


def test_a_manifest_of_another_format_is_not_guessed_at(
    folder_store: Store, tmp_path: Path
) -> None:
    published(folder_store, tmp_path, "a")
    key = f"registry/{NAME}/v1.0.0/{MANIFEST}"
    found = folder_store.read(key)
    assert found is not None
    folder_store.write(key, json.dumps({**found.json(), "format": 2}).encode())

    with pytest.raises(StageError, match=r"manifest\.json: format: got 2; this version .* reads 1"):
        read_manifest(folder_store, NAME, "v1.0.0")


def in_threads(store: Store, folders: list[Path]) -> list[Publication]:
    with ThreadPoolExecutor(len(folders)) as pool:
        return list(pool.map(lambda folder: publish(store, NAME, 1, folder, facts()), folders))


def in_processes(store: Store, folders: list[Path]) -> list[str]:
    running = [process("publish", store.url, str(folder)) for folder in folders]
    said = [each.communicate() for each in running]
    assert all(each.returncode == 0 for each in running), said
    return [out.strip() for out, _ in said]


EIGHT = [f"v1.{n}.0" for n in range(8)]


def check_none_is_lost(store: Store, folders: list[Path]) -> None:
    assert whole_versions(store, NAME) == EIGHT
    digests = {need_manifest(store, NAME, version).digest for version in EIGHT}
    assert digests == {Release.read(folder).digest for folder in folders}


def test_eight_at_once_get_eight_versions(store: Store, tmp_path: Path) -> None:
    folders = [release(tmp_path / each, each) for each in "abcdefgh"]
    found = in_threads(store, folders)

    assert sorted(each.version for each in found) == EIGHT
    assert all(each.created for each in found)
    check_none_is_lost(store, folders)


def test_eight_processes_at_once_get_eight_versions(store: Store, tmp_path: Path) -> None:
    folders = [release(tmp_path / each, each) for each in "abcdefgh"]

    assert sorted(in_processes(store, folders)) == EIGHT
    check_none_is_lost(store, folders)


def test_eight_of_the_same_at_once_get_one_version(store: Store, tmp_path: Path) -> None:
    """Each has measured for itself, so that their cards differ."""
    folders = [release(tmp_path / each, accuracy=at) for at, each in enumerate("abcdefgh")]
    found = in_threads(store, folders)

    assert {each.version for each in found} == {"v1.0.0"}
    assert [each.created for each in found].count(True) == 1
    assert whole_versions(store, NAME) == ["v1.0.0"]
    fetch_version(store, NAME, "v1.0.0", tmp_path / "fetched")


def test_eight_processes_with_the_same_get_one_version(folder_store: Store, tmp_path: Path) -> None:
    folders = [release(tmp_path / each, accuracy=at) for at, each in enumerate("abcdefgh")]

    assert set(in_processes(folder_store, folders)) == {"v1.0.0"}
    assert whole_versions(folder_store, NAME) == ["v1.0.0"]
    fetch_version(folder_store, NAME, "v1.0.0", tmp_path / "fetched")
