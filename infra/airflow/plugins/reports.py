"""The tab "Report" on a run's page: what the store holds below `runs/<run>/reports/`, read-only.

Part of Airflow's own server, so that who may see the DAG may see its reports, and nobody else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from functools import cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from airflow.plugins_manager import AirflowPlugin

from dags.report import PREFIX

if TYPE_CHECKING:
    from fastapi import FastAPI, Request, Response

DAG_ID = "nightly_retraining"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".csv": "text/csv; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".ico": "image/x-icon",
}
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-store",
}
"""Pages hold texts from people's data: no script of theirs runs, nothing is fetched elsewhere."""


def build() -> FastAPI:
    """The application: `/dags/DAG_ID/runs/RUN_ID/reports/PATH`, for users who may read the DAG's
    runs."""
    from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
    from airflow.api_fastapi.core_api.security import requires_access_dag
    from fastapi import Depends, FastAPI, HTTPException

    allowed = Depends(requires_access_dag("GET", DagAccessEntity.RUN))
    app = FastAPI(title="nightshift reports", docs_url=None, redoc_url=None, openapi_url=None)

    @app.exception_handler(HTTPException)
    def refuse(request: Request, error: HTTPException) -> Response:
        return _refusal(request, error.status_code)

    @app.get("/dags/{dag_id}/runs/{run_id}/reports/{path:path}", dependencies=[allowed])
    def serve(dag_id: str, run_id: str, path: str) -> Response:
        return _file(dag_id, run_id, path)

    return app


async def reports(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    """The application as ASGI, built at the first request: workers load plugins too."""
    await _built()(scope, receive, send)


class NightshiftReports(AirflowPlugin):
    """Adds the application to Airflow's server and its page to every run."""

    name = "nightshift_reports"
    fastapi_apps = [  # noqa: RUF012 - Airflow wants it so
        {"app": reports, "url_prefix": PREFIX, "name": "nightshift reports"}
    ]
    external_views = [  # noqa: RUF012
        {
            "name": "Report",
            "href": f"{PREFIX}/dags/{{DAG_ID}}/runs/{{RUN_ID}}/reports/index.html",
            "destination": "dag_run",
            "url_route": "nightshift-report",
        }
    ]


@cache
def _built() -> FastAPI:
    return build()


def _file(dag_id: str, run_id: str, path: str) -> Response:
    from fastapi import HTTPException, Response

    from infra.airflow.settings import ROOT
    from tasks.handover.models import models
    from tasks.handover.names import run_slug
    from tasks.store.store import open_store

    kind = TYPES.get(PurePosixPath(path).suffix)
    stores = [model.store for model in models(ROOT) if model.dag_id(DAG_ID) == dag_id]
    if kind is None or not is_plain(path) or not stores:
        raise HTTPException(404)
    found = open_store(stores[0]).read(f"runs/{run_slug(run_id)}/reports/{path}")
    if found is None:
        raise HTTPException(404)
    return Response(found.content, media_type=kind, headers=HEADERS)


def is_plain(path: str) -> bool:
    """Whether a path only goes down: no `..`, nothing absolute, no empty or hidden part."""
    return all(part and not part.startswith(".") and "\\" not in part for part in path.split("/"))


def _refusal(request: Request, status: int) -> Response:
    """A page says why; who merely has to log in is sent there, and comes back."""
    from urllib.parse import urlencode

    from fastapi.responses import RedirectResponse

    here = str(request.url)
    if status == 401 and request.headers.get("sec-fetch-dest") == "document":
        return RedirectResponse(f"/api/v2/auth/login?{urlencode({'next': here})}")
    return _page(*_said(status, here), status)


def _said(status: int, here: str) -> tuple[str, str]:
    if status == 401:
        return "Open it in a tab of its own", f"A frame can't show it. Its address is {here}"
    if status == 403:
        return "Not yours to see", "Reports are for users who may read their DAG."
    if here.endswith("/index.html"):
        return "Nothing here yet", "The task announce writes the report, at the end of a run."
    return "Nothing here", "The run left no such file."


def _page(title: str, text: str, status: int) -> Response:
    from html import escape

    return _html(escape(title), f"<p>{escape(text)}</p>", status)


def _html(title: str, body: str, status: int) -> Response:
    from fastapi.responses import HTMLResponse

    style = "font: 16px/1.5 system-ui, sans-serif; margin: 3rem; color-scheme: light dark"
    content = f"<h1>{title}</h1>{body}"
    page = f"<!doctype html><title>{title}</title><body style='{style}'>{content}"
    return HTMLResponse(page, status, headers=HEADERS)
