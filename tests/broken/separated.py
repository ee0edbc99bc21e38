"""Tables of text whose rows, quotes, columns or line ends are not what they should be."""

from __future__ import annotations

from tests.broken.case import GOOD, csv_of, kept, quarantine, stops, text_of

WIDE = [f"c{n}" for n in range(9_998)]
FORMULAS = ("=cmd|' /C calc'!A0", "+1+1", "@SUM(A1:A9)", "-2+3", '=HYPERLINK("http://x","y")')

CASES = [
    quarantine("too-few-fields", csv_of("fine"), {2: "broken row"}),
    quarantine(
        "too-many-fields", csv_of("fine,a,b", "also,a,"), {2: "broken row", 3: "broken row"}
    ),
    quarantine("text-after-a-quote", csv_of('"fine" indeed,a'), {2: "broken row"}),
    quarantine("quotes-with-backslashes", csv_of(r'"say \"hi\" now",a'), {2: "broken row"}),
    stops("unclosed-quote", csv_of('"open,a'), "rows.csv, line 2: a quote", "is never closed"),
    stops("unclosed-quote-at-the-end", csv_of() + b'"open,a', "line 102: a quote"),
    stops("unclosed-quote-in-the-header", b'text,"label\nfine,a\n', "rows.csv, line 1", "header"),
    kept("quotes-inside-a-field", csv_of('say "hi" now,a'), 'say "hi" now'),
    kept("doubled-quotes", csv_of('"say ""hi"" now",a'), 'say "hi" now'),
    kept("delimiters-in-quotes", csv_of('"one, two; three\t",a'), "one, two; three\t"),
    kept("line-ends-in-quotes", csv_of('"one\ntwo\r\nthree\rfour",a'), "one\ntwo\r\nthree\rfour"),
    stops("semicolons", csv_of().replace(b",", b";"), "no column 'text'", "separated by ';'"),
    stops("tabs-in-csv", csv_of().replace(b",", b"\t"), "no column 'text'", r"separated by '\t'"),
    stops("commas-in-tsv", {"rows.tsv": csv_of()}, "rows.tsv", "separated by ','"),
    stops("bars", csv_of().replace(b",", b"|"), "no column 'text'", "separated by '|'"),
    kept("tsv", {"rows.tsv": csv_of().replace(b",", b"\t")}),
    stops("header-only", b"text,label\n", "no rows: rows.csv has 0 rows"),
    stops("header-without-line-end", b"text,label", "no rows: rows.csv has 0 rows"),
    stops("no-header", csv_of()[11:], "no column 'text'", "'night night number 0'"),
    stops("empty", b"", "rows.csv is empty (0 bytes)"),
    stops("blank-lines-only", b"\n\n  \n\n", "rows.csv", "no column 'text'"),
    stops("a-byte-order-mark-only", b"\xef\xbb\xbf", "rows.csv", "no column 'text'"),
    stops("doubled-column", csv_of(header="text,text,label"), "more than one column 'text'"),
    stops("renamed-column", csv_of(header="review,label"), "'review', 'label'"),
    stops("other-case-in-header", csv_of(header="Text,Label"), "no column 'text'", "'Text'"),
    kept("white-space-in-header", csv_of("fine,a", header=" text\t, label "), "fine"),
    kept("quoted-header", csv_of("fine,a", header='"text","label"'), "fine"),
    kept("blank-lines", csv_of("", "fine,a", ""), "fine"),
    quarantine("white-space-line", csv_of("   "), {2: "broken row"}),
    quarantine("end-of-file-of-dos", csv_of() + b"\x1a", {102: "broken row"}),
    stops(
        "comma-at-every-end",
        csv_of().replace(b"\n", b",\n").replace(b"l,", b"l", 1),
        "100 of 100 rows are bad",
        "3 fields, the header has 2",
    ),
    kept("no-line-end-at-the-end", csv_of()[:-1] + b"\nfine,a", "fine"),
    kept("dos-line-ends", csv_of("fine,a").replace(b"\n", b"\r\n"), "fine"),
    kept("mixed-line-ends", csv_of("fine,a\r", "good,b", "well,a\r"), "fine", "good", "well"),
    stops("lone-carriage-returns", csv_of().replace(b"\n", b"\r"), "rows.csv, line 1", "lone CR"),
    quarantine("one-lone-carriage-return", csv_of("fine,a\rgood,b"), {2: "broken row"}),
    kept(
        "line-ends-of-unicode",
        csv_of("one\u2028two\x85three\x0bfour\x1cfive,a"),
        "one\u2028two\x85three\x0bfour\x1cfive",
    ),
    kept(
        "formulas",
        csv_of(*(f'"{formula.replace(chr(34), chr(34) * 2)}",a' for formula in FORMULAS)),
        *FORMULAS,
    ),
    kept(
        "ten-thousand-columns",
        csv_of(
            header=",".join(["text", "label", *WIDE]),
            good=[(*row, *([""] * len(WIDE))) for row in GOOD],
        ),
    ),
    quarantine(
        "ten-megabytes-in-a-field",
        lambda folder: (folder / "rows.csv").write_text(text_of(f"{'x' * 10_000_000},a")),
        {2: "text too long"},
    ),
    quarantine(
        "ten-megabytes-of-quotes",
        lambda folder: (folder / "rows.csv").write_text(text_of(f'"{chr(34) * 10_000_000}",a')),
        {2: "text too long"},
    ),
    stops(
        "a-line-without-end",
        lambda folder: (folder / "rows.csv").write_bytes(
            b"text,label\nfine,a\n" + b"x" * 70_000_000
        ),
        "rows.csv, line 3",
        "longer than",
    ),
    stops(
        "a-web-page",
        b"<!DOCTYPE html>\n<html><body>Please log in</body></html>\n",
        "rows.csv",
        "web page",
    ),
]
