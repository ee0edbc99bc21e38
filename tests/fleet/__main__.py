"""Many models in one installation: measured here, simulated, held against each other, reckoned.

    python -m tests.fleet measure     a real night of one tiny model, and of several: an hour
    python -m tests.fleet dispatch    how many tasks a second a real scheduler sends out: minutes
    python -m tests.fleet check       the simulation beside the measured night: seconds
    python -m tests.fleet simulate    what 500 models need: a minute

The first two work below .nightshift/proofs; what the docs speak of is beside this file.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tests.fleet.measured import BURST, EARLIER, FILE, Both, Burst
from tests.made import ROOT

FOLDER = ROOT / ".nightshift" / "proofs" / "fleet"

app = typer.Typer(help=__doc__, add_completion=False, rich_markup_mode=None)

Night = Annotated[Path, typer.Option("--measured", help="The night that `measure` left.")]


@app.command()
def measure(
    models: Annotated[int, typer.Option(help="At once.")] = 20,
    minutes: Annotated[float, typer.Option(help="After so many it gives up.")] = 90,
    result: Annotated[Path, typer.Option(help="Where to leave it.")] = FOLDER / "measured.json",
) -> None:
    """Run one tiny model alone and several at once, in a real Airflow on a real S3 server."""
    from tests.fleet.measure import measure as measured

    found = Both(*measured(FOLDER / "work", models, 60 * minutes))
    found.write(result)
    for night in (found.alone, found.together):
        print(f"{len(night.models)} at once: {night.makespan:.0f} s, {dict(night.verbs())}")


@app.command()
def dispatch(
    models: Annotated[int, typer.Option(help="Whose nights begin at once.")] = 500,
    minutes: Annotated[float, typer.Option(help="After so many it gives up.")] = 30,
    database: Annotated[str, typer.Option(help="postgresql+psycopg2://…; without it SQLite.")] = "",
    result: Annotated[Path, typer.Option(help="Where to leave it.")] = FOLDER / "dispatch.json",
) -> None:
    """Measure how many tasks a second a real scheduler dispatches."""
    from tests.fleet.dispatch import measure as measured

    settings = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database} if database else {}
    found = measured(FOLDER / "burst", models, 60 * minutes, **settings)
    result.write_text(json.dumps(asdict(found), indent=1) + "\n", encoding="utf-8")
    print(result.read_text(encoding="utf-8"))


@app.command()
def check(
    measured: Night = FILE,
    earlier: Annotated[Path, typer.Option(help="One of fewer, for the delays.")] = EARLIER,
) -> None:
    """Hold the simulation against a measured night; exit code 1 when it is off by too much."""
    from tests.fleet.check import compare

    found = compare(Both.read(measured), Both.read(earlier))
    table = Table("", "predicted", "measured", "error", "allowed", "", box=None)
    for each in found:
        table.add_row(
            each.what, f"{each.predicted:,.1f}", f"{each.measured:,.1f}", f"{each.error:+.1%}",
            f"{each.tolerance:.0%}", "" if each.good else "too far off",
        )  # fmt: skip
    Console().print(table)
    raise typer.Exit(0 if all(each.good for each in found) else 1)


@app.command()
def simulate(
    models: Annotated[int, typer.Option(help="Whose nights begin at 02:00.")] = 500,
    hours: Annotated[float, typer.Option(help="In which all must be over.")] = 8,
    mix: Annotated[str, typer.Option(help="alike: the sample; mixed: larger ones, too.")] = "alike",
    rule: Annotated[str, typer.Option(help="upstream; downstream: Airflow's own.")] = "upstream",
    measured: Night = FILE,
    burst: Annotated[Path, typer.Option(help="What `dispatch` left.")] = BURST,
) -> None:
    """The fewest workers with which the night is over in time, and all that comes with it."""
    from tests.fleet.night import begun_first
    from tests.fleet.reckon import Fleet, Needs, fewest

    fleet = Fleet.of(models, mix, Both.read(measured), Burst.read(burst))
    if rule == "downstream":
        fleet = replace(fleet, plan=begun_first(fleet.plan))
    needs = Needs(fleet, *fewest(fleet, hours))
    for name, told in needs.lines():
        print(f"{name:10} {told}")


if __name__ == "__main__":
    app()
