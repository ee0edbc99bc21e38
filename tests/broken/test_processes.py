"""The worst of the battery as whole processes: no traceback, no hang, and little memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tasks.stage.outputs import read_json
from tests.broken.case import NIGHT, Goes, Stops
from tests.broken.inputs import BATTERY, pinned
from tests.made import environment

WORST = [
    "compressed-a-bomb-in-one-line",
    "compressed-a-bomb-of-rows",
    "compressed-a-bomb-of-quotes",
    "compressed-a-bomb-of-json",
    "parquet-a-bomb-of-rows",
    "parquet-a-bomb-of-texts",
    "parquet-damaged-footer",
    "json-deep",
    "table-a-line-without-end",
    "table-ten-megabytes-of-quotes",
    "encoding-utf-16-be-without-bom",
    "place-gone-meanwhile",
    "content-ten-thousand-classes",
]
LONGEST_SECONDS = 20
MOST_MEGABYTES = 300
WATCH = """
import os, subprocess, sys
stage = subprocess.Popen([sys.executable, "-m", sys.argv[1]])
_, status, usage = os.wait4(stage.pid, 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""
"""A small process between: a child's peak begins with the memory of the one that starts it."""


@pytest.mark.parametrize("name", WORST)
def test_the_worst_end_in_one_line_soon_and_small(name: str, workspace: Path) -> None:
    case = BATTERY[name]
    case.make(Path(NIGHT))
    section = {"source": NIGHT, "validation": 0.2, "test": 0.2, **case.params}
    Path("params.yaml").write_text(yaml.safe_dump({"ingest": section}))
    pinned(case)

    code, said, megabytes = whole_process("tasks.ingest")

    assert "Traceback" not in said
    assert megabytes < MOST_MEGABYTES
    report = read_json("reports/ingest.json")
    if isinstance(case.must, Goes):
        assert (code, report["status"]) == (0, "ok")
        return
    assert isinstance(case.must, Stops)
    assert (code, report["status"]) == (1, case.must.error.status)
    assert report["retryable"] is case.must.error.retryable
    assert all(part in report["reason"] for part in case.must.parts)
    assert f"ingest {report['status']}: {report['reason']}" in said


def whole_process(module: str) -> tuple[int, str, float]:
    """Run a stage; its exit code, what it said on stderr, and its peak memory in MB."""
    command = [sys.executable, "-c", WATCH, module]
    done = subprocess.run(
        command, env=environment(), capture_output=True, text=True, timeout=LONGEST_SECONDS
    )
    return done.returncode, done.stderr, int(done.stdout.split()[-1]) / 1024
