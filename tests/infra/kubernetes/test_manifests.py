"""Every manifest is one that the Kubernetes API takes, and grants no more than it must."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from infra.kubernetes.check import FOLDER, manifests, problems
from tasks.handover.resources import read_table
from tests.made import ROOT

Change = Callable[[Any], Any]
MANIFESTS: dict[str, Any] = dict(manifests())
NAMES = [name for name in MANIFESTS if not name.endswith("Pod task")]
GIBIBYTES = {"Gi": 1.0, "Mi": 1 / 1024}


def of_kind(kind: str) -> dict[str, Any]:
    """The manifests of a kind, by their own names."""
    found = [manifest for manifest in MANIFESTS.values() if manifest["kind"] == kind]
    return {manifest["metadata"]["name"]: manifest for manifest in found}


def gibibytes(quantity: str) -> float:
    return float(quantity[:-2]) * GIBIBYTES[quantity[-2:]]


@pytest.mark.parametrize("name", MANIFESTS)
def test_the_api_takes_it(name: str) -> None:
    assert problems(MANIFESTS[name]) == []


def misspelt(deployment: Any) -> None:
    deployment["spec"]["replicaz"] = 1


def wrong_type(deployment: Any) -> None:
    deployment["spec"]["replicas"] = "one"


def missing(deployment: Any) -> None:
    del deployment["spec"]["selector"]


def deep(deployment: Any) -> None:
    deployment["spec"]["template"]["spec"]["containers"][0]["resources"]["limit"] = {"cpu": "1"}


def root(deployment: Any) -> None:
    del deployment["spec"]["template"]["spec"]["securityContext"]["runAsNonRoot"]


def token(deployment: Any) -> None:
    del deployment["spec"]["template"]["spec"]["automountServiceAccountToken"]


def writable(deployment: Any) -> None:
    context = deployment["spec"]["template"]["spec"]["containers"][0]["securityContext"]
    context["readOnlyRootFilesystem"] = False


def capable(deployment: Any) -> None:
    context = deployment["spec"]["template"]["spec"]["containers"][0]["securityContext"]
    context["capabilities"] = {"drop": ["ALL"], "add": ["SYS_ADMIN"]}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (misspelt, "'replicaz' was unexpected"),
        (wrong_type, "spec.replicas: 'one' is not of type 'integer'"),
        (missing, "spec: 'selector' is a required property"),
        (deep, "'limit' was unexpected"),
        (root, "spec.securityContext.runAsNonRoot: must be true"),
        (token, "spec.automountServiceAccountToken: must be false"),
        (writable, "container exporter: readOnlyRootFilesystem: must be true"),
        (capable, "container exporter: capabilities: must be {drop: [ALL]}"),
    ],
)
def test_what_is_broken_on_purpose_is_refused(change: Change, told: str) -> None:
    broken = copy.deepcopy(of_kind("Deployment")["nightshift-exporter"])
    change(broken)
    assert told in "\n".join(problems(broken))


def test_every_manifest_beside_the_chart_is_applied_in_the_one_namespace() -> None:
    kustomization = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
    files = {name.partition(":")[0] for name in NAMES}
    assert set(kustomization["resources"]) == files
    assert list(of_kind("Namespace")) == ["nightshift"]
    for name in NAMES:
        metadata = MANIFESTS[name]["metadata"]
        assert metadata.get("namespace", metadata["name"]) == "nightshift"


def test_each_account_of_the_table_is_there_and_takes_a_role_of_the_cloud() -> None:
    accounts = of_kind("ServiceAccount")
    queues = read_table(ROOT).queues.values()
    assert {f"nightshift-{queue.account}" for queue in queues} < set(accounts)
    for name, account in accounts.items():
        role = account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"]
        assert role == f"arn:aws:iam::000000000000:role/{name}"
    tasks = {f"nightshift-{queue.account}" for queue in queues}
    assert {name for name, account in accounts.items() if _has_no_token(account)} == tasks


def _has_no_token(account: Any) -> bool:
    return account.get("automountServiceAccountToken") is False


def test_no_manifest_holds_a_secret() -> None:
    assert of_kind("Secret") == {}


def test_the_limits_of_a_container_are_those_of_the_largest_task() -> None:
    tasks = [task for dag in read_table(ROOT).dags.values() for task in dag.values()]
    most = of_kind("LimitRange")["nightshift"]["spec"]["limits"][0]["max"]
    assert most == {
        "cpu": str(max(task.cpu for task in tasks)),
        "memory": f"{max(task.memory for task in tasks)}Gi",
        "ephemeral-storage": f"{max(task.scratch for task in tasks)}Gi",
    }


def cores(quantity: str) -> float:
    return float(quantity[:-1]) / 1000 if quantity.endswith("m") else float(quantity)


def around() -> list[Any]:
    """What each pod may take that runs no task."""
    values = yaml.safe_load((FOLDER / "values.yaml").read_text())
    parts = ("apiServer", "scheduler", "dagProcessor", "triggerer", "migrateDatabaseJob")
    found = [
        values[part]["resources"] for part in parts for _ in range(values[part].get("replicas", 1))
    ]
    pods = [each["spec"]["template"]["spec"] for each in of_kind("Deployment").values()]
    return found + [container["resources"] for pod in pods for container in pod["containers"]]


def test_the_quota_has_room_for_every_slot_of_every_pool_and_for_airflow() -> None:
    table = read_table(ROOT)
    hard = of_kind("ResourceQuota")["nightshift"]["spec"]["hard"]
    tasks = [task for dag in table.dags.values() for task in dag.values()]
    cpu, memory = 0.0, 0.0
    for pool, slots in table.pools.items():
        its = [task for task in tasks if table.queues[task.queue].pool == pool]
        cpu += slots * max(task.cpu for task in its)
        memory += slots * max(task.memory for task in its)
    for resources in around():
        cpu += cores(resources["limits"]["cpu"])
        memory += gibibytes(resources["limits"]["memory"])
    for kind in ("requests", "limits"):
        assert float(hard[f"{kind}.cpu"]) >= cpu
        assert gibibytes(hard[f"{kind}.memory"]) >= memory
