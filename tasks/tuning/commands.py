"""The command around the search for better parameters."""

from __future__ import annotations

import fcntl
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tasks.stage.console import command, leave_cleanly_on_sigterm
from tasks.stage.errors import Unavailable
from tasks.stage.outputs import STATE

app = typer.Typer()

FOLDER = STATE / "tune"


class Stage(StrEnum):
    """What a trial runs, and is judged by."""

    FINETUNE = "finetune"
    PRUNE = "prune"


@app.command()
def tune(
    space: Annotated[
        list[str],
        typer.Option(
            help="A parameter and what it may be, KEY=LOW..HIGH, KEY=LOW..HIGH:log or "
            "KEY=CHOICE,CHOICE; or a YAML file of such lines. Give it several times."
        ),
    ],
    stage: Annotated[Stage, typer.Option(help="Whose validation figure is searched for.")] = (
        Stage.FINETUNE
    ),
    minutes: Annotated[float, typer.Option(min=0, help="When to stop.")] = 60.0,
    trials: Annotated[
        int | None, typer.Option(min=1, help="Stop at so many trials, earlier ones included.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The study's; the stage's name by default.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed draws other trials.")] = 17,
    fresh: Annotated[bool, typer.Option(help="Forget what the study knows.")] = False,
    write: Annotated[bool, typer.Option(help="Write the best to params.yaml.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Search for parameters with a better figure on the validation split.

    What is in params.yaml is tried first, and replaced only by what is better. Called again, the
    study goes on where it was left.
    """
    from tasks.tuning.tune import Wanted, tuned

    def say(line: str) -> None:
        print(f"tune: {line}", file=sys.stderr if as_json else sys.stdout, flush=True)

    study = name or stage.value
    with command():
        leave_cleanly_on_sigterm()
        with _alone(study):
            wanted = Wanted(
                space, stage.value, study, FOLDER, seed, time.monotonic() + 60 * minutes,
                trials, fresh, write,
            )  # fmt: skip
            report = tuned(wanted, say)
    if as_json:
        print(json.dumps(report, indent=2, ensure_ascii=False))


@contextmanager
def _alone(study: str) -> Iterator[None]:
    """Held by one search a study; the kernel gives it back when the holder dies."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with open(Path(FOLDER / f"{study}.lock"), "w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Unavailable(f"another `nightshift tune` works on the study {study}") from None
        yield
