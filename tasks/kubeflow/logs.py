"""The logs of several pods as one, line by line as they come, each with its host's number."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from tasks.kubeflow.cluster import Cluster, Say
from tasks.kubeflow.trainjob import Host
from tasks.stage.errors import StageError

SECONDS_BETWEEN_TRIES = 1.0
SECONDS_TO_FINISH = 60.0


class Logs:
    """Follows each pod once it runs. A log that breaks off is taken up after the line that came."""

    def __init__(self, cluster: Cluster, say: Say) -> None:
        self._cluster, self._say = cluster, say
        self._threads: dict[str, threading.Thread] = {}
        self._over: dict[str, threading.Event] = {}
        self._printing = threading.Lock()

    def look(self, pods: Sequence[Any]) -> None:
        """Begin with the pods that have begun, and know which have ended."""
        for pod in pods:
            name, host = pod.metadata.name, Host.of(pod)
            begun = host.code is not None or host.state == "running"
            if begun and name not in self._threads:
                self._over[name] = threading.Event()
                thread = threading.Thread(target=self._follow, args=(name, host.index), daemon=True)
                self._threads[name] = thread
                thread.start()
            if host.code is not None:
                self._over[name].set()

    def close(self) -> None:
        """Wait for the last lines of all pods, which have ended or gone."""
        for over in self._over.values():
            over.set()
        for thread in self._threads.values():
            thread.join(SECONDS_TO_FINISH)

    def _follow(self, pod: str, host: int) -> None:
        """Until its pod has ended, and once more then: a log may break off before that."""
        last, over = "", self._over[pod]
        while True:
            final, known = over.is_set(), last
            with suppress(StageError):
                for line in self._cluster.log(pod):
                    at, _, text = line.partition(" ")
                    if at > known:  # times are of one width
                        last = at
                        with self._printing:
                            self._say(f"host {host}: {text}")
            if final:
                return
            over.wait(SECONDS_BETWEEN_TRIES)
