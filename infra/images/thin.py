"""What the image of Airflow's own processes needs: `thin.py PYPROJECT` prints its requirements.

They are Airflow with its providers and those few direct dependencies that the DAG files, the
plugin and the first start import; all else comes as dependencies of theirs, at the versions of
requirements.lock. `thin.py --check LOCK` holds what is installed against that.

The standard library alone: this runs before anything is installed.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

EXTRAS = ("airflow", "team")
IMPORTED = ("boto3", "psutil", "pydantic", "pyyaml", "typer")
"""Direct dependencies that tests/infra/images/test_thin.py finds to be enough."""
HEAVY = ("torch", "transformers", "onnxruntime", "great-expectations", "dvc", "pandas", "pyarrow")
_BROUGHT_BY_PYTHON = {"pip", "setuptools", "wheel"}


def requirements(pyproject: Path) -> list[str]:
    """The requirements to give to pip, pinned as the project pins them."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    extras = [line for name in EXTRAS for line in project["optional-dependencies"][name]]
    direct = {name_of(line): line for line in project["dependencies"]}
    return [*extras, *(direct[name] for name in IMPORTED)]


def name_of(requirement: str) -> str:
    """The package's name, normalised."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\[=<>!~; ]", requirement, maxsplit=1)[0]).lower()


def pins(lock: Path) -> dict[str, str]:
    """Every package of the lock file, normalised, and its version."""
    lines = [line.partition(";")[0].strip() for line in lock.read_text("utf-8").splitlines()]
    return {name_of(line): line.partition("==")[2] for line in lines if "==" in line}


def problems(found: dict[str, str], pinned: dict[str, str]) -> Iterator[str]:
    """What is installed and should not be, or in another version."""
    for name, version in found.items():
        if name in HEAVY:
            yield f"{name} is installed: this image is to be thin"
        elif name not in pinned and name not in _BROUGHT_BY_PYTHON:
            yield f"{name}=={version} is not in the lock file"
        elif name in pinned and version != pinned[name]:
            yield f"{name}=={version} is installed, {pinned[name]} is pinned"


def main(arguments: list[str]) -> int:
    """Print the requirements, or with --check what is wrong; the exit code is 1 when it is."""
    if arguments[0] != "--check":
        print("\n".join(requirements(Path(arguments[0]))))
        return 0
    found = {name_of(each.name): each.version for each in distributions()}
    wrong = list(problems(found, pins(Path(arguments[1]))))
    print("\n".join(wrong) or f"{len(found)} packages, as pinned")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
