"""Tells a chat or any other web hook how a night ended."""

from __future__ import annotations

import json
import os
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseNotifier
from airflow.sdk.configuration import conf

from dags.report import report_path

if TYPE_CHECKING:
    from airflow.sdk import Context

VARIABLE = "NIGHTSHIFT_NOTIFY_URL"
"""Names the web hook; the URL may be a secret and is never logged. Or a file that holds it does,
which `NIGHTSHIFT_NOTIFY_URL_FILE` names."""
SECONDS_TO_ANSWER = 10


class Notify(BaseNotifier):
    """Posts `{"text": …}` to the web hook, or logs it when there is none. Never fails a run."""

    def notify(self, context: Context) -> None:
        """Say what became of the run that `context` is about."""
        text = message(context)
        try:
            url = _url()
            if url:
                post(url, text)
            else:
                self.log.info("%s", text)
        except Exception as error:  # its own message may name the URL
            self.log.warning("the web hook of %s: %s", VARIABLE, type(error).__name__)


def message(context: Context) -> str:
    """What is said: how it ended and why, the report's headline, the run, where its report is."""
    run_id = str(context["run_id"])
    ended = _failure(context) or _verdict(context) or f"ended: {context.get('reason')}"
    base = conf.get("api", "base_url", fallback="").rstrip("/")
    has_report = "announce" in context["dag"].task_ids
    lines = [
        f"{context['dag'].dag_id}: {ended}",
        _result(context, "announce").get("headline"),
        f"run {run_id}",
        f"{base}{report_path(context['dag'].dag_id, run_id)}" if has_report else None,
    ]
    return "\n".join(line for line in lines if line)


def post(url: str, text: str) -> None:
    """Send it; raises what urllib raises, and ValueError for a URL that is not of the web."""
    if not url.startswith(("https://", "http://")):
        raise ValueError("takes http:// or https://")
    body = json.dumps({"text": text}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=SECONDS_TO_ANSWER):  # noqa: S310
        pass


def _url() -> str:
    """The web hook's, empty when there is none; raises OSError for a file that can't be read."""
    file = os.environ.get(f"{VARIABLE}_FILE")
    given = os.environ.get(VARIABLE) or (Path(file).read_text(encoding="utf-8") if file else "")
    return given.strip()


def _failure(context: Context) -> str | None:
    for task in context["dag"].tasks:
        result = _result(context, task.task_id)
        if result.get("status") in ("stopped", "failed"):
            return f"{task.task_id} {result['status']}: {result.get('reason')}"
    return None


def _verdict(context: Context) -> str | None:
    """What became of the candidate, when there was one to judge."""
    gate, published = _result(context, "gate"), _result(context, "publish")
    if gate.get("verdict") != "blessed":
        return ": ".join([*filter(None, [gate.get("verdict")]), *gate.get("reasons", [])[:1]])
    version = f"{published.get('name')}@{published.get('version')}"
    promoted = "version" in _result(context, "promote")
    return f"{version} is in production" if promoted else f"{version} is published, not promoted"


def _result(context: Context, task: str) -> dict[str, Any]:
    """What a task left; nothing when it did not come that far."""
    found = context["ti"].xcom_pull(task_ids=task) if "ti" in context else None
    return found if isinstance(found, dict) else {}
