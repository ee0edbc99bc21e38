"""What is asked of the Kubernetes API for a TrainJob, and what its answers mean.

Just the verbs that the Role of infra/kubernetes/trainer grants, by the official client. A cluster
that is away is waited for, as the store is.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from tasks.kubeflow.trainjob import GROUP, JOB_OF, PLURAL, VERSION, Object
from tasks.stage.errors import BadInput, Unavailable

PATIENCE_SECONDS = 120.0
SECONDS_BETWEEN_TRIES = 2.0
TIMEOUT = (5.0, 30.0)
"""Seconds to connect, and to wait for the next byte."""
SECONDS_OF_SILENCE = 300.0
"""After which a log is asked for again: a proxy may have dropped it without a word."""
NOT_FOUND, CONFLICT = 404, 409
AWAY = (0, 429, 500, 502, 503, 504)
Answer = TypeVar("Answer")
Say = Callable[[str], None]


class Cluster:
    """One namespace: that of the pod this runs in, or of the kubeconfig's cluster.

    Every method raises Unavailable when there is no answer for two minutes, and BadInput when the
    API refuses, with its own words.
    """

    def __init__(self, namespace: str, say: Say, patience: float = PATIENCE_SECONDS) -> None:
        try:
            from kubernetes import client, config
        except ImportError:
            raise BadInput(
                "Kubernetes' client is missing: pip install 'nightshift[team]'"
            ) from None
        settings = client.Configuration()
        try:
            if "KUBERNETES_SERVICE_HOST" in os.environ:
                config.load_incluster_config(settings)
            else:
                config.load_kube_config(client_configuration=settings)
        except config.ConfigException as error:
            raise BadInput(f"no Kubernetes cluster is known here: {error}") from None
        api = client.ApiClient(settings)
        self._jobs, self._core = client.CustomObjectsApi(api), client.CoreV1Api(api)
        self._namespace, self._say, self._patience = namespace, say, patience

    def create(self, job: Object) -> bool:
        """Send a TrainJob; False when there is one of that name."""
        ask = self._jobs.create_namespaced_custom_object
        return self._asked(ask, *self._kind, job, nothing=CONFLICT) is not None

    def find(self, name: str) -> Object | None:
        """The TrainJob as it is now; None when there is none."""
        found: Object | None = self._asked(
            self._jobs.get_namespaced_custom_object, *self._kind, name
        )
        return found

    def delete(self, name: str) -> None:
        """Begin to remove a TrainJob; it goes when its pods have gone. One that is gone is fine."""
        ask = self._jobs.delete_namespaced_custom_object
        self._asked(ask, *self._kind, name, propagation_policy="Foreground")

    def pods(self, name: str) -> list[Any]:
        """The TrainJob's pods, V1Pod."""
        found = self._asked(
            self._core.list_namespaced_pod, self._namespace, label_selector=f"{JOB_OF}={name}"
        )
        return [] if found is None else list(found.items)

    def log(self, pod: str) -> Iterator[str]:
        """A pod's log from its start, a line at a time with the time before it, until it ends.

        Raises Unavailable when it breaks off: that is no end.
        """
        from urllib3.exceptions import HTTPError

        wait = (TIMEOUT[0], SECONDS_OF_SILENCE)
        stream = self._asked(
            self._core.read_namespaced_pod_log, pod, self._namespace, follow=True, timestamps=True,
            _preload_content=False, _request_timeout=wait,
        )  # fmt: skip
        if stream is None:
            return
        try:
            for line in stream:
                yield line.decode(errors="replace").rstrip("\r\n")
        except HTTPError as error:
            raise Unavailable(f"the log of {pod} broke off: {error}") from None
        finally:
            stream.release_conn()

    @property
    def _kind(self) -> tuple[str, str, str, str]:
        return GROUP, VERSION, self._namespace, PLURAL

    def _asked(
        self, ask: Callable[..., Answer], *arguments: Any, nothing: int = NOT_FOUND, **more: Any
    ) -> Answer | None:
        """The answer; None where it is `nothing`, a status."""
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        end, told = time.monotonic() + self._patience, False
        while True:
            try:
                return ask(*arguments, **{"_request_timeout": TIMEOUT, **more})
            except ApiException as error:
                if error.status == nothing and _is_about_the_object(error):
                    return None
                if error.status not in AWAY:
                    raise _refused(error) from None
                why = f"{error.status} {error.reason}"
            except HTTPError as error:
                why = str(error)
            if time.monotonic() > end:
                raise Unavailable(f"the Kubernetes API does not answer: {why}")
            if not told:
                self._say(f"the Kubernetes API does not answer ({why}): trying on")
                told = True
            time.sleep(SECONDS_BETWEEN_TRIES)


def _is_about_the_object(error: Any) -> bool:
    """Not where the API knows no such kind: then it answers no object, but a page."""
    return '"reason"' in str(error.body)


def _refused(error: Any) -> BadInput:
    from json import JSONDecodeError, loads

    try:
        told = loads(error.body)["message"]
    except (JSONDecodeError, KeyError, TypeError):
        told = error.reason
    advice = {
        401: "; who asks is not known there",
        403: "; infra/kubernetes/trainer has the account and the Role",
        404: "; is Kubeflow's Trainer installed?",
    }.get(error.status, "")
    return BadInput(f"the Kubernetes API refuses: {told}{advice}")
