"""The image of Airflow's own processes has what they import, and no library of machine learning."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement

from infra.images.thin import HEAVY, name_of, pins, problems, requirements
from tests.made import ROOT, environment

PYPROJECT, LOCK = ROOT / "pyproject.toml", ROOT / "requirements.lock"
OTHERS_ARE_AWAY = """
import re, sys
from importlib.metadata import packages_distributions

names = {names!r}
known = packages_distributions()

class Away:
    def find_spec(self, module, path=None, target=None):
        if path is None and module in known:
            of = {{re.sub("[-_.]+", "-", name).lower() for name in known[module]}}
            if not of & names:
                raise ModuleNotFoundError(f"No module named {{module!r}}", name=module)

sys.meta_path.insert(0, Away())
{code}
print("came through")
"""
WHAT_RUNS_IN_IT = """
import dags.nightly_retraining
import infra.compose.bucket
from infra.airflow.component import main
from airflow.plugins_manager import AirflowPlugin
sys.path.insert(0, "infra/airflow/plugins")
from reports import build
build()
from tasks.store.store import open_store
open_store("s3://bucket/prefix")
import airflow.providers.fab.auth_manager.fab_auth_manager
import airflow.providers.celery.executors.celery_executor
import airflow.providers.cncf.kubernetes.executors.kubernetes_executor
import psycopg2, asyncpg
"""


@cache
def closure() -> frozenset[str]:
    """The packages that pip brings for the thin image's requirements, by what is installed here."""
    found: set[tuple[str, str]] = set()
    waiting = [Requirement(line) for line in requirements(PYPROJECT)]
    while waiting:
        wanted = waiting.pop()
        for extra in ("", *wanted.extras):
            if (key := (name_of(wanted.name), extra)) not in found:
                found.add(key)
                needs = map(Requirement, distribution(wanted.name).requires or [])
                waiting += [
                    need for need in needs
                    if need.marker is None or need.marker.evaluate({"extra": extra})
                ]  # fmt: skip
    return frozenset(name for name, _ in found)


def ran(code: str) -> subprocess.CompletedProcess[str]:
    """Code where only the thin image's packages can be imported."""
    script = OTHERS_ARE_AWAY.format(names={*closure(), "nightshift"}, code=code)
    return subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment(), capture_output=True, text=True,
        check=False,
    )  # fmt: skip


def test_it_has_no_library_of_machine_learning() -> None:
    assert not set(HEAVY) & closure()
    assert len(closure()) < 0.8 * len(pins(LOCK))


def test_every_package_of_it_is_in_the_lock_file_at_the_version_that_was_tested() -> None:
    pinned = pins(LOCK)
    missing = sorted(closure() - set(pinned))
    assert missing == []
    assert {name: pinned[name] for name in closure()} == {
        name: distribution(name).version for name in closure()
    }


def test_what_runs_in_it_imports_nothing_else() -> None:
    done = ran(WHAT_RUNS_IN_IT)
    assert "came through" in done.stdout, done.stderr


def test_what_it_lacks_can_not_be_imported_there() -> None:
    done = ran("import torch")
    assert done.returncode == 1
    assert "No module named 'torch'" in done.stderr


def test_its_install_step_refuses_what_is_not_pinned_or_too_heavy() -> None:
    found = {"boto3": "1.0", "torch": "2.13.0", "surprise": "0.1", "pip": "24"}
    assert list(problems(found, {"boto3": "1.1", "torch": "2.13.0"})) == [
        "boto3==1.0 is installed, 1.1 is pinned",
        "torch is installed: this image is to be thin",
        "surprise==0.1 is not in the lock file",
    ]


def test_a_pin_may_be_for_some_pythons_alone(tmp_path: Path) -> None:
    line = "async-timeout==5.0.1; python_full_version < '3.11.3'"
    (tmp_path / "lock").write_text(f"{line}\n")
    assert pins(tmp_path / "lock") == {"async-timeout": "5.0.1"}


def test_names_are_compared_as_pip_compares_them(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text(
        "Flask-SQLAlchemy==3.1.1\nzc.lockfile==4.0\nruamel.yaml==0.19.1\n"
    )
    assert set(pins(tmp_path / "lock")) == {"flask-sqlalchemy", "zc-lockfile", "ruamel-yaml"}
