"""What is old leaves the tables of a real Airflow, and nothing else does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.made import ROOT, environment

SCRIPT = """
import sqlite3, sys
from datetime import UTC, datetime, timedelta
from infra.airflow.clean import main
from infra.airflow.component import prepare_database

RUN = (
    "INSERT INTO dag_run (dag_id, run_id, run_type, run_after, start_date, clear_number, "
    "span_status) VALUES ('nightly', ?, ?, ?, ?, 0, 'ended')"
)
EVENT = "INSERT INTO log (event, dttm) VALUES (?, ?)"

def ago(days):
    return str((datetime.now(UTC) - timedelta(days=days)).replace(tzinfo=None))

def left():
    with sqlite3.connect(sys.argv[1]) as database:
        runs = [row[0] for row in database.execute("SELECT run_id FROM dag_run ORDER BY run_id")]
        events = "SELECT event FROM log WHERE event LIKE '%ago' ORDER BY event"
        tables = "SELECT name FROM sqlite_master WHERE name LIKE '_airflow_deleted%'"
        print("left", runs, *([row[0] for row in database.execute(q)] for q in (events, tables)))

prepare_database()
with sqlite3.connect(sys.argv[1]) as database:
    for run, kind, days in (
        ("oldest", "scheduled", 300), ("tried", "manual", 200), ("last", "scheduled", 100),
        ("fresh", "manual", 5),
    ):
        database.execute(RUN, (run, kind, ago(days), ago(days)))
    for days in (300, 91, 89):
        database.execute(EVENT, (f"{days} days ago", ago(days)))
assert main(["--dry-run"]) == 0
left()
assert main(["--days", "90"]) == 0
left()
"""


def python(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in environment().items() if "AIRFLOW" not in key}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**kept, "AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"},
        capture_output=True,
        text=True,
    )


def test_what_is_old_goes_but_the_last_run_that_the_next_is_counted_from(tmp_path: Path) -> None:
    """A dry run on tables as `make airflow` makes them, then a real one."""
    done = python(tmp_path, "-c", SCRIPT, str(tmp_path / "airflow.db"))
    assert done.returncode == 0, done.stderr
    assert "Found 2 rows meeting deletion criteria." in done.stdout
    dry, real = (line for line in done.stdout.splitlines() if line.startswith("left"))
    runs, events = ["fresh", "last", "oldest", "tried"], [f"{n} days ago" for n in (300, 89, 91)]
    assert dry == f"left {runs} {events} []"
    assert real == "left ['fresh', 'last'] ['89 days ago'] []"


def test_a_database_of_nobodys_is_not_taken_for_a_clean_one(tmp_path: Path) -> None:
    done = python(tmp_path, "-m", "infra.airflow.clean")
    assert done.returncode == 1
    assert "has no tables of Airflow: run this with the scheduler's environment" in done.stderr


def test_what_runs_may_still_need_can_t_be_removed(tmp_path: Path) -> None:
    done = python(tmp_path, "-m", "infra.airflow.clean", "--days", "1")
    assert done.returncode == 2
    assert "--days: got 1; takes 7 or more" in done.stderr
