"""What Kubeflow does for us: the command that writes the graph in its language, and TrainJobs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tasks.stage.console import command, say, step
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


@app.command()
def trainjob(
    name: Annotated[str, typer.Argument(help="A stage that several hosts train together.")],
    run: Annotated[str, typer.Option("--run", help="The run's id.")],
    hosts: Annotated[int, typer.Option(min=1, help="How many, as NAME.hosts of the run says.")],
    namespace: Annotated[str, typer.Option(help="Where its pods are.")] = "nightshift",
    result: Annotated[
        Path | None, typer.Option(help="A file to leave the outcome in, as JSON.")
    ] = None,
) -> None:
    """Have a stage done by a TrainJob of Kubeflow's Trainer, and wait for its end.

    Exit code 0: it came through; 75: it may by trying again; 1: it won't.
    """
    from tasks.handover.names import check_slug
    from tasks.handover.resources import read_table
    from tasks.kubeflow.cluster import Cluster
    from tasks.kubeflow.launch import train
    from tasks.kubeflow.trainjob import train_job

    with step(result) as found:
        table = read_table(Path.cwd())
        task = table.task("nightly_retraining", name)
        job = train_job(check_slug(run), name, hosts, task, table.queues[task.queue])
        found.update(train(Cluster(namespace, say), job, say))
    print(f"{name}: it came through on {hosts} hosts")
