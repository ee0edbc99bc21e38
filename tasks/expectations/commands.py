"""The command `nightshift expect`: a proposal from a good day's data, and the suite in effect."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tasks.stage.console import command, say
from tasks.stage.errors import BadInput
from tasks.stage.outputs import whole

app = typer.Typer()

EXPECTATIONS = Path("expectations.yaml")
INTAKE = Path("data/intake.json")
REPORT = Path("reports/validate.json")


@app.command()
def expect(
    show: Annotated[bool, typer.Option("--show", help="Print the whole suite in effect.")] = False,
    write: Annotated[bool, typer.Option("--write", help=f"Write {EXPECTATIONS}.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite the one that is there.")
    ] = False,
) -> None:
    """Propose what to expect of the data, from those that are here: what a good day is like.

    The proposal goes to standard output; every line of it is meant to be edited.
    """
    with command():
        if show:
            say(_effective())
        elif write:
            _write(_proposal(), force)
        else:
            say(_proposal())


def _effective() -> str:
    from tasks.expectations.suite import read_suite
    from tasks.expectations.writing import effective_text

    return "\n".join(map(effective_text, read_suite()))


def _proposal() -> str:
    from tasks.expectations.proposal import propose, read_if_there

    return propose(read_if_there(INTAKE), read_if_there(REPORT))


def _write(proposal: str, force: bool) -> None:
    if EXPECTATIONS.exists() and not force:
        raise BadInput(
            f"{EXPECTATIONS} is there: --force overwrites it; without --write the proposal is "
            f"printed, to copy from"
        )
    with whole(EXPECTATIONS) as draft:
        draft.write_text(proposal, encoding="utf-8")
    say(f"{EXPECTATIONS}: written; every entry is yours to edit")
