"""One part of a local Airflow as a process that dies with the command that started it."""

from __future__ import annotations

import sys

from tasks.stage import parent


def prepare_database() -> None:
    """Create or upgrade Airflow's tables, and make the pools that are not there yet."""
    from airflow.models.pool import Pool
    from airflow.utils.db import initdb

    from dags.resources import read_table
    from infra.airflow.settings import ROOT

    initdb()
    for name, slots in read_table(ROOT).pools.items():
        if Pool.get_pool(name) is None:
            Pool.create_or_update_pool(
                name, slots, "from infra/resources.yaml, at the first start", False
            )


def main(arguments: list[str]) -> None:
    """`database`, or an `airflow` command such as `scheduler` with its options."""
    parent.watch()
    if arguments == ["database"]:
        prepare_database()
        return
    from airflow.__main__ import main as airflow

    sys.argv = ["airflow", *arguments]
    airflow()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main(sys.argv[1:])
