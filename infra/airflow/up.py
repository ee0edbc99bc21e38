"""A real Airflow on this machine: `make airflow`, or `python -m infra.airflow.up`.

Scheduler, DAG processor and server as children of this process, on the loopback interface, with
their own folder in the checkout. Ctrl-C stops all of it; a task that runs then is ended too, and
the next start takes it up again.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from infra.airflow.rest import Rest
from infra.airflow.settings import HOME, PORT, ROOT, USER, environment, password
from tasks.handover.models import models
from tasks.stage.tree import Tree

DAG_ID = "nightly_retraining"
COMPONENTS = {
    "server": ["api-server"],
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "dag-processor": ["dag-processor"],
}
SECONDS_TO_START = 180
SECONDS_A_DAG = 0.5
"""More, where there are several models."""
SECONDS_TO_STOP = 5
SECONDS_BETWEEN_LOOKS = 0.5
READY = """
  Airflow is ready

    page        {url}/dags/{dag}
    user        {user}
    password    {password}

    run it now  the button Trigger on that page: the form shows every knob; or, from a shell,
                see "Every night, in Airflow" in the README
    otherwise   it runs at 02:00 UTC every night (the DAG is on; the first run is the coming
                night's), and when the asset nightshift://data is updated
    store       {store}
    logs        {home}/logs
    stop        Ctrl-C here
"""


class Failed(Exception):
    """It could not start or did not stay up; the text says why and what to do."""


def main() -> int:
    """Start it, wait for a signal, stop it; the exit code is 0 unless something broke."""
    arguments = _arguments()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        with airflow(arguments.home, arguments.port) as processes:
            _watch(processes, arguments.home)
    except KeyboardInterrupt:
        print("stopped", flush=True)
        return 0
    except Failed as error:
        print(f"airflow: {error}", file=sys.stderr)
        return 1
    return 0


@contextmanager
def airflow(home: Path, port: int) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """A running Airflow with the DAG loaded, by component; ended at the end, with all it started.

    Raises Failed when the port is taken, another one runs in `home`, or a component gives up.
    """
    home = home.resolve()
    with ExitStack() as stack:
        stack.enter_context(_alone(home))
        _check_port(port)
        variables = environment(home, port, os.environ)
        secret = password(home)
        _say("preparing the database")
        _prepare_database(variables, home)
        _say(f"starting {', '.join(COMPONENTS)}: half a minute")
        processes: dict[str, subprocess.Popen[bytes]] = {}
        for name, command in COMPONENTS.items():
            processes[name] = _start(command, variables, home / "logs" / f"{name}.log")
            stack.callback(_stop, processes[name])
        url = f"http://127.0.0.1:{port}"
        _wait_until_ready(processes, Rest(url, USER, secret), home)
        store = variables["NIGHTSHIFT_STORE"]
        dag = ids[0] if len(ids := _dag_ids()) == 1 else ""
        values = {"url": url, "dag": dag, "user": USER, "password": secret}
        print(READY.format(**values, store=store, home=home), flush=True)
        yield processes


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m infra.airflow.up",
        description="Start Airflow on this machine, on 127.0.0.1; Ctrl-C stops it.",
        epilog="AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=postgresql+psycopg2://… takes PostgreSQL in "
        "place of SQLite; NIGHTSHIFT_STORE=s3://bucket/prefix a bucket in place of a folder. Any "
        "other AIRFLOW__… variable holds too.",
    )
    parser.add_argument("--port", type=int, default=PORT, help="of the page (%(default)s)")
    parser.add_argument(
        "--home",
        type=Path,
        default=HOME,
        help="folder of its database, logs, secrets (default: .nightshift/airflow)",
    )
    return parser.parse_args()


def _prepare_database(variables: Mapping[str, str], home: Path) -> None:
    log = home / "logs" / "database.log"
    process = _start(["database"], variables, log)
    try:
        code = process.wait()
    finally:
        _stop(process)
    if code:
        raise Failed(f"the database could not be prepared:\n{_tail(log)}")


def _start(command: list[str], variables: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "wb") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "infra.airflow.component", *command],
            cwd=ROOT,
            env=dict(variables),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches this process, which ends them in order
        )


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        Tree(process.pid).end(SECONDS_TO_STOP)
        process.wait()


def _wait_until_ready(
    processes: Mapping[str, subprocess.Popen[bytes]], rest: Rest, home: Path
) -> None:
    """The page answers and the DAGs are loaded; raises Failed, also when their file is broken."""
    wanted = len(_dag_ids())
    patience = SECONDS_TO_START + SECONDS_A_DAG * wanted
    end = time.monotonic() + patience
    while time.monotonic() < end:
        _check_alive(processes, home)
        if rest.is_healthy():
            broken = rest.get("importErrors")
            if broken.ok and broken.content["import_errors"]:
                trace = broken.content["import_errors"][0]["stack_trace"]
                raise Failed(f"the DAG is broken:\n{trace[-2000:]}")
            known = rest.get(f"dags?dag_id_pattern={DAG_ID}&limit=1")
            if known.ok and known.content["total_entries"] >= wanted:
                return
        time.sleep(SECONDS_BETWEEN_LOOKS)
    raise Failed(f"not ready after {patience:.0f} s; its logs are in {home / 'logs'}")


def _dag_ids() -> list[str]:
    """A night's DAG of every model."""
    return [model.dag_id(DAG_ID) for model in models(ROOT)]


def _watch(processes: Mapping[str, subprocess.Popen[bytes]], home: Path) -> None:
    while True:
        time.sleep(SECONDS_BETWEEN_LOOKS)
        _check_alive(processes, home)


def _check_alive(processes: Mapping[str, subprocess.Popen[bytes]], home: Path) -> None:
    for name, process in processes.items():
        if process.poll() is not None:
            log = home / "logs" / f"{name}.log"
            raise Failed(f"{name} ended with exit code {process.returncode}:\n{_tail(log)}")


def _tail(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-2000:]


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """One Airflow a folder; the kernel gives the lock back when its holder dies."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(home / "lock", "a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Failed(f"another one runs with {home}: stop it, or give another --home") from None
        yield


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise Failed(f"port {port}: {error.strerror}; give another with --port") from None


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _say(text: str) -> None:
    print(f"airflow: {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
