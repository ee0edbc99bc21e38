"""The Compose file is valid, gives away nothing, and says what the table of resources says."""

from __future__ import annotations

import copy
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.airflow.options import unknown
from infra.compose.check import FILE, OVER, problems, read
from infra.compose.secrets import write_secrets
from tasks.handover.resources import read_table
from tests.made import ROOT

Change = Callable[[Any], Any]
CONTENT: Any = read()
SERVICES: dict[str, Any] = CONTENT["services"]
WORKERS = {
    "cpu": "worker-cpu",
    "publish": "worker-publish",
    "housekeeping": "worker-housekeeping",
    "train": "worker-train",
}
KILL_GRACE = 15
"""Seconds that a supervisor gives a task between its signals."""


def by_the_specification(path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    return subprocess.run([*command, str(path)], capture_output=True, text=True, check=False)


FIRST_HOST: Any = read(FILE, FILE.with_name("first-host.yaml"))
WORKER_HOST: Any = read(FILE, FILE.with_name("worker-host.yaml"))


@pytest.mark.parametrize("over", [(), *((name,) for name in OVER)])
def test_it_is_valid_by_the_specification(over: tuple[str, ...], tmp_path: Path) -> None:
    merged = tmp_path / "compose.yaml"
    merged.write_text(yaml.safe_dump(read(FILE, *map(FILE.with_name, over))))
    done = by_the_specification(merged)
    assert done.returncode == 0, done.stdout


def test_the_specification_refuses_a_service_with_a_misspelt_key(tmp_path: Path) -> None:
    broken = tmp_path / "compose.yaml"
    broken.write_text(FILE.read_text().replace("    stop_grace", "    stop_grase").replace(
        "  stop_grace_period", "  stop_grase_period"))  # fmt: skip
    done = by_the_specification(broken)
    assert done.returncode == 1
    assert "stop_grase_period" in done.stdout


@pytest.mark.parametrize("over", [(), *((name,) for name in OVER)])
def test_it_has_no_problem(over: tuple[str, ...]) -> None:
    assert problems(read(FILE, *map(FILE.with_name, over))) == []


def test_a_worker_host_changes_all_workers_and_they_find_what_they_ask_for() -> None:
    services = {name: each for name, each in WORKER_HOST["services"].items() if "worker" in name}
    assert set(services) == {name for name in SERVICES if name.startswith("worker-")}
    settings = str([each["environment"] for each in services.values()])
    asked = {name for name in SERVICES if re.search(rf"//{name}:|'{name}'", settings)}
    asked |= {"redis"}  # in the secret file broker_url
    for name, service in services.items():
        known = {str(each).partition(":")[0] for each in service["extra_hosts"]}
        assert known == asked, name
        assert service["network_mode"] == "host"
        assert not {"networks", "depends_on"} & set(service), "neither is there on that machine"
        assert service["hostname"].endswith(f"-{name}")


def test_the_first_host_opens_what_worker_hosts_ask_for_and_nothing_else() -> None:
    services = FIRST_HOST["services"]
    (known,) = {tuple(each["extra_hosts"]) for each in WORKER_HOST["services"].values()
                if "extra_hosts" in each}  # fmt: skip
    opened = {
        name for name, service in services.items()
        if any("NIGHTSHIFT_FIRST_HOST" in str(port) for port in service.get("ports", []))
    }  # fmt: skip
    assert opened == {str(each).partition(":")[0] for each in known}
    for name in opened:
        reached = [each for each in services[name]["networks"] if not (
            (FIRST_HOST["networks"][each] or {}).get("internal"))]  # fmt: skip
        assert reached, f"{name}: Compose opens no port of a service in internal networks alone"
    assert "6379" in services["redis"]["ports"][-1]


def unpinned(services: Any) -> None:
    services["redis"]["image"] = "${REDIS_IMAGE:-redis}"


def latest(services: Any) -> None:
    services["grafana"]["image"] = "grafana/grafana:latest"


def unset(services: Any) -> None:
    services["s3"]["image"] = "nightshift-stage:${NIGHTSHIFT_REVISION}"


def open_port(services: Any) -> None:
    services["api-server"]["ports"] = ["8080:8080"]


def any_address(services: Any) -> None:
    services["redis"]["ports"] = ["0.0.0.0:6379:6379"]


def unnamed_address(services: Any) -> None:
    services["redis"]["ports"] = ["${ANY:-0.0.0.0}:6379:6379"]


def password(services: Any) -> None:
    services["postgres"]["environment"]["POSTGRES_PASSWORD"] = "airflow"


def connection(services: Any) -> None:
    services["scheduler"]["environment"]["ANYTHING"] = "redis://:word@redis:6379/0"


def writable(services: Any) -> None:
    services["worker-cpu"]["read_only"] = False


def capable(services: Any) -> None:
    services["worker-train"]["cap_add"] = ["SYS_ADMIN"]


def privileged(services: Any) -> None:
    services["worker-train"]["security_opt"] = []


def unlimited(services: Any) -> None:
    del services["worker-train"]["deploy"]["resources"]["limits"]["memory"]


def undeclared_secret(services: Any) -> None:
    services["worker-cpu"]["secrets"] = ["s3_worker", "s3_root"]


def undeclared_network(services: Any) -> None:
    services["worker-cpu"]["networks"] = ["broker", "wide"]


def undeclared_volume(services: Any) -> None:
    services["worker-cpu"]["volumes"] = ["data:/data"]


def unused_volume(services: Any) -> None:
    services["grafana"]["volumes"] = []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (unpinned, "services.redis.image: ${REDIS_IMAGE:-redis} is not pinned"),
        (latest, "services.grafana.image: grafana/grafana:latest is not pinned"),
        (unset, "services.s3.image: nightshift-stage:${NIGHTSHIFT_REVISION} is not pinned"),
        (open_port, "services.api-server.ports: 8080:8080 is open to the network"),
        (any_address, "services.redis.ports: 0.0.0.0:6379:6379 is open to the network"),
        (unnamed_address, "services.redis.ports: ${ANY:-0.0.0.0}:6379:6379 is open to the"),
        (password, "services.postgres.environment.POSTGRES_PASSWORD: may be a secret"),
        (connection, "services.scheduler.environment.ANYTHING: holds credentials"),
        (writable, "services.worker-cpu.read_only: must be true"),
        (capable, "services.worker-train.cap_drop: must be [ALL]"),
        (privileged, "services.worker-train.security_opt: no-new-privileges:true is missing"),
        (unlimited, "services.worker-train.deploy.resources.limits.memory: is missing"),
        (undeclared_secret, "secrets.s3_root: is used and not declared"),
        (undeclared_network, "networks.wide: is used and not declared"),
        (undeclared_volume, "volumes.data: is used and not declared"),
        (unused_volume, "volumes.grafana: is declared and not used"),
    ],
)
def test_what_is_broken_on_purpose_is_found(change: Change, told: str) -> None:
    broken = copy.deepcopy(CONTENT)
    change(broken["services"])
    assert any(problem.startswith(told) for problem in problems(broken))


