"""A TrainJob from end to end, on a server that speaks the API and runs the pods' commands.

No cluster has run it: what is here of Kubernetes is tests/kubeflow/cluster.py.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kubernetes import client

from infra.kubernetes.check import problems
from tasks.handover.resources import read_table
from tasks.kubeflow import cluster as api
from tasks.kubeflow import launch, logs
from tasks.kubeflow.trainjob import Host, name_of, outcome, train_job
from tasks.stage.errors import BadInput, StageError, Unavailable
from tests.dags.test_operators import Given, execute
from tests.kubeflow.cluster import NAMESPACE, TOKEN, Cluster
from tests.made import ROOT, environment
from tests.waiting import wait_for

IMAGE = """
import json, os, signal, sys, time
from pathlib import Path

def option(name):
    return sys.argv[sys.argv.index(name) + 1]

def leave(code, **found):
    Path(option("--result")).write_text(json.dumps(found))
    sys.exit(code)

def asked_to(number, frame):
    leave(130, status="failed", retryable=True, reason="it was interrupted")

signal.signal(signal.SIGTERM, asked_to)
does = Path(os.environ["DOES"] + option("--host"))
print("arguments", *sys.argv[1:], flush=True)
for step in range(3):
    print("step", step, flush=True)
while (now := does.read_text()) == "stay":
    time.sleep(0.02)
if now == "work":
    leave(0, status="ok", retryable=False, reason=None, ran=True, attempt=1)
if now == "refuse":
    leave(1, status="stopped", retryable=False, reason="rows.txt: row 7: no label")
if now == "lose":
    leave(75, status="failed", retryable=True, reason="lost the connection to another rank")
if now == "die":
    os.kill(os.getpid(), signal.SIGKILL)
print("nightshift: what is that?", flush=True)
sys.exit(1)
"""
"""What the quick tests' image has for `nightshift`: each host does what its file says."""
TABLE = read_table(ROOT)
ROW = TABLE.task("nightly_retraining", "finetune")
JOB = train_job("night-1", "finetune", 2, ROW, TABLE.queues[ROW.queue])
NAME = "finetune-night-1"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "SECONDS_BETWEEN_LOOKS", 0.05)
    monkeypatch.setattr(logs, "SECONDS_BETWEEN_TRIES", 0.05)
    monkeypatch.setattr(api, "SECONDS_BETWEEN_TRIES", 0.05)


class Hosts:
    """What each host is to do from now on."""

    def __init__(self, folder: Path) -> None:
        self.start = f"{folder}/host-"

    def do(self, *what: str) -> None:
        for index, each in enumerate(what):
            draft = Path(f"{self.start}{index}.new")
            draft.write_text(each)
            draft.rename(f"{self.start}{index}")  # at once: somebody may be reading


@pytest.fixture
def hosts(tmp_path: Path) -> Hosts:
    return Hosts(tmp_path)


