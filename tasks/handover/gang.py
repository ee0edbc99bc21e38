"""Several workers that train one stage together: they find one another through the store.

Host 0 runs the stage as any worker does, and owns its record and its outputs. It leaves in the
run's folder where it can be met; the others, `nightshift stage NAME --run ID --host N`, wait for
that, bring the same inputs to their own scratch folders, and run the stage's command beside it.
They follow host 0 from one attempt to the next, so that a retry there needs none here, and end as
the stage ends.
"""

from __future__ import annotations

import os
import shlex
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from tasks.handover.dvc import Say, run_child
from tasks.handover.environment import check_environment
from tasks.handover.run import Record, Run
from tasks.handover.workspace import Workspace, logged, workspace
from tasks.params.base import PARAMS, read
from tasks.stage.errors import BadInput, StageError, Unavailable, reported
from tasks.stage.outputs import read_json
from tasks.store.store import read_record, to_json
from tasks.training.hosts import HOST, RENDEZVOUS

ADDRESS = "NIGHTSHIFT_ADDRESS"
"""This machine's address as the other hosts see it; by default that on the way to the store."""
SECONDS_TO_GATHER = 1800
"""How long a host waits for host 0: longer than Airflow waits before a retry (15 minutes)."""
SECONDS_BETWEEN_LOOKS = 2.0
NOWHERE = ("192.0.2.1", 9)
"""An address that no machine has (RFC 5737): asking for the way there gives the default route."""


@dataclass(frozen=True)
class Gathering:
    """An attempt of host 0 at a stage, and where it listens."""

    token: str
    endpoint: str


def hosts_of(place: Workspace, stage: str) -> int:
    """How many machines a stage wants, by the run's parameters."""
    section = read(place.folder / PARAMS).get(stage)
    return int(section.get("hosts", 1)) if isinstance(section, Mapping) else 1


@contextmanager
def called_together(place: Workspace, mine: Record) -> Iterator[dict[str, str]]:
    """Host 0's part: the stage's environment, while the others are told where to come.

    For a stage of one host, or where a person has said where to meet, nothing is told.
    """
    if hosts_of(place, mine.stage) == 1:
        yield {}
        return
    endpoint = os.environ.get(RENDEZVOUS) or f"{own_address()}:{_free_port()}"
    told = to_json({"token": mine.token, "endpoint": endpoint})
    place.run.store.write(_key(place.run, mine.stage), told)
    place.say(f"{mine.stage}: the other hosts are told to come to {endpoint}")
    yield {RENDEZVOUS: endpoint, HOST: "0"}


def attend(run: Run, stage: str, host: int, say: Say) -> int:
    """Another host's part: train beside host 0 until the stage is over; attempts it took part in.

    None where the run has no such host, or the stage came through before.
    Raises the StageError that the stage ended with where no retry can mend that, and Unavailable
    when host 0 is not heard of for half an hour.
    """
    attempts, token = 0, None
    with workspace(run, f"{stage}-host{host}", say) as place:
        hosts = hosts_of(place, stage)
        if host >= hosts:
            say(f"{stage}.hosts of run {run.name} is {hosts}: there is no host {host} to be")
            return 0
        check_environment(place.folder)
        while (met := _next(run, stage, token)) is not None:
            attempts, token = attempts + 1, met.token
            with logged(place, f"{stage}-host{host}-{attempts}") as loud:
                _take_part(replace(place, say=loud), stage, host, met)
    return attempts


def own_address() -> str:
    """This machine's address: `NIGHTSHIFT_ADDRESS`, or the one that the system sends from.

    Raises BadInput when that is a loopback address, at which no other host arrives.
    """
    if given := os.environ.get(ADDRESS):
        return given
    url = urlsplit(os.environ.get("AWS_ENDPOINT_URL_S3") or "")
    target = (url.hostname, url.port or 443) if url.hostname else NOWHERE
    try:
        kind, _, _, _, place = socket.getaddrinfo(*target, type=socket.SOCK_DGRAM)[0]
        with socket.socket(kind, socket.SOCK_DGRAM) as probe:  # sends nothing: it asks the routes
            probe.connect(place)
            found = str(probe.getsockname()[0])
    except OSError as error:
        raise BadInput(f"no way out of this machine ({error}): set {ADDRESS} to its address") from (
            None
        )
    if found.startswith("127.") or found == "::1":
        raise BadInput(f"the store is on this machine alone: set {ADDRESS} to its address")
    return found


def _free_port() -> int:
    """One that nobody listens on now, on any of this machine's addresses."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


def _next(run: Run, stage: str, token: str | None) -> Gathering | None:
    """The next attempt of host 0 after that of `token`; None when the stage has come through."""
    end = time.monotonic() + SECONDS_TO_GATHER
    while time.monotonic() < end:
        record = run.record(stage)
        if record and record.status == "running" and record.token != token:
            found = read_record(run.store, _key(run, stage))
            if found and found["token"] == record.token:
                return Gathering(**found)
        elif record and record.status == "ok":
            return None
        elif record and record.status != "running" and not record.retryable:
            reason = f"{stage} ended on host 0: {record.reason}"
            raise reported(record.status, record.retryable, reason)
        time.sleep(SECONDS_BETWEEN_LOOKS)
    raise Unavailable(
        f"host 0 of {stage} in run {run.name} was not heard of for {SECONDS_TO_GATHER // 60} "
        "minutes: it needs a worker, too"
    )


def _take_part(place: Workspace, stage: str, host: int, met: Gathering) -> None:
    """Run the stage's command beside host 0's; its failure is host 0's too, which decides."""
    entries = place.run.lock(place.graph.before(stage))
    place.write_lock(entries)
    place.pull(place.graph.inputs(stage), entries)
    place.say(f"{stage}: host {host} goes to {met.endpoint}")
    command = shlex.split(place.graph.stage(stage).command)
    variables = {RENDEZVOUS: met.endpoint, HOST: str(host)}
    over = threading.Event()
    watcher = threading.Thread(target=_await_end, args=(place.run, stage, met, over), daemon=True)
    watcher.start()
    try:
        code = run_child(command, place.folder, place.run.store.url, place.say, variables, over)
    finally:
        over.set()
        watcher.join()
    report = _report(place, stage)
    if code and report and not report["retryable"]:
        raise BadInput(str(report["reason"]))


def _await_end(run: Run, stage: str, met: Gathering, over: threading.Event) -> None:
    """Set `over` when host 0 has ended this attempt or begun another one: nobody is there."""
    while not over.wait(SECONDS_BETWEEN_LOOKS):
        try:
            record = run.record(stage)
        except StageError:
            continue  # the store is away; host 0 may well be there
        if record is None or record.token != met.token or record.status != "running":
            over.set()


def _report(place: Workspace, stage: str) -> dict[str, Any] | None:
    path = place.folder / "reports" / f"{stage}.json"
    try:
        found: dict[str, Any] = read_json(path)
    except (OSError, ValueError):
        return None
    return found


def _key(run: Run, stage: str) -> str:
    return run.key(f"gang/{stage}.json")
