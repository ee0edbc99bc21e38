from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tasks.measuring.contender import Contender
from tasks.measuring.process import Process
from tasks.stage.errors import BadInput, StageError, Unavailable
from tasks.task.classification import Classification

SECONDS_TO_DIE = 30


def test_a_child_answers_and_says_what_it_took(tiny_release: Path) -> None:
    with Process(Contender("tiny", "release", tiny_release, 1), "dull") as process:
        seconds, answers = process.each(["dull", "the film is funny"])
        taken, all_answers = process.together(["dull", "the film is funny"], batch=2)

        assert len(seconds) == 2
        assert min(*seconds, taken, process.start_seconds) > 0
        assert {each.label for each in answers} <= {"bad", "good"}
        assert [each.label for each in answers] == [each.label for each in all_answers]
        assert sum(answers[0].scores.values()) == pytest.approx(1)
        assert process.peak_memory() > 20e6
        assert process.environment["threads"] == 1
        pid = process.pid
    assert not psutil.pid_exists(pid)


def test_a_child_runs_by_the_interpreter_of_its_contender(
    tiny_release: Path, tmp_path: Path
) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\ntouch {tmp_path}/used\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    with Process(Contender("tiny", "release", tiny_release, 1, python=str(python)), "dull") as one:
        assert len(one.each(["dull"])[1]) == 1
    assert (tmp_path / "used").is_file()


def test_a_child_that_crashes_sends_its_traceback(tmp_path: Path) -> None:
    with pytest.raises(StageError) as error:
        Process(Contender.baseline(tmp_path, 1, Classification(), 0), "dull")
    assert "transformers.pipeline broke while it was measured" in str(error.value)
    assert "Traceback" in str(error.value)
    assert "tasks/measuring/contender.py" in str(error.value)


def test_a_crash_in_the_middle_sends_its_traceback(tiny_release: Path) -> None:
    told = pytest.raises(StageError, match=r"texts\[0\]: got tuple")
    with Process(Contender("tiny", "release", tiny_release, 1), "dull") as process, told:
        process.each([("a", "pair")])


def test_what_can_not_be_loaded_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"gone can't be measured: .* is not a release") as error:
        Process(Contender("gone", "release", tmp_path, 1), "dull")
    assert "Traceback" not in str(error.value)


def test_a_killed_child_is_told_as_such(tiny_release: Path) -> None:
    with Process(Contender("tiny", "release", tiny_release, 1), "dull") as process:
        os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(Unavailable, match=r"tiny: its process was killed \(SIGKILL\)"):
            process.each(["dull"])


def test_a_child_dies_with_its_parent(tiny_release: Path) -> None:
    code = (
        "import pathlib, time; from tasks.measuring.process import *; "
        f"p = Process(Contender('tiny', 'release', pathlib.Path({str(tiny_release)!r}), 1), 'x'); "
        "print(p.pid, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent, parent.stdout:
        child = int(parent.stdout.readline())
        assert psutil.pid_exists(child)
        parent.kill()

    patience = time.monotonic() + SECONDS_TO_DIE
    while is_alive(child) and time.monotonic() < patience:
        time.sleep(0.05)
    assert not is_alive(child)


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