def test_a_secret_that_is_no_file_is_found() -> None:
    broken = copy.deepcopy(CONTENT)
    broken["secrets"]["notify_url"] = {"environment": "NOTIFY"}
    assert problems(broken) == ["secrets.notify_url: takes a file, got environment"]


def test_every_secret_file_is_made_and_every_one_made_is_used_or_for_people(tmp_path: Path) -> None:
    named = {Path(secret["file"]).name for secret in CONTENT["secrets"].values()}
    assert named == set(write_secrets(tmp_path))


def variables() -> set[str]:
    """Every variable of Airflow's that a service sets."""
    named = {name for service in SERVICES.values() for name in service.get("environment", {})}
    return {name for name in named if name.startswith("AIRFLOW__")}


def test_airflow_knows_every_option_that_is_set() -> None:
    assert len(variables()) > 20
    assert unknown(variables()) == []


def test_an_option_that_airflow_does_not_know_is_found() -> None:
    misspelt = [
        "AIRFLOW__CELERY__WORKER_CONCURENCY",
        "AIRFLOW__CELERY__VISIBILITY_TIMEOUT",
        "AIRFLOW__API__PORT_CMD",
        "AIRFLOW_CORE_EXECUTOR",
    ]
    assert unknown(["AIRFLOW__CORE__EXECUTOR", *misspelt]) == misspelt


