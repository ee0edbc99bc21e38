"""Tracking servers to test against: one that answers as MLflow does, one that never answers."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class MLflowServer(ThreadingHTTPServer):
    """What was created and logged, checked as the REST API's documentation has it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.experiments: dict[str, str] = {}
        self.runs: list[dict[str, Any]] = []
        self.metrics: list[dict[str, Any]] = []
        self.parameters: dict[str, str] = {}
        self.ended: list[str] = []
        self.authorization: set[str | None] = set()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Answer(BaseHTTPRequestHandler):
    server: MLflowServer

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        assert asked.path == "/api/2.0/mlflow/experiments/get-by-name"
        name = parse_qs(asked.query)["experiment_name"][0]
        if name not in self.server.experiments:
            self._say({"error_code": "RESOURCE_DOES_NOT_EXIST"}, 404)
            return
        self._say({"experiment": {"experiment_id": self.server.experiments[name]}})

    def do_POST(self) -> None:
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.authorization.add(self.headers["Authorization"])
        what = self.path.removeprefix("/api/2.0/mlflow/").replace("/", "_").replace("-", "_")
        self._say(getattr(self, what)(**content))

    def experiments_create(self, name: str) -> dict[str, Any]:
        self.server.experiments[name] = "7"
        return {"experiment_id": "7"}

    def runs_create(
        self, experiment_id: str, run_name: str, start_time: int, tags: list[dict[str, str]]
    ) -> dict[str, Any]:
        assert experiment_id == "7"
        assert start_time > 0
        self.server.runs.append({"name": run_name, "tags": tags})
        return {"run": {"info": {"run_id": f"run{len(self.server.runs)}"}}}

    def runs_log_batch(
        self, run_id: str, metrics: list[dict[str, Any]] | None = None,
        params: list[dict[str, str]] | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        for metric in metrics or []:
            assert set(metric) == {"key", "value", "timestamp", "step"}
            self.server.metrics.append({"run": run_id, **metric})
        self.server.parameters |= {each["key"]: each["value"] for each in params or []}
        return {}

    def runs_update(self, run_id: str, status: str, end_time: int) -> dict[str, Any]:
        assert (status, end_time > 0) == ("FINISHED", True)
        self.server.ended.append(run_id)
        return {}

    def _say(self, content: dict[str, Any], status: int = 200) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing on stderr."""


@contextmanager
def mlflow_server() -> Iterator[MLflowServer]:
    with MLflowServer() as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


@contextmanager
def deaf_server() -> Iterator[str]:
    """It takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def closed_port() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"
