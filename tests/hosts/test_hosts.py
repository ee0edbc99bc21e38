"""The hosts and containers that proofs of a whole installation stand on do what those claim."""

from __future__ import annotations

import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hosts.container import Container
from tests.hosts.network import Network, Refused, network

LOOK = """
import os, socket, pathlib
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print("user", os.getuid(), "rights", int(status["CapEff"], 16) | int(status["CapBnd"], 16))
print("name", socket.gethostname(), "processes", sum(map(str.isdigit, os.listdir("/proc"))))
for folder in ("/", "/data", "/given"):
    try:
        pathlib.Path(folder, "x").write_text("x")
        print(folder, "written")
    except OSError as error:
        print(folder, error.strerror)
print("elsewhere", os.path.exists(ELSEWHERE))
"""


@pytest.fixture(scope="module")
def hosts() -> Iterator[Network]:
    try:
        with network("one", "two") as made:
            yield made
    except Refused as error:
        pytest.skip(str(error))


def container(hosts: Network, host: str, folder: Path, *command: str) -> Container:
    (folder / "data").mkdir(exist_ok=True)
    (folder / "data").chmod(0o777)
    (folder / "given").mkdir(exist_ok=True)
    return Container(
        name=f"{host}-it",
        namespace=hosts.namespace(host),
        command=[sys.executable, *command],
        environment={"PATH": "/usr/bin:/bin"},
        user=(10001, 0),
        folder="/data",
        volumes={"/data": folder / "data"},
        read_only={"/given": folder / "given"},
    )


def test_a_container_has_what_it_is_given_and_nothing_else(hosts: Network, tmp_path: Path) -> None:
    script = LOOK.replace("ELSEWHERE", repr(str(tmp_path)))
    running = container(hosts, "one", tmp_path, "-c", script).start(tmp_path / "it.log")
    assert running.process.wait(30) == 0, running.tail()
    assert running.tail().splitlines() == [
        "user 10001 rights 0",
        "name one-it processes 2",
        "/ Read-only file system",
        "/data written",
        "/given Read-only file system",
        "elsewhere False",
    ]
    assert (tmp_path / "data" / "x").read_text() == "x"


def reaches(hosts: Network, host: str, port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://{hosts.addresses[host]}:{port}/", timeout=1):
            return True
    except OSError:
        return False


def waits_until(hosts: Network, reached: bool, port: int) -> bool:
    end = time.monotonic() + 20
    while reaches(hosts, "two", port) != reached and time.monotonic() < end:
        time.sleep(0.1)
    return reaches(hosts, "two", port) == reached


def test_a_host_that_is_cut_off_is_not_reached_until_it_comes_back(
    hosts: Network, tmp_path: Path
) -> None:
    served = container(hosts, "two", tmp_path, "-m", "http.server", "8000")
    running = served.start(tmp_path / "served.log")
    try:
        assert waits_until(hosts, True, 8000), running.tail()
        hosts.cut_off("two")
        assert waits_until(hosts, False, 8000)
        hosts.bring_back("two")
        assert waits_until(hosts, True, 8000)
    finally:
        running.kill()
    assert waits_until(hosts, False, 8000), "a container that was killed ends with all it started"
