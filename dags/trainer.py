"""Who brings the hosts of a training together: Airflow, a task a host, or Kubeflow's Trainer."""

from __future__ import annotations

import os

from tasks.stage.errors import BadInput

VARIABLE = "NIGHTSHIFT_TRAINER"
"""`kubeflow`: one task sends a TrainJob and waits for it. Empty or not set: a task a host."""


def by_train_job(hosts: int) -> bool:
    """Whether so many hosts train as a TrainJob; raises BadInput for a value that means nothing."""
    chosen = os.environ.get(VARIABLE, "")
    if chosen not in ("", "kubeflow"):
        raise BadInput(f"{VARIABLE}: got {chosen!r}; takes kubeflow, or nothing")
    return hosts > 1 and chosen == "kubeflow"
