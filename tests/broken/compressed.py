"""Compressed files that are cut, damaged, of another kind, or far larger than they look."""

from __future__ import annotations

import bz2
import io
import lzma
import tarfile
import zipfile

from tests.broken.case import Content, csv_of, gz, jsonl_of, kept, parquet_of, stops

WHOLE = gz(csv_of("fine,a"))
MEGABYTES_16 = b"x" * 2**24
SAME_ROWS = b"a row as any other,a\n" * 2**20


def rows(content: Content) -> dict[str, Content]:
    """The one file of a case."""
    return {"rows.csv.gz": content}


def zipped() -> bytes:
    """The CSV in a zip archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rows.csv", csv_of())
    return file.getvalue()


def tarred() -> bytes:
    """The CSV in a compressed tar archive."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        member = tarfile.TarInfo("rows.csv")
        member.size = len(csv_of())
        archive.addfile(member, io.BytesIO(csv_of()))
    return file.getvalue()


CASES = [
    kept("whole", rows(WHOLE), "fine"),
    kept("in-members", rows(gz(csv_of("fine,a")[:500]) + gz(csv_of("fine,a")[500:])), "fine"),
    kept("upper-case-name", {"ROWS.CSV.GZ": WHOLE}, "fine"),
    kept(
        "json",
        {"rows.jsonl.gz": gz(jsonl_of('{"text": "fine", "label": "a"}')["rows.jsonl"])},
        "fine",
    ),
    stops("cut-off", rows(WHOLE[:-20]), "rows.csv.gz is not a whole gzip file"),
    stops("cut-in-the-checksum", rows(WHOLE[:-3]), "rows.csv.gz is not a whole gzip file"),
    stops("cut-in-the-header", rows(WHOLE[:5]), "rows.csv.gz is not a whole gzip file"),
    stops("damaged", rows(WHOLE[:200] + bytes(9) + WHOLE[209:]), "is not a whole gzip file"),
    stops("wrong-checksum", rows(WHOLE[:-8] + b"12345678"), "is not a whole gzip file"),
    stops("something-behind-it", rows(WHOLE + b"and more"), "is not a whole gzip file"),
    stops("nothing-in-it", rows(gz(b"")), "rows.csv.gz", "no column 'text'"),
    stops("twice", rows(gz(WHOLE)), "rows.csv.gz", "compressed twice"),
    stops("not-compressed", rows(csv_of()), "rows.csv.gz is not a whole gzip file"),
    stops("named-csv", WHOLE, "rows.csv is compressed with gzip", ".gz"),
    stops("a-zip-archive", rows(zipped), "rows.csv.gz is a zip archive"),
    stops("a-zip-archive-named-csv", zipped(), "rows.csv is a zip archive"),
    stops("a-tar-archive", rows(tarred), "rows.csv.gz", "tar archive"),
    stops("bzip2", bz2.compress(csv_of()), "rows.csv is compressed with bzip2"),
    stops("xz", lzma.compress(csv_of()), "rows.csv is compressed with xz"),
    stops("zstandard", b"\x28\xb5\x2f\xfd" + bytes(99), "rows.csv is compressed with zstd"),
    stops("a-parquet", rows(gz(parquet_of())), "rows.csv.gz", "is a Parquet file"),
    stops("openssl", b"Salted__" + bytes(range(256)), "rows.csv is encrypted"),
    stops("pgp", b"-----BEGIN PGP MESSAGE-----\n\nhQEM\n", "rows.csv is encrypted"),
    stops(
        "a-bomb-in-one-line",
        rows(lambda: gz(b"text,label\n") + gz(MEGABYTES_16, 64)),
        "rows.csv.gz",
        "expands to more than",
    ),
    stops(
        "a-bomb-of-rows",
        rows(lambda: gz(b"text,label\n") + gz(SAME_ROWS, 64)),
        "rows.csv.gz",
        "expands to more than",
    ),
    stops(
        "a-bomb-of-quotes",
        rows(lambda: gz(b'text,label\n"') + gz(SAME_ROWS, 64)),
        "rows.csv.gz",
        "expands to more than",
    ),
    stops(
        "a-bomb-of-blank-lines",
        rows(lambda: gz(b"text,label\n") + gz(b"\n" * 2**24, 64)),
        "rows.csv.gz",
        "expands to more than",
    ),
    stops(
        "a-bomb-of-json",
        {"rows.jsonl.gz": lambda: gz(b'{"text": "') + gz(MEGABYTES_16, 64)},
        "rows.jsonl.gz",
        "expands to more than",
    ),
    stops(
        "a-bomb-in-a-bomb",
        rows(lambda: gz(gz(b"text,label\n") + gz(MEGABYTES_16, 64))),
        "rows.csv.gz",
        "compressed twice",
    ),
]