@pytest.fixture
def cluster(tmp_path: Path, hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A cluster that this process may send TrainJobs to, as a launcher may."""
    image = tmp_path / "image"
    image.mkdir()
    (image / "nightshift").write_text(f"#!{sys.executable}\n{IMAGE}")
    (image / "nightshift").chmod(0o755)
    variables = environment(PATH=f"{image}{os.pathsep}{os.environ['PATH']}", DOES=hosts.start)
    with Cluster(tmp_path / "cluster", lambda _: variables) as made:
        monkeypatch.setenv("KUBECONFIG", str(made.kubeconfig()))
        monkeypatch.setattr(
            "kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(made.kubeconfig())
        )
        yield made


def train(said: list[str] | None = None, patience: float = 5) -> dict[str, Any]:
    say = (said if said is not None else []).append
    return launch.train(api.Cluster(NAMESPACE, say, patience), JOB, say)


def launcher() -> subprocess.Popen[str]:
    """The command as a process of its own."""
    command = [sys.executable, "-m", "tasks.cli", "trainjob", "finetune", "--run", "night-1"]
    return subprocess.Popen(
        [*command, "--hosts", "2"], cwd=ROOT, env=environment(), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def at_work(cluster: Cluster) -> list[int]:
    """The processes of all pods that run."""
    return [pod.process.pid for pod in cluster.pods.values() if pod.code is None]


# --- what is sent -------------------------------------------------------------------------------


def test_it_runs_the_command_that_trains_on_several_hosts_anywhere() -> None:
    assert problems(JOB) == []
    assert JOB["metadata"]["name"] == NAME
    trainer = JOB["spec"]["trainer"]
    assert trainer["numNodes"] == 2
    assert " ".join(trainer["command"]) == (
        "nightshift stage finetune --run night-1 --host $(JOB_COMPLETION_INDEX) "
        "--result /dev/termination-log"
    )
    assert trainer["resourcesPerNode"]["limits"] == {
        "cpu": "8", "memory": "32Gi", "ephemeral-storage": "50Gi",
    }  # fmt: skip
    gpus = train_job("n", "finetune", 2, ROW.model_copy(update={"gpu": 4}), TABLE.queues["train"])
    assert gpus["spec"]["trainer"]["resourcesPerNode"]["requests"]["nvidia.com/gpu"] == "4"


def test_what_the_api_does_not_know_is_found() -> None:
    broken = {**JOB, "spec": {**JOB["spec"], "hosts": 2}}
    assert problems(broken) == ["spec.hosts: the API knows no such key, or no such value"]
    broken = {**JOB, "spec": {**JOB["spec"], "trainer": {"numNodes": "two"}}}
    assert "numNodes: Input should be a valid integer" in problems(broken)[0]


def test_a_stage_of_a_run_has_one_name_that_the_cluster_takes() -> None:
    long = "manual-2026-01-31t02-00-00-000000-00-00-" + "x" * 60
    names = {name_of(long, "finetune"), name_of(long + "y", "finetune"), name_of(long, "prune")}
    assert len(names) == 3
    assert all(len(name) <= 40 and "--" not in name for name in names)
    assert name_of(long, "finetune") == name_of(long, "finetune")


# --- how it ends --------------------------------------------------------------------------------


def test_all_hosts_come_through_and_nothing_is_left(cluster: Cluster, hosts: Hosts) -> None:
    hosts.do("work", "work")
    said: list[str] = []
    found = train(said)
    assert (found["status"], found["ran"], found["attempt"]) == ("ok", True, 1)
    for host in (0, 1):
        told = [line for line in said if line.startswith(f"host {host}: ")]
        assert told[0].startswith(
            f"host {host}: arguments stage finetune --run night-1 --host {host}"
        )
        assert told[1:] == [f"host {host}: step {step}" for step in range(3)]
    wait_for(lambda: not cluster.jobs)
    assert cluster.pods == {}


@pytest.mark.parametrize(
    ("what", "kind", "reason"),
    [
        (("refuse", "stay"), BadInput, "rows.txt: row 7: no label"),
        (("stay", "refuse"), BadInput, "rows.txt: row 7: no label"),
        (("lose", "stay"), Unavailable, "lost the connection to another rank"),
        (("stay", "die"), Unavailable, "host 1: "),
        (("crash", "stay"), StageError, "host 0: nightshift: what is that?"),
    ],
)
def test_it_fails_of_what_a_host_failed_of(
    cluster: Cluster, hosts: Hosts, what: tuple[str, str], kind: type[StageError], reason: str
) -> None:
    hosts.do("stay", "stay")
    together = threading.Timer(0.5, lambda: hosts.do(*what))
    together.start()
    with pytest.raises(StageError) as caught:
        train()
    assert type(caught.value) is kind
    assert str(caught.value).startswith(reason)
    wait_for(lambda: not cluster.jobs)
    assert at_work(cluster) == []


def test_of_two_that_failed_the_one_that_no_retry_helps_decides() -> None:
    lost = Host(0, "exit code 75", 75, '{"retryable": true, "reason": "lost a rank"}')
    bad = Host(1, "exit code 1", 1, '{"status": "stopped", "retryable": false, "reason": "bad"}')
    failed = {"type": "Failed", "reason": "DeadlineExceeded", "message": "too long"}
    with pytest.raises(BadInput, match="bad"):
        outcome(failed, [lost, bad])
    with pytest.raises(Unavailable, match="lost a rank"):
        outcome(failed, [lost])
    with pytest.raises(Unavailable, match=r"DeadlineExceeded: too long\), and no host says why"):
        outcome(failed, [])
    assert outcome({"type": "Complete"}, []) == {}, "its pods have gone, and it came through"


@pytest.mark.parametrize(
    ("status", "code", "state"),
    [
        ({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
          "reason": "Unschedulable", "message": "0/3 nodes"}]}, None,
         "waiting (Unschedulable: 0/3 nodes)"),
        ({"phase": "Pending"}, None, "waiting (Pending)"),
        ({"phase": "Pending", "waiting": {"reason": "ImagePullBackOff", "message": "no such"}},
         None, "waiting (ImagePullBackOff: no such)"),
        ({"phase": "Failed", "reason": "Evicted"}, -1, "failed (Evicted)"),
        ({"phase": "Failed", "terminated": {"exitCode": 137, "reason": "OOMKilled"}}, 137,
         "exit code 137 (OOMKilled)"),
    ],
)  # fmt: skip
def test_a_pod_tells_what_it_waits_for_or_ended_of(
    status: dict[str, Any], code: int | None, state: str
) -> None:
    containers = [
        {"name": "node", "image": "i", "imageID": "", "ready": False, "restartCount": 0,
         "state": {kind: status[kind]}}
        for kind in ("waiting", "terminated") if kind in status
    ]  # fmt: skip
    answer = {"metadata": {"name": "x"}, "status": {**status, "containerStatuses": containers}}

    pod = client.ApiClient().deserialize(SimpleNamespace(data=json.dumps(answer)), "V1Pod")
    host = Host.of(pod)
    assert (host.index, host.code, host.state) == (0, code, state)
    assert (host.error is None) == (code is None)
    if host.error:
        assert host.error.retryable


# --- who waits is lost, ended or cut off --------------------------------------------------------


def test_a_retry_goes_on_with_the_one_that_a_lost_launcher_sent(
    cluster: Cluster, hosts: Hosts
) -> None:
    hosts.do("stay", "stay")
    first = launcher()
    wait_for(lambda: len(at_work(cluster)) == 2)
    before = at_work(cluster)
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    said: list[str] = []
    threading.Timer(0.5, lambda: hosts.do("work", "work")).start()
    assert at_work(cluster) == before
    assert train(said)["ran"]
    assert said[0] == f"TrainJob {NAME}: it is there already; going on with it"
    assert "host 0: step 0" in said, "its log is there from the start"
    assert not [line for line in said if "sent" in line]


def test_one_that_came_through_while_nobody_waited_is_not_done_again(
    cluster: Cluster, hosts: Hosts
) -> None:
    hosts.do("work", "work")
    cluster.create(JOB)
    wait_for(lambda: "status" in cluster.jobs[NAME])
    hosts.do("refuse", "refuse")
    assert train()["ran"]


def test_one_that_failed_is_replaced(cluster: Cluster, hosts: Hosts) -> None:
    hosts.do("lose", "stay")
    cluster.create(JOB)
    wait_for(lambda: "status" in cluster.jobs[NAME])
    hosts.do("work", "work")
    said: list[str] = []
    assert train(said)["ran"]
    assert "it failed before (jobset failed" in said[0]
    assert said[1] == f"TrainJob {NAME}: sent, 2 hosts"


def test_a_task_that_airflow_ends_takes_its_trainjob_with_it(
    cluster: Cluster, hosts: Hosts
) -> None:
    from airflow.sdk import DAG
    from airflow.sdk.exceptions import AirflowException

    from dags.operators import NightshiftOperator

    hosts.do("stay", "stay")
    with DAG("test"):
        task = NightshiftOperator(
            task_id="finetune", arguments=["trainjob", "finetune", "--hosts", "2"]
        )

    def kill() -> None:
        wait_for(lambda: len(at_work(cluster)) == 2)
        task.on_kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(AirflowException, match="interrupted"):
        execute(task, Given())
    killer.join()
    wait_for(lambda: not cluster.jobs)
    assert at_work(cluster) == []


def test_one_that_somebody_removes_may_be_tried_again(cluster: Cluster, hosts: Hosts) -> None:
    hosts.do("stay", "stay")

    def remove() -> None:
        wait_for(lambda: len(at_work(cluster)) == 2)
        cluster.delete(NAME)

    somebody = threading.Thread(target=remove)
    somebody.start()
    with pytest.raises(Unavailable, match=f"the TrainJob {NAME} was removed by somebody"):
        train()
    somebody.join()


def test_a_cluster_that_is_away_is_waited_for_and_its_trainjob_is_left_at_work(
    cluster: Cluster, hosts: Hosts
) -> None:
    hosts.do("stay", "stay")
    said: list[str] = []

    def go_away() -> None:
        wait_for(lambda: len(at_work(cluster)) == 2)
        cluster.away.set()

    threading.Thread(target=go_away).start()
    with pytest.raises(Unavailable, match="the Kubernetes API does not answer: 503"):
        train(said, patience=0.5)
    assert len(at_work(cluster)) == 2
    back = threading.Timer(0.5, cluster.away.clear)
    back.start()
    threading.Timer(1.0, lambda: hosts.do("work", "work")).start()
    assert train(said)["ran"]
    assert any("does not answer (503" in line for line in said)


def test_a_log_that_breaks_off_is_taken_up_where_it_did(cluster: Cluster, hosts: Hosts) -> None:
    hosts.do("stay", "stay")
    cluster.breaks |= {0, 1}
    said: list[str] = []

    def go_on() -> None:
        wait_for(lambda: {"host 0: step 2", "host 1: step 2"} <= set(said))
        hosts.do("work", "work")

    threading.Thread(target=go_on).start()
    train(said)
    assert cluster.breaks == set()
    for host in (0, 1):
        told = [line.partition(": ")[2] for line in said if line.startswith(f"host {host}: ")]
        assert told[0].startswith("arguments")
        assert told[1:] == ["step 0", "step 1", "step 2"]


# --- who may ------------------------------------------------------------------------------------


def test_who_has_no_right_is_told_what_gives_it(
    cluster: Cluster, hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = str(cluster.kubeconfig("worker"))
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", other)
    with pytest.raises(BadInput, match="refuses: Unauthorized; who asks is not known there"):
        train()
    assert cluster.pods == {}


def test_in_a_pod_it_asks_the_cluster_that_the_pod_is_in(
    cluster: Cluster, hosts: Hosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text(TOKEN)
    incluster = "kubernetes.config.incluster_config"
    monkeypatch.setattr(f"{incluster}.SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(f"{incluster}.SERVICE_CERT_FILENAME", str(cluster.authority))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(cluster.port))
    monkeypatch.setattr(
        "kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none")
    )
    hosts.do("work", "work")
    assert train()["ran"]


def test_a_cluster_without_the_trainer_is_told(cluster: Cluster) -> None:
    cluster.has_trainer = False
    with pytest.raises(BadInput, match=r"is Kubeflow's Trainer installed\?"):
        train()


def test_a_launcher_may_nothing_but_what_it_does(cluster: Cluster, hosts: Hosts) -> None:
    hosts.do("work", "work")
    train()
    wait_for(lambda: not cluster.jobs)
    core = api.Cluster(NAMESPACE, print)._core
    attempts: list[tuple[Any, *tuple[Any, ...]]] = [
        (core.create_namespaced_pod, NAMESPACE, {"metadata": {"name": "x"}}),
        (core.delete_namespaced_pod, "x", NAMESPACE),
        (core.list_namespaced_secret, NAMESPACE),
        (core.list_namespaced_pod, "kube-system"),
    ]
    for ask, *arguments in attempts:
        with pytest.raises(client.ApiException) as caught:
            ask(*arguments)
        assert caught.value.status == 403


def test_without_a_cluster_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(
        "kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none")
    )
    with pytest.raises(BadInput, match="no Kubernetes cluster is known here"):
        train()
