"""One part of a local Airflow as a process that dies with the command that started it."""

from __future__ import annotations

import sys
from pathlib import Path

from tasks.stage import parent


def prepare_database() -> None:
    """Create or upgrade Airflow's tables, and make the pools that are not there yet."""
    from airflow.models.pool import Pool
    from airflow.utils.db import initdb

    from infra.airflow.settings import ROOT
    from tasks.handover.resources import read_table

    initdb()
    for name, slots in read_table(ROOT).pools.items():
        if Pool.get_pool(name) is None:
            Pool.create_or_update_pool(
                name, slots, "from infra/resources.yaml, at the first start", False
            )


def make_administrator(password: Path) -> None:
    """Make the first user, with the password in that file, unless there is one of that name.

    For an installation whose users are in the database (FAB); others are made on Airflow's page.
    """
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

    from infra.airflow.settings import USER

    with get_application_builder() as builder:
        users = builder.sm
        if users.find_user(username=USER) is None:
            role, secret = users.find_role("Admin"), password.read_text(encoding="utf-8").strip()
            users.add_user(USER, "first", "user", f"{USER}@localhost", role, password=secret)


def main(arguments: list[str]) -> None:
    """`database [PASSWORD FILE]`, or an `airflow` command such as `scheduler` with its options."""
    parent.watch()
    if arguments[0] == "database":
        prepare_database()
        for path in arguments[1:]:
            make_administrator(Path(path))
        return
    from airflow.__main__ import main as airflow

    sys.argv = ["airflow", *arguments]
    airflow()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main(sys.argv[1:])
