"""The commands of a run: what an orchestrator calls, step by step, and the whole night at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tasks.handover.night import Night
from tasks.handover.run import Run
from tasks.stage.console import say, step
from tasks.store.store import open_store

app = typer.Typer()

RunId = Annotated[str, typer.Option("--run", help="The run's id: lower-case letters, digits, -.")]
Result = Annotated[Path | None, typer.Option(help="A file to leave the outcome in, as JSON.")]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", help="section.key=VALUE over params.yaml; may be repeated."),
]


@app.command()
def prepare(
    run: RunId,
    changes: Changes = None,
    model: Annotated[
        Path | None,
        typer.Option(help="A folder with the params.yaml of one of several models, used here."),
    ] = None,
    result: Result = None,
) -> None:
    """Begin a run: pin its code, its parameters and where it starts from, in the store."""
    from tasks.handover.prepare import prepare as begin

    with step(result) as found:
        begun = begin(open_store(), run, Path.cwd(), changes or [], model=model)
        found.update(begun.facts(), ran=True)
    print(f"run {run}: code {found['revision']}, starts from {found['base'] or 'nothing'}")
    for key, value in found["changes"].items():
        print(f"run {run}: {key} = {value}")


@app.command()
def stage(
    name: Annotated[str, typer.Argument(help="A stage of dvc.yaml.")],
    run: RunId,
    force: Annotated[bool, typer.Option(help="Run it even if nothing changed.")] = False,
    host: Annotated[
        int, typer.Option(min=0, help="1 and up: train beside host 0, where NAME.hosts says so.")
    ] = 0,
    result: Result = None,
) -> None:
    """Bring one stage of a run up to date on this machine, which needs nothing but the store.

    Exit code 0: it came through; 75: it may by trying again; 1: it won't.
    """
    from tasks.handover.gang import attend
    from tasks.handover.worker import work

    with step(result) as found:
        if host:
            attempts = attend(_run(run), name, host, say)
            found.update(ran=attempts > 0)
            print(f"{name}: it came through; host {host} took part {attempts} time(s)")
            return
        record = work(_run(run), name, say, force)
        found.update(ran=record.ran, attempt=record.attempt)
    done = "done" if found["ran"] else "nothing had changed"
    print(f"{name}: {done} in {record.seconds:.1f} s (attempt {record.attempt})")


@app.command()
def announce(run: RunId, result: Result = None) -> None:
    """Write a run's report page into the store, and say what came out."""
    from tasks.handover import after

    with step(result) as found:
        found.update(after.announce(_run(run), say), ran=True)
    print(f"{found['headline']}\n{found['page']}")


@app.command()
def cleanup(run: RunId, result: Result = None) -> None:
    """Remove what only a run at work needs: checkpoints, and dead workers' scratch folders."""
    from tasks.handover import after

    with step(result):
        after.cleanup(_run(run))


@app.command()
def night(
    run: Annotated[str | None, typer.Option("--run", help="Its id; by default the time.")] = None,
    changes: Changes = None,
    result: Result = None,
) -> None:
    """A whole night on this machine: every step that Airflow would run, one after the other.

    Exit code 0 also when the gate refuses: that is an outcome, not a failure.
    """
    with step(result) as found:
        found.update(Night(open_store(), run, Path.cwd(), changes or [], say).run())


def _run(name: str) -> Run:
    return Run(open_store(), name)
