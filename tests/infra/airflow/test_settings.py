from __future__ import annotations

import stat
from pathlib import Path

import pytest

from infra.airflow.keys import write_once
from infra.airflow.options import unknown
from infra.airflow.settings import DATABASE, environment


def test_airflow_knows_every_option_of_a_local_installation(tmp_path: Path) -> None:
    assert unknown(name for name in environment(tmp_path, 8080, {}) if "AIRFLOW__" in name) == []


def test_keys_are_made_once_and_read_by_their_owner_alone(tmp_path: Path) -> None:
    first = environment(tmp_path / "home", 8080, {})["AIRFLOW__CORE__FERNET_KEY"]
    assert environment(tmp_path / "home", 8080, {})["AIRFLOW__CORE__FERNET_KEY"] == first
    assert environment(tmp_path / "other", 8080, {})["AIRFLOW__CORE__FERNET_KEY"] != first
    for path in (tmp_path / "home").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        write_once(tmp_path / "home" / "secrets.json", "{}")


@pytest.mark.parametrize("way", ["", "_CMD", "_SECRET"])
def test_a_database_that_is_named_takes_sqlites_place(tmp_path: Path, way: str) -> None:
    assert environment(tmp_path, 8080, {})[DATABASE].startswith(f"sqlite:///{tmp_path}/airflow.db?")
    given = {f"{DATABASE}{way}": "postgresql+psycopg2://airflow@127.0.0.1/airflow"}
    found = environment(tmp_path, 8080, given)
    assert {name: value for name, value in found.items() if name.startswith(DATABASE)} == given
