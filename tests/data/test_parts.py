from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest

from tasks.data import parts
from tasks.data.parts import Part, parsed
from tasks.data.reading import DataFile, Reading
from tasks.stage.errors import BadInput
from tests.made import environment

READING = Reading(("text",), "label", None, max_characters=100)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NIGHTSHIFT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "parsed"


def data_file(path: Path, content: str) -> DataFile:
    path.write_text(content)
    return DataFile(path, path.name, "all", None, hashlib.sha256(content.encode()).hexdigest())


def parse(folder: Path, files: list[DataFile], reading: Reading = READING) -> list[Part]:
    folder.mkdir()
    return parsed(files, reading, folder)


def texts(part: Part) -> list[str]:
    return [text for batch in part.batches(["text"]) for text in batch.column("text").to_pylist()]


def test_a_file_that_did_not_change_is_not_parsed_again(tmp_path: Path) -> None:
    file = data_file(tmp_path / "rows.csv", "text,label\none,a\n,b\n")
    first = parse(tmp_path / "first", [file])
    file.path.write_text("text,label\nother,a\n")  # behind our back: the pin's hash is the same
    again = parse(tmp_path / "again", [file])

    assert texts(again[0]) == texts(first[0]) == ["one", ""]
    assert again[0].counts == first[0].counts
    assert (first[0].counts.read, first[0].counts.broken) == (2, {"no text": 1})


@pytest.mark.parametrize(
    "reading",
    [
        Reading(("label",), "label", None, max_characters=100),
        Reading(("text",), None, None, max_characters=100),
        Reading(("text",), "label", None, max_characters=2),
    ],
)
def test_other_settings_read_it_again(
    tmp_path: Path, reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = data_file(tmp_path / "rows.csv", "text,label\none,a\n")
    first = parse(tmp_path / "first", [file])[0].path.read_bytes()
    again = parse(tmp_path / "again", [file], reading)[0].path.read_bytes()
    monkeypatch.setenv("NIGHTSHIFT_CACHE", str(tmp_path / "empty"))

    assert again == parse(tmp_path / "anew", [file], reading)[0].path.read_bytes()
    assert again != first


def test_a_damaged_entry_is_made_anew(tmp_path: Path, cache: Path) -> None:
    file = data_file(tmp_path / "rows.csv", "text,label\none,a\n")
    parse(tmp_path / "first", [file])
    (entry,) = cache.rglob("*.*")
    content = entry.read_bytes()
    entry.unlink()
    entry.write_bytes(content[:-9])

    assert texts(parse(tmp_path / "again", [file])[0]) == ["one"]
    assert entry.read_bytes() == content


def test_processes_give_the_very_bytes_that_one_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [f"text {number},{'ab'[number % 2]}\n" for number in range(900)]
    files = [
        data_file(tmp_path / f"{part}.csv", "text,label\n" + "".join(rows[part::3]))
        for part in range(3)
    ]
    alone = parse(tmp_path / "alone", files)
    monkeypatch.setenv("NIGHTSHIFT_CACHE", str(tmp_path / "other"))
    monkeypatch.setattr(parts, "BYTES_WORTH_PROCESSES", 0)
    monkeypatch.setattr(parts, "cores", lambda: 2)
    together = parse(tmp_path / "together", files)

    assert [part.path.read_bytes() for part in together] == [p.path.read_bytes() for p in alone]
    assert [part.counts for part in together] == [part.counts for part in alone]


def test_the_first_file_with_something_wrong_is_named_whatever_is_faster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "BYTES_WORTH_PROCESSES", 0)
    monkeypatch.setattr(parts, "cores", lambda: 2)
    slow = "text,label\n" + "some text,a\n" * 20_000
    files = [
        data_file(tmp_path / "fine.csv", slow),
        data_file(tmp_path / "first.csv", slow + '"open'),
        data_file(tmp_path / "second.csv", '"open'),
    ]
    with pytest.raises(BadInput, match=r"first\.csv, line 20002: a quote opened"):
        parse(tmp_path / "parsed", files)


WORK = """
from pathlib import Path
from tasks.data import parts
from tests.data.test_parts import READING, data_file
if __name__ == "__main__":
    parts.BYTES_WORTH_PROCESSES, parts.cores = 0, lambda: 2
    rows = "text,label\\n" + "a,b\\n" * 2_000_000
    files = [data_file(Path(name), rows) for name in ("1.csv", "2.csv")]
    parts.parsed(files, READING, Path("."))
"""


def test_processes_that_read_die_with_the_one_that_started_them(tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text(WORK)
    started = subprocess.Popen([sys.executable, "work.py"], cwd=tmp_path, env=environment())
    end = time.monotonic() + 60
    children: list[psutil.Process] = []
    while len(list(tmp_path.glob("2-?-*"))) < 2:  # both are at work
        assert started.poll() is None
        assert time.monotonic() < end
        time.sleep(0.1)
        children = psutil.Process(started.pid).children(recursive=True)
    started.send_signal(signal.SIGKILL)
    started.wait()

    assert len(children) >= 2
    assert psutil.wait_procs(children, timeout=8)[1] == []


def test_what_is_written_is_never_all_in_one_group(tmp_path: Path) -> None:
    file = data_file(tmp_path / "rows.csv", "text,label\n" + "some text,a\n" * 20_000)
    (part,) = parse(tmp_path / "parsed", [file])
    groups = pq.ParquetFile(part.path).metadata

    assert groups.num_row_groups == 3
    assert sum(len(batch) for batch in part.batches(["row"])) == 20_000
