"""A few words of Airflow's REST API, as the start-up needs them and tests ask them."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any, NamedTuple

SECONDS_TO_ANSWER = 30


class Answer(NamedTuple):
    """An HTTP status, 0 when nobody answered, and the JSON that came with it."""

    status: int
    content: Any

    @property
    def ok(self) -> bool:
        """Whether it is what was asked for."""
        return 200 <= self.status < 300


class Rest:
    """The API at `url` (`http://127.0.0.1:8080`), for a user who logs in with a password."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url = url
        self._user = {"username": user, "password": password}
        self._token: str | None = None

    def log_in(self) -> Answer:
        """A new `access_token`."""
        return self._ask("/auth/token", self._user, {})

    def get(self, path: str) -> Answer:
        """`path` below `/api/v2/`; logs in when it must."""
        return self._authorised(path, None)

    def post(self, path: str, body: dict[str, Any]) -> Answer:
        """The same with something to say."""
        return self._authorised(path, body)

    def patch(self, path: str, body: dict[str, Any]) -> Answer:
        """The same, to change what is there."""
        return self._authorised(path, body, "PATCH")

    def is_healthy(self) -> bool:
        """Whether database, scheduler and DAG processor are at work."""
        found = self._ask("/api/v2/monitor/health", None, {})
        parts = ("metadatabase", "scheduler", "dag_processor")
        return found.ok and all(found.content[part]["status"] == "healthy" for part in parts)

    def _authorised(
        self, path: str, body: dict[str, Any] | None, method: str | None = None
    ) -> Answer:
        for _ in range(2):
            if self._token is None:
                answer = self.log_in()
                if not answer.ok:
                    return answer
                self._token = answer.content["access_token"]
            headers = {"Authorization": f"Bearer {self._token}"}
            answer = self._ask(f"/api/v2/{path}", body, headers, method)
            if answer.status != 401:
                break
            self._token = None  # it has run out
        return answer

    def _ask(
        self,
        path: str,
        body: dict[str, Any] | None,
        headers: dict[str, str],
        method: str | None = None,
    ) -> Answer:
        content = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **headers}
        request = urllib.request.Request(self.url + path, content, headers, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=SECONDS_TO_ANSWER) as answer:  # noqa: S310
                return Answer(answer.status, _parsed(answer.read()))
        except urllib.error.HTTPError as error:
            return Answer(error.code, _parsed(error.read()))
        except OSError:
            return Answer(0, None)


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return content.decode(errors="replace")
