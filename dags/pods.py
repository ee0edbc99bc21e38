"""A task's pod, where Kubernetes runs it: what `infra/resources.yaml` says of it, nothing else.

Image, volumes, settings and the security context are the chart's pod template; this goes over it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.configuration import conf

from tasks.handover.resources import Queue, Task

if TYPE_CHECKING:
    from kubernetes.client import V1Pod

CONTAINER = "base"
"""Airflow's own name for the container that runs a task."""


def executor_config(task: Task, queue: Queue) -> dict[str, Any]:
    """A task's `executor_config`; empty, and no library of Kubernetes needed, elsewhere."""
    if "KubernetesExecutor" not in conf.get("core", "executor", fallback=""):
        return {}
    return {"pod_override": pod(task, queue)}


def pod(task: Task, queue: Queue) -> V1Pod:
    """Requests, limits, place and account: requests are limits, so nothing takes a task's cores."""
    from kubernetes import client

    amounts = {
        "cpu": str(task.cpu),
        "memory": f"{task.memory}Gi",
        "ephemeral-storage": f"{task.scratch}Gi",
    }
    if task.gpu and queue.accelerator:
        amounts[queue.accelerator] = str(task.gpu)
    resources = client.V1ResourceRequirements(requests=amounts, limits=dict(amounts))
    return client.V1Pod(
        metadata=client.V1ObjectMeta(labels={"nightshift/queue": task.queue}),
        spec=client.V1PodSpec(
            containers=[client.V1Container(name=CONTAINER, resources=resources)],
            service_account_name=f"nightshift-{queue.account}",
            node_selector=queue.node_selector or None,
            tolerations=[client.V1Toleration(**each.model_dump()) for each in queue.tolerations],
        ),
    )
