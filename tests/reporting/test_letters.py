from __future__ import annotations

import pytest

from tasks.reporting.letters import clean


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("invoice\u202efdp.exe", "invoice‹U+202E›fdp.exe"),
        ("a\u2066b\u2069", "a‹U+2066›b‹U+2069›"),
        ("pay\u200bpal", "pay‹U+200B›pal"),
        ("\ufeff" * 3 + "id", "‹U+FEFF ×3›id"),
        ("a\u2028b\x85c", "a‹U+2028›b‹U+0085›c"),
        ("tag\U000e0041", "tag‹U+E0041›"),
        ("z" + "\u0301" * 20, "z\u0301\u0301\u0301‹+17 marks›"),
        ("a\x00b\ud800", "a\ufffdb\ufffd"),
    ],
)
def test_what_hides_or_moves_is_shown_by_its_code_point(text: str, shown: str) -> None:
    assert clean(text) == shown
    assert clean(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "déjà vu, 23\u202f%",
        "e\u0301te\u0301",
        "👨\u200d👩\u200d👧 🏳\ufe0f\u200d🌈",
        "می\u200cخواهم",
        "क्\u200dष",
        "中文，全角",
        "tabs\tand\nlines",
    ],
)
def test_what_a_script_needs_stays(text: str) -> None:
    assert clean(text) == text


def test_a_joiner_between_latin_letters_is_a_trick() -> None:
    assert clean("pass\u200dword") == "pass‹U+200D›word"
