"""The commands around the registry: judge, publish, let serve, take back, list."""

from __future__ import annotations

import getpass
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tasks.stage.console import command, say, step
from tasks.stage.errors import BadInput
from tasks.store.store import open_store

if TYPE_CHECKING:
    from tasks.registry.versions import VersionRow

app = typer.Typer()

RunId = Annotated[
    str | None, typer.Option("--run", help="A run in the store; without it, this checkout's own.")
]
Result = Annotated[Path | None, typer.Option(help="A file to leave the outcome in, as JSON.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Name = Annotated[
    str | None, typer.Option("--name", help="The model's name; by default publish.name.")
]
CODES = {"blessed": 0, "refused": 3, "nothing new": 4}
"""What `nightshift gate` ends with; 1 and 75 are errors."""


@app.command()
def gate(run: RunId = None, result: Result = None, as_json: Json = False) -> None:
    """Judge a release against what is in production, both scored now on today's test split.

    Exit code 0: it may be published; 3: refused, with reasons; 4: it is what serves already.
    """
    from tasks.gate import print_verdict

    with step(result) as found:
        report = _judged(run)
        found.update(verdict=report["verdict"], reasons=report["reasons"], ran=True)
    if as_json:
        print(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        print_verdict(report)
    raise typer.Exit(CODES[report["verdict"]])


def _judged(run: str | None) -> dict[str, Any]:
    from tasks.handover import after
    from tasks.handover.run import Run

    store = open_store()
    if run is not None:
        return after.gate(Run(store, run), say)
    return after.judge(store)


@app.command()
def publish(run: RunId = None, result: Result = None, as_json: Json = False) -> None:
    """Publish the release that the gate has let through as a new, immutable version."""
    from tasks.handover import after
    from tasks.handover.run import Run

    with step(result) as found:
        store = open_store()
        here = Path.cwd()
        if run is not None:
            published = after.publish(Run(store, run), here, say)
        else:
            published = after.publish_here(store, here, say)
        found.update(published, ran=published["created"])
    if as_json:
        print(json.dumps(published, indent=2, ensure_ascii=False))
    else:
        state = "published" if published["created"] else "is there already"
        print(f"{published['name']}@{published['version']} {state}")


@app.command()
def promote(
    version: Annotated[
        str | None, typer.Argument(help="NAME@vMAJOR.N.0, or the version of publish.name.")
    ] = None,
    run: RunId = None,
    result: Result = None,
) -> None:
    """Let a published version serve: `production` points at it from now on."""
    from tasks.handover import after
    from tasks.handover.run import Run
    from tasks.registry import aliases

    with step(result) as found:
        store = open_store()
        if run is not None:
            found.update(after.promote(Run(store, run), by=f"run {run}"), ran=True)
        elif version is not None:
            name, number = _named(version)
            aliases.promote(store, name, number, by=_person())
            found.update(name=name, version=number, ran=True)
        else:
            raise BadInput("promote: takes NAME@VERSION, or --run")
    print(f"{found['name']}@{found['version']} is in production")


@app.command()
def rollback(
    name: Name = None,
    to: Annotated[
        str | None, typer.Option(help="The version to go back to; by default the one before.")
    ] = None,
    reason: Annotated[
        str, typer.Option(help="Why, for those who read the history.")
    ] = "rolled back",
) -> None:
    """Take production back to the version before, and revoke the one that is left.

    The gate refuses a revoked release from then on, whichever night brings it again.
    """
    from tasks.registry import aliases

    with command():
        store, model = open_store(), name or _own_name()
        before = aliases.production(store, model)
        after = aliases.rollback(store, model, by=_person(), to=to, reason=reason)
    print(f"{model}: {before} is revoked; {after.production} is in production")


@app.command()
def versions(name: Name = None, as_json: Json = False) -> None:
    """List what has been published, what serves, and what was taken back."""
    from tasks.registry.versions import versions as listed

    with command():
        model = name or _own_name()
        rows = listed(open_store(), model)
    if as_json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        _print_versions(model, rows)


def _print_versions(model: str, rows: Sequence[VersionRow]) -> None:
    from rich.console import Console
    from rich.table import Table

    if not rows:
        print(f"nothing has been published as {model}")
        return
    metrics = list(dict.fromkeys(row.metric for row in rows))
    measured = metrics[0] if len(metrics) == 1 else "measured"
    table = Table("version", "", measured, "one text", "size", "published", "run", box=None)
    for row in rows:
        state = f"revoked: {row.revoked}" if row.revoked else ", ".join(row.aliases)
        figure = _figure(row) if len(metrics) == 1 else f"{row.metric} {_figure(row)}"
        latency = "" if row.latency_ms is None else f"{row.latency_ms:.2f} ms"
        size = f"{row.size_mb:.1f} MB"
        table.add_row(row.version, state, figure, latency, size, row.created, row.run or "")
    Console(highlight=False).print(table)


def _figure(row: VersionRow) -> str:
    if row.figure is None:
        return ""
    return f"{100 * row.figure:.2f} %" if row.share else f"{row.figure:.3f}"


def _named(text: str) -> tuple[str, str]:
    name, at, version = text.rpartition("@")
    return (name if at else _own_name()), version


def _own_name() -> str:
    from tasks.params.base import load_section
    from tasks.params.publish import Publish

    return load_section(Publish).name


def _person() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"
