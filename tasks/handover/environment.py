"""Whether this worker has the environment that a run was made with."""

from __future__ import annotations

import tomllib
from pathlib import Path

from tasks.stage.errors import BadInput
from tasks.stage.pins import mismatch

SHOWN = 5


def check_environment(project: Path) -> None:
    """Compare what is installed with the project's direct dependencies, which are pinned exactly.

    `requirements.lock` is an input of every stage: on a worker with other versions that would not
    be true, and its results would pass for those of the lock. Raises BadInput naming the packages.
    """
    content = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    pins = map(_pin, content["project"]["dependencies"])
    wrong = [told for name, wanted in pins if (told := mismatch(name, wanted))]
    if wrong:
        raise BadInput(
            f"this worker's environment is not the run's: {'; '.join(wrong[:SHOWN])}"
            f"{' …' if len(wrong) > SHOWN else ''}: install its requirements.lock"
        )


def _pin(requirement: str) -> tuple[str, str]:
    name, _, wanted = requirement.partition("==")
    return name.partition("[")[0], wanted
