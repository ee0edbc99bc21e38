"""Rows that can be read, and what they say: too few, too many, all alike, hardly visible."""

from __future__ import annotations

from tests.broken.case import GOOD, csv_of, kept, quarantine, stops

ARABIC = "\u202bالفيلم رائع\u202c"
DISTINCT = 20_000

CASES = [
    stops("one-row", csv_of(good=GOOD[:1]), "one class only: 'a' in all 1 rows"),
    stops("two-rows", csv_of(good=GOOD[:2]), "no rows in", "of 2 rows"),
    stops("one-class", csv_of(good=GOOD[::2]), "one class only: 'a' in all 50 rows"),
    stops(
        "no-text-at-all",
        csv_of(good=[("", label) for _, label in GOOD]),
        "100 of 100 rows are bad",
        "no text",
        "rows.csv, row 2",
    ),
    stops("all-the-same", csv_of(good=[GOOD[0], GOOD[1]] * 50), "no rows in", "of 100 rows"),
    stops(
        "all-contradictions",
        csv_of(good=[(text, label) for text, _ in GOOD for label in "ab"]),
        "no rows in",
        "of 200 rows",
    ),
    stops(
        "labels-in-two-cases",
        csv_of("fine,A", "good,A"),
        "labels",
        "'A'",
        "'a'",
        "are the same but for",
    ),
    stops(
        "labels-in-two-widths", csv_of("fine,ａ"), "labels", "'ａ'", "'a'", "are the same but for"
    ),
    stops(
        "labels-in-two-forms",
        csv_of("fine,caf\u00e9", "good,cafe\u0301"),
        "labels",
        "are the same but for",
    ),
    stops(
        "labels-as-whole-and-decimal",
        csv_of("fine,1", "good,1.0"),
        "'1'",
        "'1.0'",
        "are the same but for",
    ),
    kept(
        "white-space-around-labels",
        csv_of("fine, a", "good,b\t", "well,\u3000a\xa0"),
        "fine",
        "good",
        "well",
    ),
    quarantine(
        "a-label-that-can-not-be-seen",
        csv_of("fine,a\u200b", "good,\u200b"),
        {2: "broken characters", 3: "broken characters"},
    ),
    quarantine(
        "words-for-no-label",
        csv_of("fine,nan", "good,NaN", "well,  ", "hm,"),
        dict.fromkeys(range(2, 6), "no label"),
    ),
    quarantine(
        "words-for-no-text",
        csv_of(",a", '"",a', "   ,a", '" \u3000\n\t",a'),
        dict.fromkeys(range(2, 6), "no text"),
    ),
    quarantine(
        "texts-that-can-not-be-seen",
        csv_of("\u200b\u200d\ufeff,a", "\u2060\u00ad,b"),
        {2: "no text", 3: "no text"},
    ),
    kept("right-to-left", csv_of(f"{ARABIC},a", "שלום \u200fעולם,b"), ARABIC, "שלום \u200fעולם"),
    kept(
        "zero-width-within",
        csv_of("fi\u200bne,a", "نمی\u200cخواهم,b"),
        "fi\u200bne",
        "نمی\u200cخواهم",
    ),
    kept(
        "control-characters",
        csv_of("\x1b[2J\x07fine,a", "\x08\x08good,b"),
        "\x1b[2J\x07fine",
        "\x08\x08good",
    ),
    kept("emoji", csv_of("😀,a", "👩🏽\u200d💻 👍🏿,b", "🇨🇳❤️,a"), "😀", "👩🏽\u200d💻 👍🏿", "🇨🇳❤️"),
    kept("only-punctuation", csv_of("?!,a", "...,b", "!!!,a"), "?!", "...", "!!!"),
    kept("marks-on-marks", csv_of("Z" + "\u0301" * 500 + ",a"), "Z" + "\u0301" * 500),
    kept(
        "markup",
        csv_of("<script>alert(1)</script>,a", "{{ 7 * 7 }} ${x} %s,b"),
        "<script>alert(1)</script>",
        "{{ 7 * 7 }} ${x} %s",
    ),
    kept(
        "markup-in-labels",
        csv_of(*(f"text {n},<b>&amp;" for n in range(30))),
        *(f"text {n}" for n in range(30)),
        labels=("<b>&amp;", "a", "b"),
    ),
    kept(
        "no-unlabelled-rows",
        {"rows.csv": csv_of("fine,a"), "_more/none.csv": b"text\n"},
        "fine",
        unlabelled="night/_more/none.csv",
    ),
    stops("too-long-a-share-of-bad-rows", csv_of(*[",a"] * 6), "6 of 106 rows are bad (5.7%"),
    kept(
        "ten-thousand-classes",
        csv_of(good=[*GOOD, *((f"text {n}", f"class {n % 10_000}") for n in range(DISTINCT))]),
        *(f"text {n}" for n in range(DISTINCT)),
        labels=("a", "b", *(f"class {n}" for n in range(10_000))),
    ),
]
