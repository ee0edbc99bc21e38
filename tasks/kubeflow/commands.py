"""The command that writes the graph in another engine's language."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tasks.stage.console import command
from tasks.store.store import open_store

app = typer.Typer()
compile_app = typer.Typer(no_args_is_help=True, help="Write the graph for another engine.")
app.add_typer(compile_app, name="compile")


@compile_app.callback()
def _several() -> None:
    """Keeps `kubeflow` a command of its own, though it is the only one."""


@compile_app.command()
def kubeflow(
    image: Annotated[str, typer.Option(help="The image of the stages, with its digest.")],
    output: Annotated[Path, typer.Option(help="The file to write.")] = Path("pipeline.yaml"),
    store: Annotated[
        str | None, typer.Option(help="Default of the parameter `store`; else NIGHTSHIFT_STORE.")
    ] = None,
) -> None:
    """Write the pipeline of dvc.yaml for Kubeflow Pipelines, with every parameter typed."""
    from tasks.kubeflow.pipeline import write_pipeline

    with command():
        write_pipeline(Path.cwd(), image, store or open_store().url, output)
    print(f"{output}: written; upload it, or run it with Kubeflow's own client")
