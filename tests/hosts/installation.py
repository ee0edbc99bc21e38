"""A whole installation on three hosts: A has what there is one of, B and C have the workers."""

from __future__ import annotations

import configparser
import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from infra.airflow.rest import Rest
from infra.airflow.settings import USER
from infra.compose.secrets import BUCKET, PREFIX, write_secrets
from tasks.handover.names import run_slug
from tasks.handover.run import Record
from tasks.sources.package import cache_folder
from tasks.sources.samples import sample_folder
from tests.hosts.container import Running
from tests.hosts.network import Network, network
from tests.hosts.services import FIRST_HOST, Host

DAG = "dags/nightly_retraining"
NOT_AIRFLOW = ("postgres", "redis", "s3")
AIRFLOW = ("api-server", "scheduler", "dag-processor", "triggerer")
WATCHING = ("nightshift-exporter", "prometheus")
SECONDS_TO_START = 300
SECONDS_BETWEEN_LOOKS = 2.0
MOST_RESTARTS = 10
"""Of one service; every service that runs on has `restart: unless-stopped`."""
ON_PURPOSE = {
    "scheduler": {"AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60"},
    "worker-train": {"AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS": "1000"},
}
"""The scheduler gives a task up within a minute, and a worker that is cut off its own never: so
that it is still at it when it comes back, which the Compose file's figures prevent."""


