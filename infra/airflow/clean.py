"""Removes what is old from Airflow's own tables: `python -m infra.airflow.clean`.

Tasks of Airflow 3 have no way to its database, and should have none: this is no task of a DAG but a
command for where the scheduler runs, with its environment, called by cron, a CronJob or by hand.
The rows are those of `airflow db clean`: runs, task instances, XComs, logs and the rest that began
before the limit; the last scheduled run of every DAG stays, since the next one is counted from it.
"""

from __future__ import annotations

import argparse
import os
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.airflow.settings import HOME

DAYS = 90
FEWEST_DAYS = 7
"""A run may take a day, and wait for a person for most of another."""
BATCH = 10_000
"""Rows a transaction: the scheduler works on meanwhile."""
OWN = ("AIRFLOW_HOME", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AIRFLOW_CONFIG")
"""Any of these says which Airflow is meant; without them it is the one of `make airflow`."""


class Failed(Exception):
    """It could not be done; the text says why."""


def clean(days: int, dry_run: bool) -> None:
    """Remove rows older than so many days, or say how many there are.

    Raises Failed when there are no tables of Airflow, or some could not be cleaned.
    """
    if not any(name in os.environ for name in OWN):
        os.environ["AIRFLOW_HOME"] = str(HOME)
    from airflow.utils.db_cleanup import run_cleanup
    from airflow.utils.session import create_session

    before = datetime.now(UTC) - timedelta(days=days)
    with create_session() as session:
        _check_tables(session)
        try:
            run_cleanup(
                clean_before_timestamp=before,  # type: ignore[arg-type]  # takes any aware datetime
                dry_run=dry_run,
                confirm=False,
                skip_archive=True,
                batch_size=BATCH,
                error_on_cleanup_failure=True,
                session=session,
            )
        except RuntimeError as error:
            raise Failed(str(error)) from None


def _check_tables(session: Any) -> None:
    """A database of nobody's would pass for a clean one."""
    from sqlalchemy import inspect

    bind = session.get_bind()
    if not inspect(bind).has_table("dag_run"):
        where = bind.url.render_as_string(hide_password=True)
        raise Failed(
            f"{where} has no tables of Airflow: run this with the scheduler's environment "
            f"({' or '.join(OWN[:2])})"
        )


def main(arguments: list[str] | None = None) -> int:
    """The command line; the exit code is 0 when all tables were cleaned."""
    parser = argparse.ArgumentParser(
        prog="python -m infra.airflow.clean",
        description="Remove what is old from Airflow's own tables, for good.",
    )
    parser.add_argument(
        "--days", type=int, default=DAYS, help=f"what is kept (%(default)s), {FEWEST_DAYS} or more"
    )
    parser.add_argument("--dry-run", action="store_true", help="only count")
    given = parser.parse_args(arguments)
    if given.days < FEWEST_DAYS:
        parser.error(f"--days: got {given.days}; takes {FEWEST_DAYS} or more")
    try:
        clean(given.days, given.dry_run)
    except Failed as error:
        print(f"airflow: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
