"""Digits, letters and signs as ASCII, whatever they were typed as, each in its place."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

SINGLE_DIGITS = "²³¹⁰⁴-⁹₀-₉⓪①-⑨"
"""What NFKC reads as one digit though it is no decimal digit, as a regular expression's class."""
_SIGNS = b"0123456789@"

_DASHES = "‐‑‒–—−﹘﹣－"


class _Folding(dict[int, str]):
    """Each character's reading, found out when it first comes; as `str.translate` takes it."""

    def __missing__(self, code: int) -> str:
        self[code] = found = _read(chr(code))
        return found


def _read(character: str) -> str:
    if character in _DASHES:
        return "-"
    plain = unicodedata.normalize("NFKC", character)
    if len(plain) == 1 and plain.isascii():
        return plain
    digit = unicodedata.decimal(character, None)
    return character if digit is None else str(digit)


_folding = _Folding()


def fold(text: str) -> str:
    """The text with every character that NFKC reads as one of ASCII in that form.

    As long as the text, so that a place in one is the same place in the other. Decimal digits of
    other scripts and typographic dashes are read as well.
    """
    return text if text.isascii() else text.translate(_folding)


def may_hold(text: str) -> bool:
    """Whether a text, as it is, has what any personal data have: a digit or an at sign."""
    if text.isascii():  # by far the fastest way to look for one of several characters
        content = text.encode()
        return len(content.translate(None, _SIGNS)) < len(content)
    return _sign().search(text) is not None


def has_number(text: str) -> bool:
    """Whether a folded text has six digits with little between them."""
    return _number().search(text) is not None


@cache
def _sign() -> re.Pattern[str]:
    return re.compile(rf"[@＠﹫\d{SINGLE_DIGITS}]")


@cache
def _number() -> re.Pattern[str]:
    return re.compile(r"\d(?:[ ().+-]{0,3}\d){5}", re.ASCII)
