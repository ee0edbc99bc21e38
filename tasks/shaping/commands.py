"""The command around the search for shapes."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from tasks.stage.console import command, leave_cleanly_on_sigterm

app = typer.Typer()


@app.command()
def shape(
    speedup: Annotated[
        list[float],
        typer.Option(
            help="How many times as fast as the fine-tuned model in int8 a level is to be, at one "
            "text at a time. Give it once a level, the slower first."
        ),
    ],
    write: Annotated[bool, typer.Option(help="Write what was found to params.yaml.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Search for how many layers, heads and neurons levels that fast should have on this machine.

    Needs what `finetune` has made. What is faster by leaving early comes on top.
    """
    from tasks.shaping.shape import shaped

    def say(line: str) -> None:
        print(f"shape: {line}", file=sys.stderr if as_json else sys.stdout, flush=True)

    with command():
        leave_cleanly_on_sigterm()
        report = shaped(speedup, write, say)
    if as_json:
        print(json.dumps(report, indent=2, ensure_ascii=False))
