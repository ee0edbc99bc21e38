"""The settings of a local Airflow, and its secrets, made at the first start."""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

from infra.airflow.keys import airflow_keys, write_once

ROOT = Path(__file__).resolve().parent.parent.parent
HOME = ROOT / ".nightshift" / "airflow"
PORT = 8080
USER = "admin"
DATABASE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
SECONDS_FOR_SQLITE = 60
"""SQLite has one writer at a time. Who waits for it for longer than its own five seconds, as with
many models at once, would be told of a database error."""
SECRETS = "secrets.json"
PASSWORDS = "passwords.json"


def environment(home: Path, port: int, given: Mapping[str, str]) -> dict[str, str]:
    """The environment of every part of it; what is set in `given` already stays.

    So `AIRFLOW__DATABASE__SQL_ALCHEMY_CONN` chooses PostgreSQL, and `NIGHTSHIFT_STORE` a bucket.
    """
    url = f"http://127.0.0.1:{port}"
    defaults = {
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "infra" / "airflow" / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "3",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / PASSWORDS),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__EXPOSE_CONFIG": "False",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "60",
        # Hundreds of models are one file. One that is given up is broken to the scheduler, which
        # then starts none of its tasks; it is parsed again for whatever night has ended, too.
        "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "600",
        "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "600",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
        "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
        "NIGHTSHIFT_STORE": str(ROOT / ".nightshift" / "store"),
        **{f"AIRFLOW__{name}": value for name, value in _secrets(home).items()},
    }
    if not any(name.startswith(DATABASE) for name in given):  # _CMD and _SECRET name one, too
        defaults[DATABASE] = f"sqlite:///{home / 'airflow.db'}?timeout={SECONDS_FOR_SQLITE}"
    path = os.pathsep.join([str(Path(sys.executable).parent), given.get("PATH", "")])
    ours = {"AIRFLOW_HOME": str(home), "PYTHONPATH": str(ROOT), "PATH": path}
    return {**defaults, **given, **ours, "NIGHTSHIFT_STORE": _absolute(given, defaults)}


def password(home: Path) -> str:
    """The log-in of `USER`, made at the first start."""
    path = home / PASSWORDS
    if not path.exists():
        write_once(path, json.dumps({USER: secrets.token_urlsafe(12)}))
    found: str = json.loads(path.read_text(encoding="utf-8"))[USER]
    return found


def _secrets(home: Path) -> dict[str, str]:
    path = home / SECRETS
    if not path.exists():
        write_once(path, json.dumps(airflow_keys()))
    found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _absolute(given: Mapping[str, str], defaults: Mapping[str, str]) -> str:
    """The store's URL; a folder relative to where the command was given means that one."""
    store = given.get("NIGHTSHIFT_STORE") or defaults["NIGHTSHIFT_STORE"]
    return store if "://" in store else str(Path(store).expanduser().resolve())
