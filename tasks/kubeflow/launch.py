"""A TrainJob from where it is sent to where it has ended; whoever waits may be lost meanwhile."""

from __future__ import annotations

import time
from collections.abc import Sequence

from tasks.kubeflow.cluster import Cluster, Say
from tasks.kubeflow.logs import Logs
from tasks.kubeflow.trainjob import Host, Object, ending, outcome
from tasks.stage.errors import Unavailable

SECONDS_BETWEEN_LOOKS = 5.0
SECONDS_TO_GO = 600.0
"""How long one that is being removed may take: its pods have two minutes to leave."""


def train(cluster: Cluster, job: Object, say: Say) -> Object:
    """Have a TrainJob done, with its logs on the way; what host 0 found out.

    One of that name that is there already is gone on with; one that failed, or is being removed, is
    replaced. It is removed when it has ended, and when this process is told to end; not when this
    process is lost or the cluster does not answer, so that the next one finds it at work.

    Raises the StageError that the stage failed of.
    """
    name = job["metadata"]["name"]
    try:
        _submit(cluster, job, say)
        condition, hosts = _follow(cluster, name, say)
    except KeyboardInterrupt:
        say(f"TrainJob {name}: it is removed, since its task is ended")
        cluster.delete(name)
        raise
    cluster.delete(name)
    say(f"TrainJob {name}: {condition['type']}")
    return outcome(condition, hosts)


def _submit(cluster: Cluster, job: Object, say: Say) -> None:
    name, end = job["metadata"]["name"], time.monotonic() + SECONDS_TO_GO
    while not cluster.create(job):
        found = cluster.find(name)
        if found is None:
            continue  # it has just gone
        condition = ending(found)
        if found["metadata"].get("deletionTimestamp") is None:
            if condition is None or condition["type"] == "Complete":
                say(f"TrainJob {name}: it is there already; going on with it")
                return
            say(f"TrainJob {name}: it failed before ({condition.get('message')}); replacing it")
            cluster.delete(name)
        if time.monotonic() > end:
            raise Unavailable(f"the TrainJob {name} is being removed, and does not go")
        time.sleep(SECONDS_BETWEEN_LOOKS)
    say(f"TrainJob {name}: sent, {job['spec']['trainer']['numNodes']} hosts")


def _follow(cluster: Cluster, name: str, say: Say) -> tuple[Object, Sequence[Host]]:
    """How it ended, and its hosts then."""
    logs, told = Logs(cluster, say), dict[int, str]()
    while True:
        job, pods = cluster.find(name), cluster.pods(name)
        if job is None:
            raise Unavailable(f"the TrainJob {name} was removed by somebody")
        logs.look(pods)
        hosts = sorted(Host.of(pod) for pod in pods)
        for host in hosts:
            if told.get(host.index) != host.state:
                told[host.index] = host.state
                say(f"host {host.index} is {host.state}")
        if condition := ending(job):
            logs.close()
            return condition, hosts
        time.sleep(SECONDS_BETWEEN_LOOKS)
