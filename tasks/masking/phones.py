"""Telephone numbers: international, of North America, of Britain and its like, and of China."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from tasks.masking.cues import AMOUNTS, THINGS, Cues, words

LEAST, MOST = 9, 15
"""Digits of a number with its area code; the most are of ITU-T E.164."""
LONGEST_UNBROKEN = 11
"""Digits of a national number in one piece; longer ones with a 0 before them are serial numbers."""

CUES = Cues(
    words(
        "tel phone phones telephone mobile cell cellphone call called calls calling ring rang dial "
        "text texted fax whatsapp sms ph reach contact hotline voicemail "
        "电话 手机 致电 拨打 来电 联系 传真 热线 座机 短信 打给 拨"
    ),
    THINGS | AMOUNTS,
)

_AMERICA = (
    r"(?:(?:\+|00)?1[ .-]?)?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[ .-]?)[2-9]\d{2}[ .-]?\d{4}"
    r"(?: ?(?:x|ext\.? ?)\d{1,6})?"
)
_CHINA = r"(?:(?:\+|00)?86[ -]?)?1[3-9]\d(?:[ -]?\d{4}){2}"
_BRITAIN = r"(?:\+|00)44 ?(?:\(0\) ?)?[1-9](?:[ -]?\d){7,9}"
_WORLD = r"\+(?!1\d)[1-9]\d(?:[ .()-]{0,2}\d){6,12}"
_NATIONAL = r"(?<!\d{4}[ -])(?:\(0[1-9]\d{1,3}\)|0[1-9]\d{1,3})[ -]?\d(?:[ -]?\d){4,8}"
_PAIRS = r"0[1-9](?:[ .]\d{2}){4}"


def find(text: str) -> Iterator[tuple[int, int]]:
    """The places of the telephone numbers in a folded text.

    A number of the right shape counts unless the words or signs beside it make it an order, a
    price, a sum or another thing's.
    """
    for match in _pattern().finditer(text):
        start, end = match.span()
        number = re.split("[xe]", match[0])[0]
        longest = LONGEST_UNBROKEN if re.match("0[1-9]", number) and number.isdigit() else MOST
        if not LEAST <= sum(map(str.isdigit, number)) <= longest:
            continue
        said = CUES.judge(text, start, end)
        if said or (said is None and not _is_arithmetic(text, start, end)):
            yield start, end


def _is_arithmetic(text: str, start: int, end: int) -> bool:
    """A sum's numbers are unbroken; those that are not may be two numbers with a sign between."""
    before, after = _arithmetic()
    unbroken = text[start:end].isdigit()
    return unbroken and bool(
        before.search(text, max(0, start - 12), start) or after.match(text, end)
    )


@cache
def _arithmetic() -> tuple[re.Pattern[str], re.Pattern[str]]:
    before = re.compile(r"(?:[=*×÷^<>]|\d\s[+-]|\b\d{1,6}\s?/)\s?\Z", re.ASCII)
    return before, re.compile(r"\s?(?:[=*×÷^<>]|/\s?\d{1,4}\b)|\s[+-]\s\d", re.ASCII)


@cache
def _pattern() -> re.Pattern[str]:
    shapes = "|".join((_AMERICA, _CHINA, _BRITAIN, _WORLD, _NATIONAL, _PAIRS))
    return re.compile(rf"(?<![\w+@])(?<!\d[-/.])(?:{shapes})(?![\w@]|[-./]\d)", re.ASCII)
