from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tasks.data import opening
from tasks.data.opening import opened
from tasks.stage.errors import BadInput


def read(path: Path) -> bytes:
    with opened(path, path.name) as file:
        return file.read()


@pytest.mark.parametrize("content", [b"text,label\nfine,a\n", b"x\0y\n", "晚班\n".encode(), b"\n"])
@pytest.mark.parametrize("name", ["rows.csv", "rows.csv.gz"])
def test_text_comes_as_it_is(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    assert read(tmp_path / name) == content


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (b"PAR1\x15\x04", "is a Parquet file: let its name end in .parquet"),
        (b"PK\x03\x04\x14\0", "is a zip archive"),
        (b"\x1f\x8b\x08\0", "is compressed with gzip: let its name end in .gz"),
        (b"x" * 257 + b"ustar", "is a tar archive"),
        (b"%PDF-1.7", "is a PDF document"),
        (b"\n <HTML><body>", "is a web page"),
        (b"\xfe\xff\0t\0e", r"line 1: byte 1 \(0xfe\) is not UTF-8; it looks like UTF-16"),
        ("text,label\n".encode("utf-16-be"), "it looks like UTF-16 without a byte order mark"),
        ("文,label,text,id\n".encode("utf-16-le"), "it looks like UTF-16 without a byte order"),
        ("text".encode("utf-32"), "it looks like UTF-32"),
    ],
)
def test_what_is_no_text_is_called_by_its_name(tmp_path: Path, start: bytes, message: str) -> None:
    (tmp_path / "rows.csv").write_bytes(start)
    with pytest.raises(BadInput, match=rf"rows\.csv.* ?{message}"):
        read(tmp_path / "rows.csv")


def test_text_that_packs_well_is_read_as_long_as_it_is_small(tmp_path: Path) -> None:
    content = b"x,a\n" * 400_000
    (tmp_path / "rows.csv.gz").write_bytes(gzip.compress(content))
    assert (tmp_path / "rows.csv.gz").stat().st_size * opening.LARGEST_EXPANSION < len(content)
    assert read(tmp_path / "rows.csv.gz") == content


def test_a_bomb_is_stopped_long_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(gzip.compress(b"x,a\n" * 2**20) * 1000)  # 4 GB

    lines: list[int] = []
    with opened(path, path.name) as file, pytest.raises(BadInput, match="more than 200 times"):
        lines.extend(map(len, file))
    assert 0 < sum(lines) <= opening.SMALL_BYTES + opening.BUFFER_BYTES


def test_a_line_without_end_is_found_by_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "LONGEST_LINE_BYTES", 2**20)
    path = tmp_path / "rows.csv"
    path.write_bytes(b"text,label\n" + b"x" * 2**20 + b"\n")
    assert len(read(path)) == 2**20 + 12

    path.write_bytes(b"text,label\nfine,a\n" + b"x" * (3 * 2**20) + b"\n")
    with pytest.raises(BadInput, match=r"rows\.csv, line 3 is longer than 1 MB"):
        read(path)