class Installation:
    """Hosts, what runs on them, and an operator's two ways in: Airflow's REST and the store."""

    def __init__(self, folder: Path, project: Path, net: Network) -> None:
        self.net, self._folder = net, folder
        secrets = folder / "secrets"
        write_secrets(secrets)
        self.running: dict[tuple[str, str], Running] = {}
        self.restarts: Counter[str] = Counter()
        self.hosts = {name: self._host(name, project, secrets) for name in net.addresses}
        address = net.addresses[FIRST_HOST]
        password = (secrets / "airflow_password").read_text(encoding="utf-8")
        self.rest = Rest(f"http://{address}:8080", USER, password)
        keys = configparser.ConfigParser()
        keys.read(secrets / "s3_reader")
        reader = keys["default"]
        self.s3: Any = boto3.Session().client(
            "s3",
            endpoint_url=f"http://{address}:8333",
            region_name="us-east-1",
            aws_access_key_id=reader["aws_access_key_id"],
            aws_secret_access_key=reader["aws_secret_access_key"],
        )

    def start(self, host: str, service: str) -> Running:
        """Start a service of the Compose file on a host."""
        self.running[host, service] = self._begin(host, service)
        return self.running[host, service]

    def start_first_host(self) -> None:
        """All of A, in the order in which Compose starts it."""
        for service in NOT_AIRFLOW:
            self.start(FIRST_HOST, service)
        self._wait_for_first_start()
        for service in (*AIRFLOW, *WATCHING):
            self.start(FIRST_HOST, service)
        self.wait(self._is_ready, SECONDS_TO_START, "Airflow is ready")

    def restart(self, service: str) -> None:
        """Stop a service of A and start it again, its data kept."""
        self.running[FIRST_HOST, service].stop()
        self.start(FIRST_HOST, service)

    def kill(self, host: str) -> None:
        """The power of a host goes: all that runs there is gone at once."""
        for place, each in self.running.items():
            if place[0] == host:
                each.kill()

    def stop(self) -> None:
        """End everything."""
        for each in reversed(list(self.running.values())):
            each.stop()

    def wait(self, happened: Callable[[], Any], seconds: float, what: str) -> Any:
        """What `happened` returns when that is something; raises TimeoutError, naming `what`."""
        end = time.monotonic() + seconds
        while not (found := happened()):
            if time.monotonic() > end:
                raise TimeoutError(f"not within {seconds:.0f} s: {what}; logs: {self._folder}")
            self._check_alive()
            time.sleep(SECONDS_BETWEEN_LOOKS)
        return found

    def trigger(self, run: str, conf: Mapping[str, Any]) -> None:
        """Start a run of the DAG."""
        body = {"logical_date": None, "dag_run_id": run, "conf": dict(conf)}
        answer = self.rest.post(f"{DAG}/dagRuns", body)
        if not answer.ok:
            raise RuntimeError(f"the run was not taken: {answer}")

    def state(self, run: str) -> str | None:
        """The run's state in Airflow's words; None while nobody answers."""
        found = self.rest.get(f"{DAG}/dagRuns/{run}")
        return str(found.content["state"]) if found.ok else None

    def task(self, run: str, task: str) -> dict[str, Any]:
        """A task's own page; empty while nobody answers."""
        found = self.rest.get(f"{DAG}/dagRuns/{run}/taskInstances/{task}")
        return dict(found.content) if found.ok else {}

    def places(self, run: str) -> dict[str, str]:
        """By task, the container that ran it last."""
        found = self.rest.get(f"{DAG}/dagRuns/{run}/taskInstances").content["task_instances"]
        return {each["task_id"]: each["hostname"] or "" for each in found}

    def log(self, run: str, task: str, attempt: int = 1) -> str:
        """What Airflow's page shows of an attempt, wherever it ran."""
        where = f"{DAG}/dagRuns/{run}/taskInstances/{task}/logs/{attempt}"
        return json.dumps(self.rest.get(where).content)

    def record(self, run: str, stage: str) -> Record | None:
        """What the store's record says of a stage; None while there is none to be had."""
        found = self.read(f"runs/{run_slug(run)}/stages/{stage}.json")
        return None if found is None else Record(**json.loads(found))

    def read(self, key: str) -> str | None:
        """An object of the store."""
        try:
            found = self.s3.get_object(Bucket=BUCKET, Key=f"{PREFIX}/{key}")["Body"].read()
        except (ClientError, BotoCoreError):
            return None
        return str(found.decode())

    def keys(self, below: str) -> list[str]:
        """The keys below a prefix."""
        found = self.s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{PREFIX}/{below}")
        return [each["Key"].removeprefix(f"{PREFIX}/") for each in found.get("Contents", [])]

    def _begin(self, host: str, service: str) -> Running:
        container = self.hosts[host].container(service, **ON_PURPOSE.get(service, {}))
        log = self._folder / host / "output" / f"{service}.log"
        log.parent.mkdir(exist_ok=True)
        return container.start(log)

    def measured(self, query: str) -> dict[str, float]:
        """What Prometheus answers, by the labels of each series."""
        where = f"http://{self.net.addresses[FIRST_HOST]}:9090/api/v1/query?"
        with urlopen(where + urlencode({"query": query}), timeout=10) as answer:
            found = json.loads(answer.read())["data"]["result"]
        return {json.dumps(each["metric"]): float(each["value"][1]) for each in found}

    def _host(self, name: str, project: Path, secrets: Path) -> Host:
        folder = self._folder / name
        folder.mkdir()
        shutil.copytree(
            project, folder / "project", ignore=shutil.ignore_patterns(".git", ".nightshift")
        )
        for path in (folder / "project").rglob("*"):
            path.chmod(path.stat().st_mode | 0o444)  # whoever is the user of the image
        return Host(name, self.net.namespace(name), folder, secrets, self.net.addresses)

    def _wait_for_first_start(self) -> None:
        """Compose starts it when PostgreSQL and S3 are healthy; it fails and is repeated here."""
        end = time.monotonic() + SECONDS_TO_START
        while (once := self._begin(FIRST_HOST, "first-start")).process.wait():
            self._check_alive()
            if time.monotonic() > end:
                raise TimeoutError(f"the first start failed:\n{once.tail()}")
            time.sleep(SECONDS_BETWEEN_LOOKS)

    def _is_ready(self) -> bool:
        return self.rest.is_healthy() and self.rest.get(DAG).ok

    def _check_alive(self) -> None:
        """Start again what has ended by itself, as an engine does where the Compose file says
        `restart: unless-stopped`; raises RuntimeError for what can't stay up."""
        for (host, service), each in [*self.running.items()]:
            code = each.process.poll()
            if code is None or code < 0:
                continue
            self.restarts[service] += 1
            if self.restarts[service] > MOST_RESTARTS:
                raise RuntimeError(f"{host}/{service} ended with exit code {code}:\n{each.tail()}")
            print(f"{host}/{service} ended with exit code {code}: started again", flush=True)
            self.start(host, service)


@contextmanager
def installation(folder: Path, project: Path) -> Iterator[Installation]:
    """Three hosts in `folder`, each with its copy of `project`; A is at work, B and C are bare."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with network(FIRST_HOST, "b", "c") as net:
        made = Installation(folder, project, net)
        try:
            made.start_first_host()
            yield made
        finally:
            made.stop()


def bring_samples(host: Host) -> None:
    """Fill the caches of a host's workers, since its network leads to no package registry."""
    for sample in ("reviews", "minilm"):
        sample_folder(sample)
    for name in ("cache-cpu", "cache-train"):
        target = host.volume(name)
        shutil.copytree(cache_folder() / "samples", target / "samples", symlinks=True)
        for path in (target, *target.rglob("*")):
            shutil.chown(path, 10001, 0)
