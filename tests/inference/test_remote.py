from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tasks.inference import Predictor
from tasks.inference.release import CARD, MODEL, Release
from tasks.registry.aliases import promote, rollback
from tasks.registry.publishing import publish
from tasks.stage.errors import BadInput
from tasks.store.store import Store, open_store
from tests.made import environment
from tests.registry.made import NAME, facts

TEXTS = ["the film is dull", "a superb cast"]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where fetched releases stay."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "nightshift" / "releases"


@pytest.fixture
def other_release(tiny_release: Path, tmp_path: Path) -> Path:
    """The same model, its classes named otherwise."""
    folder = tmp_path / "other"
    shutil.copytree(tiny_release, folder)
    replace(Release.read(folder), labels=("thumbs down", "thumbs up")).write(folder)
    return folder


@pytest.fixture(params=["folder", "bucket"])
def store(
    request: pytest.FixtureRequest, tmp_path: Path, tiny_release: Path, other_release: Path
) -> Store:
    """A store whose registry has two versions, the second of which serves."""
    url = str(tmp_path / "store")
    if request.param == "bucket":
        url = f"s3://{request.getfixturevalue('bucket')}/team"
    store = open_store(url)
    for folder in (tiny_release, other_release):
        version = publish(store, NAME, 1, folder, facts()).version
        promote(store, NAME, version, "tests")
    return store


def put(s3: Any, bucket: str, folder: Path) -> None:
    for path in folder.iterdir():
        s3.upload_file(str(path), bucket, f"mine/{path.name}")


def test_a_release_is_served_from_a_bucket(s3: Any, bucket: str, tiny_release: Path) -> None:
    put(s3, bucket, tiny_release)

    assert Predictor.load(f"s3://{bucket}/mine")(TEXTS) == Predictor.load(tiny_release)(TEXTS)


def test_a_damaged_file_leaves_nothing(
    s3: Any, bucket: str, tiny_release: Path, cache: Path
) -> None:
    put(s3, bucket, tiny_release)
    s3.put_object(Bucket=bucket, Key=f"mine/{MODEL}", Body=b"?")

    with pytest.raises(BadInput, match=r"model\.onnx is not the file that was released"):
        Predictor.load(f"s3://{bucket}/mine")
    assert not list(cache.iterdir())


@pytest.mark.parametrize("place", ["nowhere", "no/where", ""])
def test_a_place_without_a_release_is_named(bucket: str, place: str) -> None:
    with pytest.raises(BadInput, match=rf"s3://{bucket}/{place} holds no release"):
        Predictor.load(f"s3://{bucket}/{place}")


def test_a_bucket_that_is_not_there_is_named(s3: Any) -> None:
    with pytest.raises(BadInput, match=r"s3://nobody-s/registry/mood/production holds no release"):
        Predictor.load("s3://nobody-s/registry/mood/production")


def test_an_alias_is_followed_when_it_is_loaded(store: Store, tiny_release: Path) -> None:
    production = f"{store.url}/registry/{NAME}/production"
    loaded = Predictor.load(production)
    assert loaded.release.version == "v1.1.0"
    assert {found.label for found in loaded(TEXTS)} <= {"thumbs down", "thumbs up"}
    assert Predictor.load(f"{store.url}/registry/{NAME}/previous").release.version == "v1.0.0"

    rollback(store, NAME, "tests")
    assert loaded.release.version == "v1.1.0"
    assert Predictor.load(production)(TEXTS) == Predictor.load(tiny_release)(TEXTS)


def test_a_revoked_version_can_still_be_looked_at(store: Store) -> None:
    rollback(store, NAME, "tests")

    assert Predictor.load(f"{store.url}/registry/{NAME}/v1.1.0").release.version == "v1.1.0"


@pytest.mark.parametrize("wrong", ["staging", "v7.0.0"])
def test_an_unknown_alias_is_told_which_there_are(store: Store, wrong: str) -> None:
    with pytest.raises(BadInput) as error:
        Predictor.load(f"{store.url}/registry/{NAME}/{wrong}")
    assert str(error.value) == (
        f"{store.url}/registry/{NAME}/{wrong}: there is no such version or alias; "
        "aliases are previous, production"
    )


@pytest.mark.parametrize("record", [b"not JSON", b"{}", b'{"aliases": {"production": "../x"}}'])
def test_a_broken_record_of_aliases_is_named(store: Store, record: bytes) -> None:
    store.write(f"registry/{NAME}/aliases.json", record)

    with pytest.raises(BadInput, match=r"aliases\.json beside it"):
        Predictor.load(f"{store.url}/registry/{NAME}/production")


def test_a_tampered_file_of_a_version_is_not_served(store: Store) -> None:
    store.write(f"registry/{NAME}/v1.1.0/{MODEL}", b"another graph")

    with pytest.raises(BadInput, match=r"model\.onnx is not the file that was released"):
        Predictor.load(f"{store.url}/registry/{NAME}/production")


def test_a_tampered_card_of_a_version_is_not_served(store: Store) -> None:
    """Nor one that vouches for files of its own: the manifest knows it."""
    key = f"registry/{NAME}/v1.1.0/{CARD}"
    found = store.read(key)
    assert found is not None
    card = {**found.json(), "labels": ["thumbs up", "thumbs down"]}
    store.write(key, json.dumps(card).encode())

    with pytest.raises(BadInput, match=r"release\.json is not the card that was published"):
        Predictor.load(f"{store.url}/registry/{NAME}/production")


def test_serving_from_a_registry_imports_neither_the_store_nor_torch(store: Store) -> None:
    code = (
        "import sys; from tasks.inference import Predictor; "
        f"Predictor.load('{store.url}/registry/{NAME}/production')(['a film']); "
        "heavy = {'torch', 'transformers', 'pydantic', 'yaml', 'tasks.store', 'tasks.registry'}; "
        "print(heavy & set(sys.modules))"
    )
    command = [sys.executable, "-c", code]
    told = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)

    assert told.stdout.strip() == "set()", told.stderr
