"""Fixtures of a real S3 server, for whatever test needs one (imported by tests/conftest.py)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from infra.s3 import Server

KEYS = {"AWS_ACCESS_KEY_ID": "tester", "AWS_SECRET_ACCESS_KEY": "secret-of-the-tests"}


def settings(endpoint: str, folder: Path) -> dict[str, str]:
    """The standard AWS settings for that server, and for nothing else."""
    (folder / "aws").touch()
    return {
        **KEYS,
        "AWS_ENDPOINT_URL_S3": endpoint,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": str(folder / "aws"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "aws"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real S3 server on the loopback interface."""
    keys = (KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"])
    with Server(tmp_path_factory.mktemp("s3"), keys) as server:
        yield server


@pytest.fixture(scope="session")
def s3_endpoint(s3_server: Server) -> str:
    """Its URL."""
    return s3_server.endpoint


@pytest.fixture
def s3(
    s3_endpoint: str,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Any:
    """A client of that server; the standard AWS settings point at it, and at nothing else."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in settings(s3_endpoint, tmp_path_factory.mktemp("aws")).items():
        monkeypatch.setenv(name, value)
    return boto3.Session().client("s3")  # the default session would keep old keys


@pytest.fixture
def bucket(s3: Any, request: pytest.FixtureRequest) -> Iterator[str]:
    """A new, empty bucket; it goes afterwards, since the server has volumes for some tens only."""
    name = "b" + str(abs(hash(request.node.nodeid)) % 10**9)
    s3.create_bucket(Bucket=name)
    yield name
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
        for found in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            s3.delete_object(Bucket=name, Key=found["Key"], VersionId=found["VersionId"])
    s3.delete_bucket(Bucket=name)
