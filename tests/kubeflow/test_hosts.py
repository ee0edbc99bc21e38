"""A TrainJob whose pods run the real command: two hosts that share nothing but the store.

The command is the one that tests/handover runs by hand, and so is what it makes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tasks.handover.run import Run
from tasks.kubeflow import cluster as api
from tasks.kubeflow import launch
from tasks.kubeflow.trainjob import train_job
from tasks.stage.errors import BadInput
from tests.handover import test_gang, test_training_together
from tests.handover.project import Worker
from tests.kubeflow.cluster import NAMESPACE, Cluster
from tests.kubeflow.test_trainjob import ROW, TABLE

pytestmark = pytest.mark.timeout(1800)
workers = test_gang.workers
training_workers = test_training_together.workers
"""Fixtures: two machines and a store, for a project of seconds and for a real training."""


@contextmanager
def cluster_of(workers: list[Worker], folder: Path) -> Iterator[Cluster]:
    """A cluster whose machines these are; its image has the real `nightshift`."""
    (folder / "image").mkdir()
    shim = folder / "image" / "nightshift"
    shim.write_text(f'#!/bin/sh\nexec {sys.executable} -m tasks.cli "$@"\n')
    shim.chmod(0o755)

    def machine(index: int) -> dict[str, str]:
        given = workers[index].environment
        return {**given, "PATH": f"{shim.parent}{os.pathsep}{given['PATH']}"}

    with Cluster(folder / "cluster", machine, grace=60) as made:
        yield made


def train(cluster: Cluster, run: Run, said: list[str], patch: pytest.MonkeyPatch) -> Any:
    patch.setattr(
        "kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(cluster.kubeconfig())
    )
    patch.setattr(launch, "SECONDS_BETWEEN_LOOKS", 0.2)
    job = train_job(run.name, "finetune", 2, ROW, TABLE.queues[ROW.queue])
    return launch.train(api.Cluster(NAMESPACE, said.append), job, said.append)


@pytest.mark.slow
def test_two_pods_make_one_model_which_host_0_owns(
    workers: list[Worker], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = test_gang.begin(workers[0])
    said: list[str] = []
    with cluster_of(workers, tmp_path) as cluster:
        found = train(cluster, run, said, monkeypatch)
    record = run.record("finetune")
    assert record is not None
    assert (record.status, found["ran"], found["attempt"]) == ("ok", True, record.attempt)
    assert "host 0: step 0 with the other host" in said
    assert "host 1: step 0 with the other host" in said
    assert "host 1: finetune: it came through; host 1 took part 1 time(s)" in said
    assert run.store.keys(run.key("logs/finetune-host1-1.log"))


@pytest.mark.slow
def test_what_no_retry_mends_is_told_by_the_host_that_found_it(
    workers: list[Worker], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = test_gang.begin(workers[0], "finetune.seed=1")
    with (
        cluster_of(workers, tmp_path) as cluster,
        pytest.raises(BadInput, match="the hosts differ in the data"),
    ):
        train(cluster, run, [], monkeypatch)


@pytest.mark.slow
def test_a_training_by_trainjob_has_the_very_weights_of_one_by_two_workers(
    training_workers: list[Worker], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_hand = test_training_together.begin(training_workers[0], "by-hand")
    test_training_together.train(training_workers, by_hand)
    first = training_workers[0]
    fresh = [Worker(tmp_path / name, first.store, first.project) for name in ("three", "four")]
    for worker in fresh:  # whose caches know nothing of that training
        worker.more |= first.more
    run = test_training_together.begin(fresh[0], "by-trainjob")
    with cluster_of(fresh, tmp_path) as cluster:
        assert train(cluster, run, [], monkeypatch)["ran"]
    found, wanted = map(test_training_together.outputs, (run, by_hand))
    assert found["models/finetuned"] == wanted["models/finetuned"]
