"""The secret files, and what the S3 server makes of them."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from infra.compose import secrets
from infra.compose.bucket import make_bucket
from infra.compose.secrets import BUCKET, PREFIX, write_secrets
from infra.s3 import Server

ROLES = ("administrator", "worker", "publisher", "housekeeper", "reader")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installation") / "secrets"
    write_secrets(folder)
    return folder


@pytest.fixture(scope="module")
def server(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The S3 server with the identities that Compose gives it, and the bucket."""
    data = tmp_path_factory.mktemp("s3")
    with Restricted(data, ("none", "none"), folder / "s3_identities.json") as server:
        patch = pytest.MonkeyPatch()
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "s3_administrator"))
        patch.setenv("AWS_ENDPOINT_URL_S3", server.endpoint)
        patch.setenv("AWS_REGION", "us-east-1")
        patch.delenv("AWS_ACCESS_KEY_ID", raising=False)
        assert make_bucket()
        assert not make_bucket()
        patch.undo()
        yield server


class Restricted(Server):
    """The server of development with users in place of one key for everything."""

    def __init__(self, folder: Path, keys: tuple[str, str], identities: Path) -> None:
        super().__init__(folder, keys)
        self._identities = identities

    def _command(self) -> list[str]:
        return [*super()._command(), f"-s3.config={self._identities}"]


def client(role: str, folder: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An S3 client as a container has it: credentials from its own secret file alone."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / f"s3_{role}"))
    session = boto3.Session(region_name="us-east-1")
    return session.client("s3", endpoint_url=server.endpoint)


def refused(ask: Any, **arguments: Any) -> bool:
    try:
        ask(Bucket=BUCKET, **arguments)
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDenied":
            raise
        return True
    return False


@pytest.mark.parametrize("role", ["worker", "publisher", "housekeeper", "reader"])
def test_each_role_writes_what_it_may_and_nothing_else(
    role: str, folder: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3 = client(role, folder, server, monkeypatch)
    rooms = ("dvc", "code", "runs", "locks/shared", "locks", "housekeeping", "registry")
    written = {
        room for room in rooms
        if not refused(s3.put_object, Key=f"{PREFIX}/{room}/{role}", Body=b"1")
    }  # fmt: skip
    may = {
        "worker": {"dvc", "code", "runs", "locks/shared"},
        "publisher": {"dvc", "code", "runs", "locks/shared", "registry"},
        "housekeeper": {"dvc", "code", "runs", "locks/shared", "locks", "housekeeping"},
        "reader": set[str](),
    }
    assert written == may[role]
    assert refused(s3.put_object, Key="elsewhere", Body=b"1")
    assert refused(s3.delete_bucket)


@pytest.mark.parametrize("role", ["worker", "housekeeper", "reader"])
def test_who_may_not_publish_can_neither_replace_nor_delete_a_version(
    role: str, folder: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = f"{PREFIX}/registry/reviews/v1.0.0/model.onnx"
    client("publisher", folder, server, monkeypatch).put_object(Bucket=BUCKET, Key=key, Body=b"1")
    s3 = client(role, folder, server, monkeypatch)
    assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == b"1"
    assert refused(s3.put_object, Key=key, Body=b"2")
    assert refused(s3.delete_object, Key=key)
    assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == b"1"


def test_its_folder_is_its_owners_alone_and_nothing_in_it_can_be_written(folder: Path) -> None:
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o444}


def test_what_is_there_is_kept_and_what_is_missing_fits_it(tmp_path: Path) -> None:
    write_secrets(tmp_path)
    before = {path.name: path.read_text() for path in tmp_path.iterdir()}
    for name in ("broker_url", "s3_identities.json"):
        (tmp_path / name).unlink()
    assert write_secrets(tmp_path) == ["broker_url", "s3_identities.json"]
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == before


def test_an_update_with_another_user_tells_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_secrets(tmp_path)
    before = (tmp_path / "s3_worker").read_text()
    more = {**secrets.rights(), "auditor": ["Read:nightshift"]}
    monkeypatch.setattr(secrets, "rights", lambda: more)
    assert set(write_secrets(tmp_path)) == {"s3_auditor", "s3_identities.json"}
    known = json.loads((tmp_path / "s3_identities.json").read_text())["identities"]
    assert [each["name"] for each in known] == list(more)
    assert (tmp_path / "s3_worker").read_text() == before
    assert write_secrets(tmp_path) == []


def test_two_installations_have_no_secret_in_common(folder: Path, tmp_path: Path) -> None:
    write_secrets(tmp_path)
    for path in folder.iterdir():
        if path.name == "notify_url":
            continue  # nothing, until a person fills it in
        assert path.read_text() != (tmp_path / path.name).read_text()


def test_every_role_has_credentials_that_the_server_knows(folder: Path) -> None:
    identities = json.loads((folder / "s3_identities.json").read_text())["identities"]
    for identity in identities:
        key = identity["credentials"][0]["accessKey"]
        assert key in (folder / f"s3_{identity['name']}").read_text()
    assert tuple(identity["name"] for identity in identities) == ROLES
