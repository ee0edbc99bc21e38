"""Two hosts: network namespaces with addresses of their own, and folders of their own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from tasks.stage.errors import BadInput, Unavailable
from tasks.training import ranks
from tasks.training.hosts import Meeting, interface_to, meeting, owns_outputs
from tests.made import environment
from tests.training.made import PLAN, SMALL_STAGE, approve
from tests.waiting import wait_for, working_below

ADDRESSES = ("10.213.7.1", "10.213.7.2")
PORT = 29517
STEPS_AN_EPOCH = 32


def test_a_host_is_told_where_to_meet_and_which_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSHIFT_RENDEZVOUS", "trainer-0.internal:29500")
    monkeypatch.setenv("NIGHTSHIFT_HOST", "1")
    assert meeting(2) == Meeting("trainer-0.internal", 29500, 1)
    assert not owns_outputs(2)
    assert owns_outputs(1), "a single host needs no number"


@pytest.mark.parametrize(
    ("place", "number", "message"),
    [
        ("", "0", "NIGHTSHIFT_RENDEZVOUS is '': set it to ADDRESS:PORT"),
        ("trainer-0", "0", "NIGHTSHIFT_RENDEZVOUS is 'trainer-0': set it"),
        ("trainer-0:29500", "", "NIGHTSHIFT_HOST is '': set it to this host's number, 0 to 1"),
        ("trainer-0:29500", "2", "NIGHTSHIFT_HOST is '2': set it"),
    ],
)
def test_what_is_missing_to_meet_is_said(
    monkeypatch: pytest.MonkeyPatch, place: str, number: str, message: str
) -> None:
    monkeypatch.setenv("NIGHTSHIFT_RENDEZVOUS", place)
    monkeypatch.setenv("NIGHTSHIFT_HOST", number)
    with pytest.raises(BadInput) as caught:
        meeting(2)
    assert message in str(caught.value)


def test_the_interface_is_the_one_on_the_way() -> None:
    assert interface_to(Meeting("127.0.0.1", PORT, 1)) == "lo"


@pytest.mark.parametrize("number", ["0", "1"])
def test_a_host_that_nobody_meets_says_so_and_may_try_again(
    monkeypatch: pytest.MonkeyPatch, number: str
) -> None:
    monkeypatch.setattr(ranks, "SECONDS_TO_MEET", 2)
    monkeypatch.setenv("NIGHTSHIFT_RENDEZVOUS", f"127.0.0.1:{PORT}")
    monkeypatch.setenv("NIGHTSHIFT_HOST", number)
    with pytest.raises(Unavailable, match="the hosts did not meet, or lost one another"):
        ranks.launch(replace(PLAN, hosts=2), print)


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


@pytest.fixture
def namespaces() -> Iterator[tuple[str, str]]:
    """Two hosts with a cable between them."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("network namespaces need root and iproute2")
    names = (f"night-{os.getpid()}-0", f"night-{os.getpid()}-1")
    made: list[str] = []
    try:
        try:
            for name in names:
                ip("netns", "add", name)
                made.append(name)
            ip(
                "-n",
                names[0],
                "link",
                "add",
                "eth0",
                "type",
                "veth",
                "peer",
                "eth0",
                "netns",
                names[1],
            )
        except subprocess.CalledProcessError as error:
            pytest.skip(f"the kernel refuses network namespaces: {error.stderr.strip()}")
        for name, address in zip(names, ADDRESSES, strict=True):
            ip("-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
            for device in ("eth0", "lo"):
                ip("-n", name, "link", "set", device, "up")
        yield names
    finally:
        for name in made:
            ip("netns", "del", name)


@pytest.fixture
def folders(tmp_path: Path, tiny_model: Path) -> list[Path]:
    """Each host's own copy of the project's parameters and approved data."""
    found = [tmp_path / "host0", tmp_path / "host1"]
    for folder in found:
        folder.mkdir()
        approve(folder, tiny_model)
        finetune = {**SMALL_STAGE, "batch": 8, "epochs": 4, "patience": 99, "hosts": 2}
        (folder / "params.yaml").write_text(yaml.safe_dump({"finetune": finetune}))
    return found


def start(namespaces: tuple[str, str], folders: list[Path]) -> list[subprocess.Popen[bytes]]:
    hosts = []
    for number, (name, folder) in enumerate(zip(namespaces, folders, strict=True)):
        variables = environment(
            NIGHTSHIFT_RENDEZVOUS=f"{ADDRESSES[0]}:{PORT}", NIGHTSHIFT_HOST=str(number)
        )
        command = ["ip", "netns", "exec", name, sys.executable, "-m", "tasks.finetune"]
        with open(folder / "log", "wb") as log:
            hosts.append(
                subprocess.Popen(command, cwd=folder, env=variables, stdout=log, stderr=log)
            )
    return hosts


def end(hosts: list[subprocess.Popen[bytes]], seconds: float = 120) -> list[int]:
    return [host.wait(seconds) for host in hosts]


def report(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "reports/finetune.json").read_text())
    return found


def wait_for_a_checkpoint(folder: Path, seconds: float = 120) -> None:
    limit = time.monotonic() + seconds
    while not list(folder.glob(".nightshift/checkpoints/finetune-*/state.pt")):
        assert time.monotonic() < limit, (folder / "log").read_text()[-3000:]
        time.sleep(0.005)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_host_killed_in_epoch_two_ends_the_job_and_started_again_it_ends_as_undisturbed(
    namespaces: tuple[str, str], folders: list[Path], tmp_path: Path
) -> None:
    assert end(start(namespaces, folders)) == [0, 0], (folders[0] / "log").read_text()[-3000:]
    undisturbed = report(folders[0])
    model = (folders[0] / "models/finetuned/model.safetensors").read_bytes()
    assert not (folders[1] / "models/finetuned").exists(), "host 0 owns the outputs"
    shutil.rmtree(folders[0] / "models/finetuned")

    hosts = start(namespaces, folders)
    wait_for_a_checkpoint(folders[0])
    victim = psutil.Process(hosts[1].pid)
    for process in [*victim.children(recursive=True), victim]:
        os.kill(process.pid, signal.SIGKILL)
    assert end(hosts)[0] == 1
    log = (folders[0] / "log").read_text()
    assert "epoch 1.0" in log
    assert "epoch 2.0" not in log, "it was killed in epoch 2"
    assert report(folders[0])["retryable"] is True
    assert "lost the connection to another rank" in report(folders[0])["reason"]
    assert not (folders[0] / "models/finetuned").exists()
    wait_for(lambda: not any(working_below(folder) for folder in folders), 10)

    assert end(start(namespaces, folders)) == [0, 0], (folders[0] / "log").read_text()[-3000:]
    assert f"going on from step {STEPS_AN_EPOCH} of" in (folders[0] / "log").read_text()
    resumed = report(folders[0])
    assert resumed["metrics"] == undisturbed["metrics"]
    assert resumed["losses"] == undisturbed["losses"]
    assert (folders[0] / "models/finetuned/model.safetensors").read_bytes() == model


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_hosts_with_different_data_do_not_train_together(
    namespaces: tuple[str, str], folders: list[Path]
) -> None:
    params = yaml.safe_load((folders[1] / "params.yaml").read_text())
    params["finetune"]["seed"] = 5
    (folders[1] / "params.yaml").write_text(yaml.safe_dump(params))
    assert end(start(namespaces, folders)) == [1, 1]
    for folder in folders:
        assert (
            "the hosts differ in the data, the base model or the parameters"
            in (report(folder)["reason"])
        )
