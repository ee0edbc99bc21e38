"""A stage that several hosts train together, as one TrainJob of Kubeflow's Trainer, and its end.

Each host is a pod, and runs the one command that trains on several hosts anywhere, `nightshift
stage NAME --run ID --host N`; N is the pod's index in its Job. What a host needs beside that
(image, machine, account, volumes) stands in the cluster, as the TrainingRuntime of
infra/kubernetes/trainer. What the command found out it leaves where Kubernetes keeps a pod's last
words, so that who waits for it needs no access to the store.

The API: https://www.kubeflow.org/docs/components/trainer, trainer.kubeflow.org/v1alpha1.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from tasks.handover.resources import Queue, Task
from tasks.stage.errors import StageError, Unavailable, reported

GROUP, VERSION, PLURAL = "trainer.kubeflow.org", "v1alpha1", "trainjobs"
RUNTIME = "nightshift"
"""The TrainingRuntime's name."""
JOB_OF = "jobset.sigs.k8s.io/jobset-name"
"""The label that a TrainJob's pods bear; its value is the TrainJob's name."""
INDEX_OF = "batch.kubernetes.io/job-completion-index"
"""The annotation that says which of the hosts a pod is."""
LAST_WORDS = "/dev/termination-log"
"""What a container leaves in that file, the API gives back with its exit code; 4 KiB at most."""
LONGEST_NAME = 40
"""A pod's name is this and `-node-0-INDEX-xxxxx`, together at most 63."""
WONT_PASS = 1
NO_CODE = -1
"""Of a pod that was ended with its machine."""
Object = dict[str, Any]


def name_of(run: str, stage: str) -> str:
    """The one name that a stage of a run has in the cluster, so that a retry finds it there."""
    name = f"{stage}-{run}"
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 9].rstrip('-')}-{digest}"


def train_job(run: str, stage: str, hosts: int, task: Task, queue: Queue) -> Object:
    """The TrainJob as it is sent: a pod of `task`'s size for each of `hosts`."""
    command = ["nightshift", "stage", stage, "--run", run, "--host", "$(JOB_COMPLETION_INDEX)"]
    amounts = task.amounts_on(queue)
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "TrainJob",
        "metadata": {
            "name": name_of(run, stage),
            "labels": {"app.kubernetes.io/name": "nightshift", "nightshift/stage": stage},
            "annotations": {"nightshift/run": run},
        },
        "spec": {
            "runtimeRef": {"apiGroup": GROUP, "kind": "TrainingRuntime", "name": RUNTIME},
            "trainer": {
                "numNodes": hosts,
                "command": [*command, "--result", LAST_WORDS],
                "resourcesPerNode": {"requests": amounts, "limits": dict(amounts)},
            },
        },
    }


def ending(job: Mapping[str, Any]) -> Object | None:
    """The condition that says how a TrainJob ended, `type` Complete or Failed; None before."""
    for condition in job.get("status", {}).get("conditions", []):
        if condition["type"] in ("Complete", "Failed") and condition["status"] == "True":
            return dict(condition)
    return None


@dataclass(frozen=True, order=True)
class Host:
    """One of the hosts as its pod tells of it."""

    index: int
    state: str
    """In a few words: `running`, `waiting (ImagePullBackOff: …)`, `exit code 137 (OOMKilled)`."""
    code: int | None
    """Its exit code, once it has ended."""
    words: str
    """Its last ones, once it has ended."""

    @classmethod
    def of(cls, pod: Any) -> Self:
        """The host that a V1Pod is."""
        index = int((pod.metadata.annotations or {}).get(INDEX_OF, 0))
        (status,) = pod.status.container_statuses or [None]
        if pod.status.phase == "Failed" and not (status and status.state.terminated):
            return cls(index, f"failed ({pod.status.reason})", NO_CODE, "")
        if status is None:  # no machine has it yet
            waits = [each for each in pod.status.conditions or [] if each.status == "False"]
            why = [f"{each.reason}: {each.message}" for each in waits]
            return cls(index, f"waiting ({'; '.join(why) or pod.status.phase})", None, "")
        if ended := status.state.terminated:
            state = f"exit code {ended.exit_code} ({ended.reason})"
            return cls(index, state, ended.exit_code, ended.message or "")
        if waiting := status.state.waiting:
            said = ": ".join(filter(None, (waiting.reason, waiting.message)))
            return cls(index, f"waiting ({said})", None, "")
        return cls(index, "running", None, "")

    @property
    def result(self) -> Object:
        """What its command found out; empty when it was killed, or its words were cut short."""
        try:
            content = json.loads(self.words)
        except ValueError:
            return {}
        return content if isinstance(content, dict) else {}

    @property
    def error(self) -> StageError | None:
        """What it failed of, as its own command says; None when it came through or is not over."""
        if not self.code:
            return None
        result = self.result
        if not result:
            told = self.words.strip().rpartition("\n")[2]
            reason = f"host {self.index}: {told or self.state}"
            return reported("failed", self.code != WONT_PASS, reason)
        reason = str(result.get("reason") or self.state)
        return reported(str(result.get("status")), bool(result.get("retryable")), reason)


def outcome(condition: Mapping[str, Any], hosts: Sequence[Host]) -> Object:
    """What host 0 found out; raises the StageError that the stage failed of.

    One host that no retry can help decides: the others were only ended with it.
    """
    first = next((host for host in hosts if host.index == 0), None)
    if condition["type"] == "Complete":
        return first.result if first else {}
    errors = [host.error for host in sorted(hosts)]
    found = [error for error in errors if error is not None]
    for error in [*(each for each in found if not each.retryable), *found]:
        raise error
    why = ": ".join(filter(None, (condition.get("reason"), condition.get("message"))))
    raise Unavailable(f"the TrainJob failed ({why}), and no host says why")
