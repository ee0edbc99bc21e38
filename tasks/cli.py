"""The console command `nightshift`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from tasks.expectations import commands as expectations
from tasks.handover import commands as handover
from tasks.handover.workspace import write_config
from tasks.housekeeping import commands as housekeeping
from tasks.kubeflow import commands as kubeflow
from tasks.monitoring import commands as monitoring
from tasks.registry import commands as registry
from tasks.shaping import commands as shaping
from tasks.stage.console import command
from tasks.stage.errors import BadInput
from tasks.store.store import VARIABLE, open_store
from tasks.tuning import commands as tuning

app = typer.Typer(
    help="From labelled text to a small, fast, proven model.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.add_typer(handover.app)
app.add_typer(registry.app)
app.add_typer(expectations.app)
app.add_typer(tuning.app)
app.add_typer(shaping.app)
app.add_typer(kubeflow.app)
app.add_typer(monitoring.app)
app.add_typer(housekeeping.app)

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
RELEASE = Path("models/release")


@app.command()
def run(
    stages: Annotated[
        list[str] | None, typer.Argument(help="Stages to bring up to date; none means all.")
    ] = None,
    force: Annotated[bool, typer.Option(help="Run them even if nothing changed.")] = False,
) -> None:
    """Bring the graph up to date (`dvc repro`), write the report, and say what came out.

    The exit code is dvc's: 0 when every stage is up to date.
    """
    from tasks.params.schema import Params
    from tasks.reporting.summary import print_summary

    with command():
        Params.load()
        _name_the_remote()
        code = _repro([*(stages or []), *(["--force"] if force else [])])
        _write_report()
        print_summary()
    raise typer.Exit(code)


def _name_the_remote() -> None:
    """With a store of one's own, `dvc push` and `dvc pull` know it too."""
    if os.environ.get(VARIABLE) and Path(".dvc").is_dir():
        write_config(Path(), open_store())


def _repro(arguments: list[str]) -> int:
    """`dvc repro` in this very process: who kills `nightshift run` has killed dvc."""
    from dvc.cli import main

    here = Path(sys.executable).parent
    os.environ["PATH"] = f"{here}{os.pathsep}{os.environ.get('PATH', '')}"
    return int(main(["repro", *arguments]))


def _write_report() -> Path:
    from tasks.reporting.page import write_page

    return write_page()


@app.command()
def report() -> None:
    """Write reports/index.html from what the stages reported."""
    with command():
        print(_write_report().resolve().as_uri())


@app.command()
def plan(as_json: Json = False) -> None:
    """Say what this machine will do: devices, precision, processes, threads, memory, providers."""
    from tasks.params.schema import Params
    from tasks.reporting.machine import describe_plan, print_plan

    with command():
        found = describe_plan(Params.load())
    print(json.dumps(found, indent=2)) if as_json else print_plan(found)


@app.command()
def predict(
    texts: Annotated[list[str] | None, typer.Argument(help="Texts; none reads --file.")] = None,
    file: Annotated[
        typer.FileText | None,
        typer.Option(help="A file with a text a line; `-` is standard input.", encoding="utf-8"),
    ] = None,
    release: Annotated[str, typer.Option(help="A release folder or its s3:// URI.")] = str(RELEASE),
    as_json: Json = False,
) -> None:
    """Say what a release answers to texts, on ONNX Runtime alone.

    A release for pairs of texts takes both on a line, a tab between them.
    """
    from tasks.inference import Predictor

    if texts and file:
        raise typer.BadParameter("give texts or --file, not both")
    lines = texts or [line.rstrip("\r\n") for line in (file or sys.stdin)]
    with command():
        predictor = Predictor.load(release)
        inputs = [_pair(line) for line in lines] if predictor.release.pairs else lines
        for text, found in zip(lines, predictor(inputs), strict=True):
            if as_json:
                print(json.dumps({"text": text, **_record(found)}, ensure_ascii=False))
            else:
                print(predictor.task.shown(found, text))


def _pair(line: str) -> tuple[str, str]:
    first, tab, second = line.partition("\t")
    if not tab:
        raise BadInput(f"{line[:40]!r}: this release takes two texts, a tab between them")
    return first, second


def _record(answer: Any) -> dict[str, Any]:
    """A Prediction as JSON; of several tasks, each one's by its name."""
    if isinstance(answer, dict):
        return {"answers": {name: each.record() for name, each in answer.items()}}
    found: dict[str, Any] = answer.record()
    return found


@app.command()
def sample(
    name: Annotated[str, typer.Argument(help="reviews, ratings, newsgroups …; docs/tasks.md.")],
    target: Annotated[Path, typer.Argument(help="The CSV file to write.")],
    rows: Annotated[int | None, typer.Option(min=1, help="How many; none means all.")] = None,
) -> None:
    """Write a sample as one CSV: the form that data of your own may have."""
    from tasks.sources.samples import sample_csv

    with command():
        sample_csv(name, target, rows)
    print(f"{target}: written; set ingest.source to it in params.yaml")


@app.command()
def doctor(as_json: Json = False) -> None:
    """Check that this machine has what a run needs; exit code 1 when it hasn't."""
    from tasks.reporting.machine import examine, print_examination

    checks = examine()
    print(json.dumps(checks, indent=2)) if as_json else print_examination(checks)
    if not all(check["ok"] for check in checks):
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
