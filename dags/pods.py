"""A task's pod, where Kubernetes runs it: what `infra/resources.yaml` says of it, nothing else.

Image, volumes, settings and the security context are the chart's pod template; this goes over it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.configuration import conf

from tasks.handover.resources import Queue, Size, Task

if TYPE_CHECKING:
    from kubernetes.client import V1Pod

CONTAINER = "base"
"""Airflow's own name for the container that runs a task."""
LAUNCHER = "launcher"
"""The account of infra/kubernetes/trainer, and what its network policy knows a launcher by."""


def on_kubernetes() -> bool:
    """Whether Airflow makes a pod of a task; no library of Kubernetes is needed elsewhere."""
    return "KubernetesExecutor" in conf.get("core", "executor", fallback="")


def pod(task: Task, queue: Queue) -> V1Pod:
    """Requests, limits, place and account: requests are limits, so nothing takes a task's cores."""
    from kubernetes import client

    return _pod(
        task.queue,
        task.amounts_on(queue),
        service_account_name=f"nightshift-{queue.account}",
        node_selector=queue.node_selector or None,
        tolerations=[client.V1Toleration(**each.model_dump()) for each in queue.tolerations],
    )


def launcher(size: Size) -> V1Pod:
    """The pod of a task whose work a TrainJob does: small, and it may ask the Kubernetes API."""
    return _pod(
        LAUNCHER,
        size.amounts,
        service_account_name=f"nightshift-{LAUNCHER}",
        automount_service_account_token=True,
    )


def _pod(kind: str, amounts: dict[str, str], **spec: Any) -> V1Pod:
    from kubernetes import client

    resources = client.V1ResourceRequirements(requests=amounts, limits=dict(amounts))
    containers = [client.V1Container(name=CONTAINER, resources=resources)]
    return client.V1Pod(
        metadata=client.V1ObjectMeta(labels={"nightshift/queue": kind}),
        spec=client.V1PodSpec(containers=containers, **spec),
    )
