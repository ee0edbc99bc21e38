"""Numbers that stand for a person before the state or the bank."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache

from tasks.masking.checksums import hong_kong, iban, resident
from tasks.masking.cues import Cues, words

CUES = Cues(words("ssn itin nino social taxpayer tax id insurance identity iban 身份证 证件 社保"))

IBAN_LENGTHS = (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 "
    "EE20 EG29 ES24 FI18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 "
    "IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MR27 MT31 MU30 "
    "NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SE24 SI19 SK24 SM27 ST25 SV28 TN24 "
    "TR26 UA29 VA22 VG24 XK20"
)
"""Characters of a country's account numbers (SWIFT's IBAN registry)."""
MOST = 34

_RESIDENT = (
    r"[1-9]\d{5}(?P<r>[ -]?)(?:18|19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
    r"(?P=r)\d{3}[\dXx]"
)
_HONG_KONG = r"(?P<letters>[A-Za-z]{1,2})(?P<digits>\d{6})\((?P<check>[0-9Aa])\)"
_SOCIAL = (
    r"(?!000|666|9)\d{3}(?P<s>[- ])(?!00)\d{2}(?P=s)(?!0000)\d{4}"
    r"|9\d{2}(?P<i>[- ])(?:5\d|6[0-5]|7\d|8[0-8]|9[0-24-9])(?P=i)\d{4}"
)
_BARE_SOCIAL = r"(?!000|666|9)\d{3}(?!00)\d{2}(?!0000)\d{4}"
_INSURANCE = (
    r"(?:(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z](?P<a> ?)\d{2}(?P<n> ?)\d{2}"
    r"(?P=n)\d{2}(?P=a)[A-D]|ZZ(?P<z> ?)\d{2}(?P<o> ?)\d{2}(?P=o)\d{2}(?P=z)T)"
)
"""HMRC's manual NIM39110; ZZ…T is what stands for a number that nobody has."""
_IBAN = r"[A-Za-z]{2}\d{2}(?: ?[A-Za-z0-9]{4}){2,7}(?: ?[A-Za-z0-9]{1,3})?"


def find(text: str) -> Iterator[tuple[int, int]]:
    """The places of the numbers in a folded text.

    China's resident identity number, Hong Kong's identity card and the IBAN by their checksums;
    the American SSN and ITIN and the British National Insurance number, which have none, by what
    is never issued and by the words beside them.
    """
    at = 0
    while (match := _pattern().search(text, at)) is not None:
        kind = str(match.lastgroup)
        end = _ENDS[kind](text, match)
        if end is not None:
            yield match.start(), end
        at = end or match.start() + 1


def _resident(_: str, match: re.Match[str]) -> int | None:
    return match.end() if resident(re.sub("[ -]", "", match[0])) else None


def _hong_kong(_: str, match: re.Match[str]) -> int | None:
    return match.end() if hong_kong(match["letters"], match["digits"], match["check"]) else None


def _unless_named_otherwise(text: str, match: re.Match[str]) -> int | None:
    return match.end() if CUES.judge(text, *match.span()) is not False else None


def _if_named(text: str, match: re.Match[str]) -> int | None:
    return match.end() if CUES.judge(text, *match.span()) else None


def _iban(text: str, match: re.Match[str]) -> int | None:
    """Where the number ends by its country's length, if that is between words and the sum fits."""
    start, length = match.start(), _lengths().get(match[0][:2].upper(), MOST)
    spaces = (length - 1) // 4 if match[0][4] == " " else 0
    end = start + length + spaces
    number = text[start:end].replace(" ", "")
    within = text[end : end + 1]
    if len(number) != length or (within.isascii() and within.isalnum()):
        return None
    return end if number.isalnum() and number.isascii() and iban(number.upper()) else None


_ENDS: dict[str, Callable[[str, re.Match[str]], int | None]] = {
    "resident": _resident,
    "hong_kong": _hong_kong,
    "social": _unless_named_otherwise,
    "insurance": _unless_named_otherwise,
    "bare": _if_named,
    "iban": _iban,
}


@cache
def _lengths() -> dict[str, int]:
    return {entry[:2]: int(entry[2:]) for entry in IBAN_LENGTHS.split()}


@cache
def _pattern() -> re.Pattern[str]:
    whole = r"(?![\w@]|[-.]\d)"
    return re.compile(
        rf"(?<!\w)(?<!\d[-.])(?:(?P<resident>{_RESIDENT}){whole}|(?P<hong_kong>{_HONG_KONG})"
        rf"|(?P<insurance>{_INSURANCE}){whole}|(?P<iban>{_IBAN})|(?P<social>{_SOCIAL}){whole}"
        rf"|(?P<bare>{_BARE_SOCIAL}){whole})",
        re.ASCII,
    )
