from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

from dags.process import Child
from tasks.stage.tree import Tree
from tests.dags.made import is_gone

FAMILY = """
import subprocess, sys, time
stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
rank = subprocess.Popen([sys.executable, "-c", stubborn], start_new_session=True)
print(rank.pid, flush=True)
time.sleep(60)
"""


def child(code: str, folder: Path) -> Child:
    return Child([sys.executable, "-u", "-c", code], os.environ, folder)


def test_what_it_prints_comes_line_by_line_and_as_it_is_printed(tmp_path: Path) -> None:
    code = "import time; print('one'); time.sleep(0.8); print('two', end='')"
    started = child(code, tmp_path)
    came = [(line, time.monotonic()) for line in started.lines()]
    assert [line for line, _ in came] == ["one", "two"]
    assert came[1][1] - came[0][1] > 0.5
    assert started.wait() == 0


def test_errors_bars_and_bytes_that_are_no_text_come_too(tmp_path: Path) -> None:
    code = r"import sys, os; os.write(2, b'10%\r20%\r\nbad \xff\n'); sys.exit(3)"
    started = child(code, tmp_path)
    assert list(started.lines()) == ["10%", "20%", "bad �"]
    assert started.wait() == 3


def test_a_grandchild_that_keeps_the_stream_open_does_not_hold_it_up(tmp_path: Path) -> None:
    code = "import subprocess; print(subprocess.Popen(['sleep', '30']).pid)"
    before = time.monotonic()
    (pid,) = child(code, tmp_path).lines()
    psutil.Process(int(pid)).kill()
    assert time.monotonic() - before < 10


def test_ending_it_ends_a_rank_in_a_session_of_its_own_that_does_not_listen(tmp_path: Path) -> None:
    started = child(FAMILY, tmp_path)
    rank = int(next(started.lines()))
    before = time.monotonic()
    started.end()
    assert time.monotonic() - before < 4.5, "Airflow kills the task itself after 5 s"
    assert is_gone(rank)
    assert started.wait() == -15


def test_a_process_once_seen_is_found_when_its_parent_is_gone() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-u", "-c", FAMILY], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    rank = int(parent.stdout.readline())
    tree = Tree(parent.pid)
    assert rank in [process.pid for process in tree.alive()]
    parent.kill()
    parent.wait()
    tree.end(patience=0.1)
    assert is_gone(rank)
