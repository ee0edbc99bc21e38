"""The weekly commands: what is old goes, what nothing needs goes, an old version is tried out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from tasks.params.housekeeping import Housekeeping
from tasks.stage.console import say, step
from tasks.stage.errors import StageError
from tasks.store.store import open_store

app = typer.Typer()

Apply = Annotated[bool, typer.Option(help="Do it; without it, only say what would go.")]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", help="housekeeping.key=VALUE over params.yaml; may be repeated."),
]
Result = Annotated[Path | None, typer.Option(help="A file to leave the outcome in, as JSON.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


@app.command()
def expire(
    apply: Apply = False, changes: Changes = None, result: Result = None, as_json: Json = False
) -> None:
    """Remove old runs that no version came from and no next run starts from."""
    from tasks.housekeeping.retention import expire as expired

    with step(result) as found:
        section = _section(changes)
        found.update(expired(open_store(), section, _aside, apply), applied=apply, ran=apply)
    _print(found, as_json)


@app.command()
def gc(
    apply: Apply = False,
    despite_loss: Annotated[
        bool, typer.Option(help="Go on when a listing that something needs is lost.")
    ] = False,
    changes: Changes = None,
    result: Result = None,
    as_json: Json = False,
) -> None:
    """Remove DVC's objects and code that no run, version, branch or tag needs any more."""
    from tasks.housekeeping.garbage import collect

    with step(result) as found:
        section, store = _section(changes), open_store()
        found.update(collect(store, section, _aside, apply, despite_loss), applied=apply, ran=apply)
    _print(found, as_json)


@app.command()
def drill(
    version: Annotated[
        str | None, typer.Option(help="As v1.4.0; by default the one whose turn it is.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The model's name; by default publish.name.")
    ] = None,
    changes: Changes = None,
    result: Result = None,
    as_json: Json = False,
) -> None:
    """Bring an old version back and measure it: it must give the figures it was published with.

    Exit code 0: it does, or nothing was published yet; 1: it does not; 75: the store is away.
    """
    from tasks.housekeeping.drill import drill as drilled
    from tasks.params.base import load_section
    from tasks.params.publish import Publish

    with step(result) as found:
        section, model = _section(changes), name or load_section(Publish).name
        try:
            found.update(drilled(open_store(), model, section, _aside, version), name=model)
        except StageError as error:
            found.update(error.findings)
            raise
        found["ran"] = found["version"] is not None
    if as_json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        _print_drill(found)


def _section(changes: list[str] | None) -> Housekeeping:
    from tasks.handover.prepare import parse, with_changes
    from tasks.params.base import PARAMS, check, read
    from tasks.params.schema import Params

    changed = dict(parse(change) for change in changes or [])
    return check(Params, with_changes(read(PARAMS), changed)).housekeeping


def _aside(line: str) -> None:
    """What happens on the way goes beside the outcome, which a script may read."""
    typer.echo(line, err=True)


def _print(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table

    goes = "removed" if found["applied"] else "would go"
    table = Table("", "kept", "", goes, "", box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    for room, each in found["rooms"].items():
        kept, gone = _megabytes(each["kept_bytes"]), _megabytes(each["removed_bytes"])
        table.add_row(room, str(each["kept"]), kept, str(each["removed"]), gone)
    Console(highlight=False).print(table)
    for line in found.get("lost", []):
        say(f"lost: {line}")
    if not found["applied"]:
        say("nothing was removed: --apply does it")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"


def _print_drill(found: dict[str, Any]) -> None:
    if found["version"] is None:
        say(f"{found['name']}: no run has published a version yet: there is nothing to bring back")
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(f"{found['name']}@{found['version']}", "recorded", "now", "points", box=None)
    for each in found["figures"]:
        numbers = f"{each['recorded']:.4f}", f"{each['now']:.4f}", f"{each['points']:.2f}"
        table.add_row(each["name"], *numbers)
    Console(highlight=False).print(table)
