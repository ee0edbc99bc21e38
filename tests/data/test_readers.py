from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tasks.data.readers import Columns, Row, read_rows
from tasks.stage.errors import BadInput

COLUMNS = Columns(("text", "label"), ("id",))
ROWS = [('good, "really"\nfine', "pos", None), ("bad 😀", "neg", None)]


def values(path: Path) -> list[tuple[Any, ...]]:
    return [row.values for row in read_rows(path, COLUMNS)]


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".tsv", ".jsonl", ".jsonl.gz", ".parquet"])
def test_every_format_gives_the_same_rows(tmp_path: Path, ending: str) -> None:
    frame = pd.DataFrame(ROWS, columns=["text", "label", "id"])[["label", "text"]]
    path = tmp_path / f"rows{ending}"
    if "csv" in ending or "tsv" in ending:
        frame.to_csv(path, index=False, sep="\t" if "tsv" in ending else ",")
    elif "jsonl" in ending:
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_parquet(path)

    assert values(path) == ROWS


def test_a_row_knows_the_line_where_it_begins(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('text,label\n"two\nlines",a\none,b\n')

    assert [row.number for row in read_rows(path, COLUMNS)] == [2, 4]


def test_a_byte_order_mark_and_spaces_in_the_header_are_no_part_of_a_name(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b"\xef\xbb\xbftext, label\nfine,a\n")

    assert values(path) == [("fine", "a", None)]


def test_empty_file(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").touch()
    with pytest.raises(BadInput, match=r"rows\.csv is empty \(0 bytes\)"):
        list(read_rows(tmp_path / "rows.csv", COLUMNS))


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_a_wrong_column_name_says_which_there_are(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"rows{ending}"
    frame = pd.DataFrame({"txt": ["a"], "label": ["b"]})
    if ending == ".csv":
        frame.to_csv(path, index=False)
    elif ending == ".jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_parquet(path)

    with pytest.raises(BadInput, match=f"rows{ending} has no column 'text'; .* 'txt', 'label'"):
        list(read_rows(path, COLUMNS))


def test_bytes_that_are_not_utf8_are_found_by_file_line_and_byte(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes("text,label\nfine,a\ncafé,b\n".encode("latin-1"))

    with pytest.raises(BadInput, match=r"rows\.csv, line 3: byte 4 \(0xe9\) is not UTF-8"):
        list(read_rows(path, COLUMNS))


def test_utf16_is_called_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes("text,label\n".encode("utf-16"))
    with pytest.raises(BadInput, match=r"line 1: byte 1 \(0xff\) .* it looks like UTF-16"):
        list(read_rows(tmp_path / "rows.csv", COLUMNS))


@pytest.mark.parametrize("kept", [0.3, 0.7, 0.99])
def test_a_truncated_parquet_is_named(tmp_path: Path, kept: float) -> None:
    path = tmp_path / "rows.parquet"
    pd.DataFrame({"text": [f"text {n}" for n in range(500)], "label": "a"}).to_parquet(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])

    with pytest.raises(BadInput, match=r"rows\.parquet is not a whole Parquet file .* cut off"):
        list(read_rows(path, COLUMNS))


def test_a_parquet_with_a_broken_page_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pd.DataFrame({"text": [f"text {n}" for n in range(500)], "label": "a"}).to_parquet(path)
    content = bytearray(path.read_bytes())
    content[10:60] = b"\xff" * 50
    path.write_bytes(content)

    with pytest.raises(BadInput, match="is not a whole Parquet file"):
        list(read_rows(path, COLUMNS))


def test_a_truncated_gzip_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(gzip.compress(b"text,label\n" + b"fine,a\n" * 1000)[:-20])
    with pytest.raises(BadInput, match=r"rows\.csv\.gz is not a whole gzip file"):
        list(read_rows(path, COLUMNS))


def test_rows_with_too_few_or_too_many_fields_are_told_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('text,label\nfine,a\nno label\n\n"x"y,b\none,two,three\nfine too,b\n')

    rows = list(read_rows(path, COLUMNS))

    assert [(row.number, row.broken is None) for row in rows] == [
        (2, True),
        (3, False),
        (5, False),
        (6, False),
        (7, True),
    ]
    assert rows[1].broken == "1 fields, the header has 2"


def test_a_quote_that_is_never_closed(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('text,label\nfine,a\n"open,b\nmore,c\n')
    with pytest.raises(BadInput, match=r"line 3: a quote opened in this row is never closed"):
        list(read_rows(path, COLUMNS))


@pytest.mark.parametrize("line", ['{"text": "x", ', "[1, 2]", "nonsense"])
def test_a_broken_line_of_jsonl_is_found(tmp_path: Path, line: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(f'{{"text": "x", "label": "a"}}\n\n{line}\n')
    with pytest.raises(BadInput, match=r"rows\.jsonl, line 3 is not "):
        list(read_rows(path, COLUMNS))


def test_a_key_missing_from_one_line_is_a_missing_value(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, [{"text": "x"}, {"label": "a", "text": "y"}])))
    assert list(read_rows(path, COLUMNS)) == [
        Row(1, ("x", None, None)),
        Row(2, ("y", "a", None)),
    ]


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_another_separator_is_recognised(tmp_path: Path, separator: str) -> None:
    (tmp_path / "rows.csv").write_text(f"text{separator}label\nfine{separator}a\n")
    with pytest.raises(BadInput, match=r"they look separated by .*: write the file with ','"):
        list(read_rows(tmp_path / "rows.csv", COLUMNS))


def test_of_ten_thousand_columns_a_few_are_listed(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(",".join(f"c{n}" for n in range(10_000)) + "\n")
    with pytest.raises(BadInput, match=r"its columns are 'c0', .* 'c19' and 9,980 more$"):
        list(read_rows(tmp_path / "rows.csv", COLUMNS))


def test_the_header_once_more_is_no_row_but_a_text_like_it_is(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text,label\nfine,a\n\ufefftext,label\ntext,a\n", encoding="utf-8")

    rows = list(read_rows(path, COLUMNS))
    assert [row.broken for row in rows] == [None, "the header once more", None]
    assert rows[2].values == ("text", "a", None)


def test_a_field_without_end_stops_before_it_fills_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('text,label\n"open,a\n' + "more of the same,a\n" * 2_000_000)
    with pytest.raises(BadInput, match=r"line 2: a field is longer than 32 MB: is a quote in"):
        list(read_rows(path, COLUMNS))


def test_a_key_that_stands_twice_in_the_object_and_one_that_stands_deeper(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    lines = [
        '{"text": "x", "text": "y", "label": "a"}',
        '{"text": "z", "label": "b", "meta": {"text": "w"}}',
    ]
    path.write_text("\n".join(lines))

    rows = list(read_rows(path, COLUMNS))
    assert rows[0] == Row(1, (None, None, None), "the key 'text' stands twice")
    assert rows[1] == Row(2, ("z", "b", None))


def test_an_unknown_kind_lists_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "rows.xlsx").write_text("x")
    with pytest.raises(BadInput, match=r"rows\.xlsx is of no known kind; .*\.csv, .*\.parquet"):
        read_rows(tmp_path / "rows.xlsx", COLUMNS)


def test_a_text_of_ten_megabytes_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(f"text,label\n{'x' * 10_000_000},a\n")
    assert len(values(path)[0][0]) == 10_000_000
