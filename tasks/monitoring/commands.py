"""The command that shows the store's facts to Prometheus."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated

import typer

from tasks.monitoring.watch import Watch
from tasks.stage.console import MAY_PASS, command, leave_cleanly_on_sigterm, say
from tasks.stage.errors import BadInput
from tasks.store.store import open_store

app = typer.Typer()

HOST = "127.0.0.1"
PORT = 9469
SECONDS = 300.0


@app.command()
def metrics(
    store: Annotated[
        list[str] | None,
        typer.Option(help="A store's URL; may be repeated. By default NIGHTSHIFT_STORE."),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Print the page once, and end.")] = False,
    every: Annotated[float, typer.Option(min=1, help="Seconds between looks.")] = SECONDS,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = HOST,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = PORT,
) -> None:
    """Show runs, data, verdicts and production to Prometheus, read from the store's records.

    With --once exit code 75 says that not all of the store could be read.
    """
    with command():
        _check_installed()
        watches = [Watch(open_store(url, patience=0)) for url in store or [""]]
        whole = _print_once(watches) if once else _serve(watches, every, host, port)
    raise typer.Exit(0 if whole else MAY_PASS)


def _check_installed() -> None:
    if importlib.util.find_spec("prometheus_client") is None:
        raise BadInput("the package prometheus_client is missing: pip install prometheus-client")


def _print_once(watches: Sequence[Watch]) -> bool:
    from tasks.monitoring.page import Page

    looks = [watch.look() for watch in watches]
    print(Page([watch.state for watch in watches], counting=False).text(), end="")
    return all(looks)


def _serve(watches: Sequence[Watch], every: float, host: str, port: int) -> bool:
    """Serve until a signal says to end; the page is there before the first look is done."""
    from prometheus_client import start_http_server

    from tasks.monitoring.page import Page

    leave_cleanly_on_sigterm()
    page = Page([watch.state for watch in watches])
    try:
        server, _ = start_http_server(port, addr=host, registry=page.registry())
    except OSError as error:
        raise BadInput(f"{host}:{port}: {error.strerror}: give another --port or --host") from None
    say(f"http://{host}:{server.server_port}/metrics, a look every {every:g} s; Ctrl-C ends it")
    with suppress(KeyboardInterrupt):
        while True:
            began = time.monotonic()
            for watch in watches:
                watch.look()
            time.sleep(max(0.0, began + every - time.monotonic()))
    server.shutdown()
    return True
