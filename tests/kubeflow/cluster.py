"""A cluster of one process for tests: an HTTP server that speaks the verbs of the Kubernetes API
which a TrainJob takes, and runs the pods' commands as processes of this machine.

What it knows of Trainer, JobSet and Job is written after their documentation and sources, and
nothing here is theirs. Every object that is sent is held against the API's schemas, and so is every
pod that is made of one; every request against the Role of infra/kubernetes/trainer. It does not
schedule, isolate, mount or pull anything.
"""

from __future__ import annotations

import copy
import json
import os
import re
import signal
import ssl
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import trustme
import yaml

from infra.kubernetes.check import TRAINER, manifests, problems
from tasks.kubeflow.trainjob import INDEX_OF, JOB_OF

NAMESPACE = "nightshift"
OBJECTS = dict(manifests(TRAINER))
RUNTIME: Any = next(m for m in OBJECTS.values() if m["kind"] == "TrainingRuntime")
ROLE: Any = next(m for m in OBJECTS.values() if m["kind"] == "Role")
TOKEN = "launcher"
JOBS = f"/apis/trainer.kubeflow.org/v1alpha1/namespaces/{NAMESPACE}/trainjobs"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
VERBS = {"GET": "get", "POST": "create", "DELETE": "delete"}
Object = dict[str, Any]
Machine = Callable[[int], Mapping[str, str]]
"""The environment that a host's machine and its image give a process."""