def test_each_queue_has_a_worker_as_large_as_its_largest_task() -> None:
    table = read_table(ROOT)
    assert set(WORKERS) == set(table.queues)
    for queue, name in WORKERS.items():
        worker = SERVICES[name]
        assert worker["command"][:5] == ["airflow", "celery", "worker", "--queues", queue]
        tasks = [t for dag in table.dags.values() for t in dag.values() if t.queue == queue]
        assert worker["deploy"]["resources"]["limits"] == {
            "cpus": str(max(task.cpu for task in tasks)),
            "memory": f"{max(task.memory for task in tasks)}g",
        }
        account = f"s3_{table.queues[queue].account}"
        assert [name for name in worker["secrets"] if name.startswith("s3_")] == [account]
        assert worker["environment"]["AWS_SHARED_CREDENTIALS_FILE"] == f"/run/secrets/{account}"


def number(option: str) -> float:
    """A setting that every service has."""
    return float(SERVICES["worker-train"]["environment"][f"AIRFLOW__{option}"])


def test_a_worker_that_is_cut_off_gives_up_before_its_task_is_given_to_another() -> None:
    tries, timeout = (
        number("WORKERS__EXECUTION_API_RETRIES"),
        number("WORKERS__EXECUTION_API_TIMEOUT"),
    )
    waits = sum(2**n for n in range(int(tries) - 1))  # the client's longest, doubled each time
    beat = max(number("WORKERS__MIN_HEARTBEAT_INTERVAL"), tries * timeout + waits)
    gives_up = number("WORKERS__MAX_FAILED_HEARTBEATS") * beat + KILL_GRACE
    assert gives_up < number("SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT")


def test_the_broker_hands_no_task_to_a_second_worker_while_the_first_may_have_it() -> None:
    table = read_table(ROOT)
    tasks = [task for dag in table.dags.values() for task in dag.values()]
    longest = max(task.time.total_seconds() for task in tasks)
    assert number("CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT") > longest
    training = [task.time.total_seconds() for task in tasks if task.queue == "train"]
    assert number("SCHEDULER__TASK_QUEUED_TIMEOUT") > max(training)
    assert number("CELERY__WORKER_CONCURRENCY") == 1


def test_workers_reach_neither_the_database_nor_the_keys_of_airflow() -> None:
    for name in WORKERS.values():
        worker = SERVICES[name]
        assert not {"database", "page"} & set(worker["networks"])
        assert not {s for s in worker["secrets"] if re.search("sql|key|jwt|administrator", s)}
    assert {name for name, s in SERVICES.items() if "database" in s["networks"]} == {
        "postgres", "first-start", "api-server", "scheduler", "dag-processor", "triggerer",
    }  # fmt: skip


def test_only_two_pages_can_be_reached_from_the_machine() -> None:
    assert {name for name, service in SERVICES.items() if "ports" in service} == {
        "api-server", "grafana",
    }  # fmt: skip
    leading_out = {name for name, net in CONTENT["networks"].items() if not net.get("internal")}
    assert leading_out == {"page", "outside"}


def mounted() -> list[Path]:
    """What the services take from the repository."""
    sources = [
        *(v.partition(":")[0] for s in SERVICES.values() for v in s.get("volumes", [])),
        *(file for service in SERVICES.values() for file in service.get("env_file", [])),
    ]
    return sorted({(FILE.parent / source).resolve() for source in sources if "/" in source})


@pytest.mark.skipif(
    not (ROOT / "infra" / "monitoring").is_dir(), reason="this branch has no infra/monitoring yet"
)
def test_every_file_that_is_mounted_is_there() -> None:
    assert mounted()
    assert [path for path in mounted() if not path.exists()] == []


def test_prometheus_finds_each_exporter_by_its_service() -> None:
    for path in sorted((FILE.parent / "targets").glob("*.yml")):
        for group in yaml.safe_load(path.read_text()):
            for target in group["targets"]:
                assert "metrics" in SERVICES[target.partition(":")[0]]["networks"]
