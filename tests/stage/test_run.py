"""What a stage leaves behind when it succeeds, when it fails, and when it is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tasks.stage.outputs import whole, write_json
from tests.made import environment
from tests.waiting import wait_for

STAGE = """
import subprocess, sys, time
from pathlib import Path
from tasks.params.snapshot import Snapshot
from tasks.stage.errors import BadInput, Unavailable
from tasks.stage.outputs import whole
from tasks.stage.run import run_stage

def body(params):
    {body}

run_stage("snapshot", Snapshot, body)
"""


def stage(body: str) -> list[str]:
    return [sys.executable, "-c", STAGE.format(body=body.replace("\n", "\n    "))]


def run(body: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(stage(body), env=environment(), capture_output=True, text=True)


def report() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path("reports/snapshot.json").read_text())
    return found


@pytest.fixture(autouse=True)
def folder(workspace: Path) -> None:
    Path("params.yaml").write_text("snapshot: {}\n")


def test_findings_become_the_report() -> None:
    done = run("return {'metrics': {'rows': 3}, 'labels': ['a']}")
    assert done.returncode == 0
    assert report() == {
        "stage": "snapshot", "status": "ok", "retryable": False, "reason": None,
        "metrics": {"rows": 3}, "labels": ["a"],
    }  # fmt: skip
    assert json.loads(Path("reports/snapshot.timing.json").read_text())["seconds"] > 0


def test_bad_input_is_one_line_and_no_retry() -> None:
    done = run("raise BadInput('a.csv, line 3: no label', {'rows': [3]})")
    assert done.returncode == 1
    assert done.stderr.strip() == "snapshot stopped: a.csv, line 3: no label"
    assert report()["status"] == "stopped"
    assert report()["retryable"] is False
    assert report()["rows"] == [3]


def test_what_may_pass_is_to_be_retried() -> None:
    run("raise Unavailable('the bucket is away')")
    assert (report()["status"], report()["retryable"]) == ("failed", True)


def test_what_nobody_foresaw_keeps_its_traceback() -> None:
    done = run("return 1 / 0")
    assert "Traceback" in done.stderr
    assert report()["reason"] == "ZeroDivisionError: division by zero"


def test_a_bad_parameter_stops_before_any_work() -> None:
    Path("params.yaml").write_text("snapshot: {data_dat: 2026-01-01}\n")
    done = run("Path('worked').touch()")
    assert "snapshot.data_dat: unknown key; known are data_date, reference" in done.stderr
    assert not Path("worked").exists()


def test_a_full_disk_is_said_and_nothing_half_written_is_left(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(small)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root may mount the small disk that this test fills")
    try:
        os.chdir(small)
        Path("params.yaml").write_text("snapshot: {}\n")
        Path("data").mkdir()
        Path("data/out").write_text("old")
        done = run(
            "with whole('data/out') as draft:\n    draft.write_bytes(bytes(10**6))\nreturn {}"
        )
        assert "the disk is full" in done.stderr
        assert "Traceback" not in done.stderr
        assert Path("data/out").read_text() == "old"
        assert report()["retryable"] is True
    finally:
        os.chdir(tmp_path)
        subprocess.run(["umount", str(small)], check=True)


ORPHAN = """
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'],
                         start_new_session=True)
Path('pids').write_text(f'{__import__("os").getpid()} {child.pid}')
with whole('data/out') as draft:
    time.sleep(60)
    draft.write_text('from an orphan')
return {}
"""


def test_a_stage_and_its_children_die_with_the_command_that_started_it() -> None:
    command = f"import subprocess; subprocess.run({stage(ORPHAN)!r})"
    above = subprocess.Popen([sys.executable, "-c", command], env=environment())
    wait_for(lambda: Path("pids").exists() and len(Path("pids").read_text().split()) == 2)
    pids = [int(pid) for pid in Path("pids").read_text().split()]
    above.send_signal(signal.SIGKILL)
    above.wait()
    wait_for(lambda: not any(running(pid) for pid in pids))
    assert not Path("data/out").exists()


def test_also_through_the_shell_that_dvc_puts_in_between() -> None:
    arguments = stage(ORPHAN)
    through = ["/bin/sh", "-c", 'true; "$0" -c "$1"; true', arguments[0], arguments[2]]
    shell = f"import subprocess; subprocess.run({through!r})"
    above = subprocess.Popen([sys.executable, "-c", shell], env=environment())
    wait_for(lambda: Path("pids").exists() and len(Path("pids").read_text().split()) == 2)
    pids = [int(pid) for pid in Path("pids").read_text().split()]
    above.kill()
    above.wait()
    wait_for(lambda: not any(running(pid) for pid in pids))


def test_one_stage_works_in_a_workspace_at_a_time() -> None:
    slow = "Path('started').touch()\ntime.sleep(4)\nreturn {}"
    first = subprocess.Popen(stage(slow), env=environment())
    wait_for(Path("started").exists)
    started = time.monotonic()
    assert run("return {}").returncode == 0, "it waits for the first to leave"
    assert first.wait() == 0
    assert time.monotonic() - started > 2


def running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_folder_is_replaced_whole() -> None:
    for content in ("old", "new"):
        with whole("models/one") as draft:
            draft.mkdir()
            (draft / content).write_text(content)
    assert [path.name for path in Path("models/one").iterdir()] == ["new"]


def test_a_failure_in_the_middle_leaves_the_old_one() -> None:
    write_json("a.json", {"old": True})
    with pytest.raises(ZeroDivisionError), whole("a.json") as draft:
        draft.write_text("{" + str(1 / 0))
    assert json.loads(Path("a.json").read_text()) == {"old": True}
    assert not list(Path(".nightshift/drafts").iterdir())


def test_json_is_canonical() -> None:
    write_json("a.json", {"b": float("nan"), "a": (1, 2)})
    assert Path("a.json").read_text() == '{\n  "a": [\n    1,\n    2\n  ],\n  "b": null\n}\n'
