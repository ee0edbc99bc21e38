from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.made import environment


class Said(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    output: str


@pytest.fixture(scope="session")
def promtool() -> Callable[..., Said]:
    """Prometheus' own `promtool`, as a function of its arguments."""
    found = shutil.which("promtool")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("promtool is missing: .ci/run installs Debian's package prometheus")
        pytest.skip("promtool is missing (Debian: apt-get install prometheus)")

    def run(*arguments: str | Path, text: str | None = None) -> Said:
        done = subprocess.run(
            [found, *map(str, arguments)], input=text, capture_output=True, text=True,
            env=environment(),
        )  # fmt: skip
        return Said(done.returncode, done.stdout + done.stderr)

    return run
