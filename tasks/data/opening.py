"""The bytes of a text file, unpacked: within limits, and looked at before they pass for text."""

from __future__ import annotations

import gzip
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from tasks.stage.errors import BadInput

LARGEST_EXPANSION = 200
"""How many times its own size a file may unpack to. What people write packs 2 to 10 times."""
SMALL_BYTES = 2**21
"""What a file may unpack to however well it packs."""
LONGEST_LINE_BYTES = 2**25
BUFFER_BYTES = 2**20
START_BYTES = 512
_GZIP = b"\x1f\x8b"
_KINDS: Sequence[tuple[re.Pattern[bytes], str]] = [
    (re.compile(pattern, re.DOTALL | re.IGNORECASE), what)
    for pattern, what in (
        (rb"PAR1", "is a Parquet file: let its name end in .parquet"),
        (rb"PK\x03\x04", "is a zip archive, as Excel workbooks are: unpack it or export a CSV"),
        (rb"BZh[1-9]1AY&SY", "is compressed with bzip2; takes gzip, or none"),
        (rb"\xfd7zXZ\x00", "is compressed with xz; takes gzip, or none"),
        (rb"\x28\xb5\x2f\xfd", "is compressed with zstd; takes gzip, or none"),
        (rb"7z\xbc\xaf\x27\x1c", "is a 7z archive: unpack it"),
        (rb".{257}ustar", "is a tar archive: unpack it"),
        (rb"%PDF-", "is a PDF document; takes a table of texts"),
        (rb"Salted__|-----BEGIN PGP|age-encryption\.org", "is encrypted: decrypt it first"),
        (rb"\s*(<!doctype html|<html)", "is a web page, perhaps that of a login: fetch it again"),
    )
]
_CONVERT = "convert the file to UTF-8 (for example with iconv)"


def opened(path: Path, name: str) -> IO[bytes]:
    """The bytes of a text file to read once, unpacked when `name` ends in `.gz`.

    Reading raises BadInput when they are no text (of another kind, as UTF-16, encrypted), unpack
    to over `LARGEST_EXPANSION` times the file, or have a line over `LONGEST_LINE_BYTES`; and what
    `gzip` raises for a file that is not whole.
    """
    packed = name.lower().endswith(".gz")
    with open(path, "rb") as file:
        start = file.read(START_BYTES)
    if packed != start.startswith(_GZIP):
        check_kind(start, name)
        if not packed:
            raise BadInput(f"{name} is compressed with gzip: let its name end in .gz")
    return io.BufferedReader(_Watched(path, packed, name), BUFFER_BYTES)


class _Watched(io.RawIOBase):
    """The bytes as they come, counted."""

    def __init__(self, path: Path, packed: bool, name: str) -> None:
        self._file = path.open("rb")
        self._bytes = gzip.GzipFile(fileobj=self._file) if packed else self._file
        self._packed = packed
        self._name = name
        self._read = 0
        self._lines = 0
        self._since_line_end = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        content = self._bytes.read(len(buffer))
        if self._read == 0 and content:
            self._check_start(content[:START_BYTES])
        self._read += len(content)
        self._check_limits(content)
        buffer[: len(content)] = content
        return len(content)

    def close(self) -> None:
        self._bytes.close()
        self._file.close()
        super().close()

    def _check_start(self, start: bytes) -> None:
        if self._packed and start.startswith(_GZIP):
            raise BadInput(f"{self._name} is compressed twice: unpack it once")
        check_kind(start, self._name)
        _check_encoding(start, self._name)

    def _check_limits(self, content: bytes) -> None:
        if self._packed and self._read > max(SMALL_BYTES, LARGEST_EXPANSION * self._file.tell()):
            raise BadInput(
                f"{self._name} expands to more than {LARGEST_EXPANSION} times its size "
                f"({self._read / 1e6:,.0f} MB so far): no text packs so well; unpack it yourself "
                "if it is meant"
            )
        self._lines += content.count(b"\n")
        last = content.rfind(b"\n")
        self._since_line_end = len(content) - last - 1 + (self._since_line_end if last < 0 else 0)
        if self._since_line_end > LONGEST_LINE_BYTES:
            raise BadInput(
                f"{self._name}, line {self._lines + 1} is longer than "
                f"{LONGEST_LINE_BYTES // 2**20} MB: rows end with a line feed"
            )


def check_kind(start: bytes, name: str) -> None:
    """Raise BadInput that says what a file is, when its first bytes say that it is no text."""
    for pattern, what in _KINDS:
        if pattern.match(start):
            raise BadInput(f"{name} {what}")


def _check_encoding(start: bytes, name: str) -> None:
    """Raise BadInput for UTF-16 and UTF-32, with and without their marks, and for NUL bytes.

    Without a mark they would pass for UTF-8 with a NUL beside every letter.
    """
    if start.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        raise BadInput(f"{name}, line 1: it looks like UTF-32; {_CONVERT}")
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        byte = f"byte 1 (0x{start[0]:02x}) is not UTF-8"
        raise BadInput(f"{name}, line 1: {byte}; it looks like UTF-16; {_CONVERT}")
    even, odd = start[::2].count(0), start[1::2].count(0)
    if start and even + odd == len(start):
        raise BadInput(f"{name}, line 1: nothing but NUL bytes: write the file again")
    if 4 * abs(even - odd) > len(start) > 4 * min(even, odd) + 4:
        raise BadInput(
            f"{name}, line 1: every other byte is NUL; it looks like UTF-16 without a byte order "
            f"mark; {_CONVERT}"
        )
