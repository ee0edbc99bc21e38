"""Bytes that are not the UTF-8 they should be, or only just."""

from __future__ import annotations

from tests.broken.case import csv_of, jsonl_of, kept, parquet_of, quarantine, stops, text_of

BOM = b"\xef\xbb\xbf"
CAFE = text_of("café,a")

CASES = [
    stops("latin-1", CAFE.encode("latin-1"), "rows.csv, line 2: byte 4 (0xe9) is not UTF-8"),
    stops("windows-1252", text_of("“fine”,a").encode("cp1252"), "rows.csv, line 2", "not UTF-8"),
    stops("chinese-in-gbk", text_of("晚班很好,a").encode("gbk"), "rows.csv, line 2", "not UTF-8"),
    stops("utf-16", CAFE.encode("utf-16"), "rows.csv, line 1", "looks like UTF-16", "iconv"),
    stops("utf-16-le-without-bom", CAFE.encode("utf-16-le"), "line 1", "looks like UTF-16"),
    stops("utf-16-be-without-bom", CAFE.encode("utf-16-be"), "line 1", "looks like UTF-16"),
    stops("utf-32", CAFE.encode("utf-32"), "rows.csv, line 1", "looks like UTF-32"),
    stops(
        "utf-16-of-json",
        {"rows.jsonl": jsonl_of()["rows.jsonl"].decode().encode("utf-16-le")},
        "rows.jsonl, line 1",
        "looks like UTF-16",
    ),
    stops("cut-within-a-character", csv_of()[:-1] + "\n晚".encode()[:-1], "line 102", "not UTF-8"),
    stops("overlong-utf-8", csv_of().replace(b"proven", b"\xc0\xaf", 1), "line 7", "not UTF-8"),
    stops("half-characters-as-bytes", b"text,label\n\xed\xa0\xbd,a\n", "line 2", "not UTF-8"),
    stops("random-bytes", bytes(range(128, 256)) * 9, "rows.csv, line 1", "not UTF-8"),
    kept("byte-order-mark", BOM + csv_of("fine,a"), "fine"),
    kept(
        "byte-order-mark-in-json",
        {"rows.jsonl": BOM + b'{"text":"fine","label":"a"}\n' + jsonl_of()["rows.jsonl"]},
        "fine",
    ),
    quarantine("two-files-in-one", BOM + csv_of() + BOM + csv_of(), {102: "broken row"}, 201),
    quarantine("nul-in-a-text", csv_of("fi\0ne,a"), {2: "broken characters"}),
    quarantine("nul-in-a-label", csv_of("fine,a\0b"), {2: "broken characters"}),
    quarantine(
        "nul-in-json", jsonl_of(r'{"text": "a\u0000b", "label": "a"}'), {1: "broken characters"}
    ),
    stops("nothing-but-nul", b"\0" * 4096, "rows.csv, line 1", "NUL"),
    quarantine(
        "half-a-character-in-json",
        jsonl_of(r'{"text": "half \ud83d", "label": "a"}'),
        {1: "broken characters"},
    ),
    kept("two-halves-in-json", jsonl_of(r'{"text": "\ud83d\ude00", "label": "a"}'), "😀"),
    quarantine(
        "nul-in-parquet", {"rows.parquet": parquet_of(("a\0b", "a"))}, {1: "broken characters"}
    ),
]