class Refused(Exception):
    """An answer that is no object: a status, a reason of the API's, words."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason = status, reason


@dataclass
class Pod:
    """A pod and its process; its log has the time before each line, as a kubelet keeps it."""

    object: Object
    process: subprocess.Popen[bytes]
    words: Path
    lines: list[str] = field(default_factory=list)
    log_is_whole: bool = False

    @property
    def index(self) -> int:
        """Which host it is."""
        return int(self.object["metadata"]["annotations"][INDEX_OF])

    @property
    def code(self) -> int | None:
        """As a container's: a signal is 128 and its number."""
        code = self.process.poll()
        return code if code is None or code >= 0 else 128 - code

    def read(self) -> None:
        """Take its output down, until its end."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            at, nanoseconds = divmod(time.time_ns(), 10**9)
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at))
            self.lines.append(f"{stamp}.{nanoseconds:09d}Z {line.decode().rstrip()}\n")
        self.process.wait()
        self.log_is_whole = True

    @property
    def status(self) -> Object:
        """What the API says of it."""
        code = self.code if self.log_is_whole else None
        if code is None:
            return self._status("Running", {"running": {}})
        reason = "Error" if code else "Completed"
        state = {"exitCode": code, "reason": reason, "message": self._last_words()}
        return self._status("Failed" if code else "Succeeded", {"terminated": state})

    def _last_words(self) -> str:
        """What it left, or the end of its log where it failed and the template says so."""
        if self.words.exists():
            return self.words.read_text()[:4096]
        (container,) = self.object["spec"]["containers"]
        assert container["terminationMessagePolicy"] == "FallbackToLogsOnError"
        return "".join(line.partition(" ")[2] for line in self.lines[-80:])[-2048:]

    def _status(self, phase: str, state: Object) -> Object:
        (container,) = self.object["spec"]["containers"]
        told = {"name": container["name"], "image": container["image"], "imageID": "",
                "ready": phase == "Running", "restartCount": 0, "state": state}  # fmt: skip
        return {"phase": phase, "containerStatuses": [told]}


class Cluster:
    """The server; a context manager. `machine` is where its pods run."""

    def __init__(self, folder: Path, machine: Machine, grace: float = 10.0) -> None:
        self.folder, self._machine, self._grace = folder, machine, grace
        folder.mkdir(parents=True, exist_ok=True)
        self.jobs: dict[str, Object] = {}
        self.pods: dict[str, Pod] = {}
        self.asked: list[str] = []
        """Every request: who may not is there too."""
        self.away = threading.Event()
        """Set: every request is answered 503."""
        self.breaks: set[int] = set()
        """Hosts whose log breaks off once, after its first line."""
        self.has_trainer = True
        """Whether Kubeflow's Trainer is installed, and with it the kind TrainJob."""
        self._lock, self._version = threading.RLock(), 0
        handler = type("Bound", (_Handler,), {"cluster": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.authority = folder / "ca"
        authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.cert_pem.write_to_path(str(self.authority))
        authority.issue_cert("127.0.0.1").configure_cert(context)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        for pod in self.pods.values():
            _signal(pod, signal.SIGKILL)

    @property
    def port(self) -> int:
        """Where it listens, on the loopback interface."""
        return int(self._server.server_port)

    def kubeconfig(self, token: str = TOKEN) -> Path:
        """A file for who bears that token."""
        path = self.folder / f"{token}.yaml"
        cluster = {
            "server": f"https://127.0.0.1:{self.port}",
            "certificate-authority": str(self.authority),
        }
        content = {
            "apiVersion": "v1", "kind": "Config", "current-context": "here",
            "clusters": [{"name": "here", "cluster": cluster}],
            "users": [{"name": "here", "user": {"token": token}}],
            "contexts": [{"name": "here", "context": {"cluster": "here", "user": "here"}}],
        }  # fmt: skip
        path.write_text(yaml.safe_dump(content))
        return path

    # --- what the API does ----------------------------------------------------------------------

    def create(self, job: Object) -> Object:
        """Take a TrainJob in, and begin with it."""
        if found := problems(job):
            raise Refused(422, "Invalid", "; ".join(found))
        name = job["metadata"]["name"]
        if not NAME.fullmatch(name):
            raise Refused(422, "Invalid", f"metadata.name {name!r} must match RFC 1035")
        with self._lock:
            if name in self.jobs:
                raise Refused(409, "AlreadyExists", f"trainjobs {name!r} already exists")
            self.jobs[name] = kept = copy.deepcopy(job)
            now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            kept["metadata"] |= {"uid": str(uuid.uuid4()), "creationTimestamp": now}
            self._changed(kept)
            for index in range(job["spec"]["trainer"]["numNodes"]):
                self._start(job, index)
        threading.Thread(target=self._watch, args=(name,), daemon=True).start()
        return kept

    def get(self, name: str) -> Object:
        with self._lock:
            if name not in self.jobs:
                raise Refused(404, "NotFound", f"trainjobs {name!r} not found")
            return copy.deepcopy(self.jobs[name])

    def delete(self, name: str) -> Object:
        """In the foreground: it goes when its pods have gone."""
        job = self.get(name)
        with self._lock:
            self.jobs[name]["metadata"]["deletionTimestamp"] = job["metadata"]["creationTimestamp"]
            self._changed(self.jobs[name])
        threading.Thread(target=self._remove, args=(name,), daemon=True).start()
        return job

    def of(self, job: str) -> list[Pod]:
        """A TrainJob's pods."""
        with self._lock:
            return [p for p in self.pods.values() if p.object["metadata"]["labels"][JOB_OF] == job]

    def log(self, name: str, follow: bool) -> Iterator[str]:
        """Its lines as they come, with their times."""
        with self._lock:
            if name not in self.pods:
                raise Refused(404, "NotFound", f"pods {name!r} not found")
            pod = self.pods[name]
        at = 0
        while True:
            whole = pod.log_is_whole
            while at < len(pod.lines):
                yield pod.lines[at]
                at += 1
                if pod.index in self.breaks:
                    self.breaks.discard(pod.index)
                    return
            if whole or not follow:
                return
            time.sleep(0.02)

    # --- what its controllers do ----------------------------------------------------------------

    def _start(self, job: Object, index: int) -> None:
        """A pod of the runtime's template, with what the TrainJob says over it; its process."""
        name = job["metadata"]["name"]
        (replicated,) = RUNTIME["spec"]["template"]["spec"]["replicatedJobs"]
        made = copy.deepcopy(replicated["template"]["spec"]["template"])
        assert replicated["template"]["spec"]["completionMode"] == "Indexed"
        title = f"{name}-{replicated['name']}-0-{index}-{uuid.uuid4().hex[:5]}"
        made |= {"apiVersion": "v1", "kind": "Pod"}
        made["metadata"] |= {"name": title, "namespace": NAMESPACE}
        made["metadata"]["labels"] |= {JOB_OF: name}
        made["metadata"]["annotations"] |= {INDEX_OF: str(index)}
        (container,) = made["spec"]["containers"]
        trainer = job["spec"]["trainer"]
        container |= {"command": trainer["command"], "resources": trainer["resourcesPerNode"]}
        source = {"fieldRef": {"fieldPath": f"metadata.annotations['{INDEX_OF}']"}}
        container["env"] = [{"name": "JOB_COMPLETION_INDEX", "valueFrom": source}]
        assert problems(made) == []
        assert len(title) <= 63
        words = self.folder / f"{title}.words"
        known = {"JOB_COMPLETION_INDEX": str(index)}
        command = [
            re.sub(r"\$\((\w+)\)", lambda found: known[found[1]], word).replace(
                container.get("terminationMessagePath", "/dev/termination-log"), str(words)
            )
            for word in container["command"]
        ]
        place = self.folder / title
        place.mkdir()
        process = subprocess.Popen(
            command, cwd=place, env={**self._machine(index), **known}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        self.pods[title] = pod = Pod(made, process, words)
        threading.Thread(target=pod.read, daemon=True).start()

    def _watch(self, name: str) -> None:
        """One that fails ends all, and those that were at work go; else all come through."""
        pods = self.of(name)
        while not self._is_going(name):
            codes = [pod.code if pod.log_is_whole else None for pod in pods]
            if any(codes):
                self._end([pod for pod in pods if pod.code is None])
                self._conclude(
                    name, "Failed", "FailedJobs", "jobset failed due to one or more jobs"
                )
                return
            if None not in codes:
                self._conclude(name, "Complete", "AllJobsCompleted", "jobset completed")
                return
            time.sleep(0.05)

    def _is_going(self, name: str) -> bool:
        with self._lock:
            return name not in self.jobs or "deletionTimestamp" in self.jobs[name]["metadata"]

    def _conclude(self, name: str, kind: str, reason: str, message: str) -> None:
        with self._lock:
            if name in self.jobs:
                told = {"type": kind, "status": "True", "reason": reason, "message": message,
                        "lastTransitionTime": "2026-01-01T00:00:00Z"}  # fmt: skip
                self.jobs[name]["status"] = {"conditions": [told]}
                self._changed(self.jobs[name])

    def _remove(self, name: str) -> None:
        self._end(self.of(name))
        with self._lock:
            self.jobs.pop(name, None)

    def _end(self, pods: list[Pod]) -> None:
        """Ask them to leave, kill what has not within the grace, and forget them."""
        for pod in pods:
            _signal(pod, signal.SIGTERM)
        end = time.monotonic() + self._grace
        while any(pod.code is None for pod in pods) and time.monotonic() < end:
            time.sleep(0.02)
        for pod in pods:
            _signal(pod, signal.SIGKILL)
            pod.process.wait()
            with self._lock:
                self.pods.pop(pod.object["metadata"]["name"], None)

    def _changed(self, job: Object) -> None:
        self._version += 1
        job["metadata"]["resourceVersion"] = str(self._version)


def _signal(pod: Pod, number: signal.Signals) -> None:
    """SIGTERM goes to the container's first process, SIGKILL to all of it."""
    try:
        if number is signal.SIGKILL:
            os.killpg(pod.process.pid, number)
        elif pod.process.poll() is None:
            pod.process.send_signal(number)
    except ProcessLookupError:
        pass


class _Handler(BaseHTTPRequestHandler):
    """The requests, as `METHOD path`; every other one is refused or unknown."""

    cluster: Cluster
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def do_DELETE(self) -> None:
        self._answer("DELETE")

    def log_message(self, *_: Any) -> None:
        """Nothing on stderr."""

    def _answer(self, method: str) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or "null") if length else None
        url = urlsplit(self.path)
        self.cluster.asked.append(f"{method} {url.path}")
        try:
            self._authorise(method, url.path)
            self._dispatch(method, url.path, parse_qs(url.query), body)
        except Refused as refused:
            self._send(refused.status, {
                "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": refused.status,
                "reason": refused.reason, "message": str(refused),
            })  # fmt: skip
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _authorise(self, method: str, path: str) -> None:
        """Who bears the launcher's token may what its Role grants."""
        if self.cluster.away.is_set():
            raise Refused(503, "ServiceUnavailable", "the server is away")
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        if (scheme.lower(), token) != ("bearer", TOKEN):
            raise Refused(401, "Unauthorized", "Unauthorized")
        found = re.fullmatch(rf"/(?:apis/([^/]+)/[^/]+|api/v1)/namespaces/{NAMESPACE}/(\w+)"
                             r"(?:/([^/]+)(?:/(\w+))?)?", path)  # fmt: skip
        if found is None:
            raise Refused(403, "Forbidden", f"{path} is outside of the namespace")
        group, kind, name, part = found.groups()
        verb = "list" if method == "GET" and name is None else VERBS[method]
        kind = f"{kind}/{part}" if part else kind
        if not any(
            (group or "") in rule["apiGroups"]
            and kind in rule["resources"]
            and verb in rule["verbs"]
            for rule in ROLE["rules"]
        ):
            raise Refused(403, "Forbidden", f"launcher cannot {verb} {kind}")

    def _dispatch(self, method: str, path: str, query: Mapping[str, list[str]], body: Any) -> None:
        name = path.removeprefix(JOBS).strip("/") if path.startswith(JOBS) else ""
        if path.startswith(JOBS) and not self.cluster.has_trainer:
            self.send_error(404, "404 page not found")
            return
        if method == "POST" and path == JOBS:
            self._send(201, self.cluster.create(body))
        elif method == "GET" and name:
            self._send(200, self.cluster.get(name))
        elif method == "DELETE" and name:
            assert query["propagationPolicy"] == ["Foreground"]
            self._send(200, self.cluster.delete(name))
        elif method == "GET" and path == PODS:
            (selector,) = query["labelSelector"]
            job = selector.removeprefix(f"{JOB_OF}=")
            items = [{**pod.object, "status": pod.status} for pod in self.cluster.of(job)]
            self._send(200, {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items})
        elif found := re.fullmatch(rf"{PODS}/([^/]+)/log", path):
            assert query["timestamps"] == ["True"]
            self._stream(self.cluster.log(found[1], query.get("follow") == ["True"]))
        else:
            raise Refused(405, "MethodNotAllowed", f"{method} {path} is not known here")

    def _send(self, status: int, content: Object) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, lines: Iterator[str]) -> None:
        first = next(lines, None)  # what is refused is, before the answer has begun
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for line in chain(filter(None, [first]), lines):
            self._chunk(line)
        self._chunk("")

    def _chunk(self, text: str) -> None:
        data = text.encode()
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()
