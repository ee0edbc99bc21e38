"""Payment card numbers: an issuer's range, the length that goes with it, and the check digit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from tasks.masking.checksums import luhn
from tasks.masking.cues import Cues, words

CUES = Cues(
    words("card cards visa mastercard maestro amex express discover jcb diners credit debit cvv 卡")
)
ISSUERS = (
    r"4(?:\d{12}|\d{15}|\d{18})"  # Visa
    r"|(?:5[1-5]\d{2}|222[1-9]|22[3-9]\d|2[3-6]\d{2}|27[01]\d|2720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|(?:6011|64[4-9]\d|65\d{2})\d{12}"  # Discover
    r"|3(?:0[0-5]|[689]\d)\d{11}"  # Diners Club
    r"|35\d{14}|(?:2131|1800)\d{11}"  # JCB
    r"|62\d{14,17}"  # UnionPay
    r"|(?:50|5[6-8]|6304|6390|67|0604)\d{8,17}"  # Maestro
)
"""From the ranges of ISO/IEC 7812 as the issuers publish them."""


def find(text: str) -> Iterator[tuple[int, int]]:
    """The places of the card numbers in a folded text: unbroken, or in the groups of a card."""
    for match in _written().finditer(text):
        digits = re.sub("[ -]", "", match[0])
        if (
            _issuer().fullmatch(digits)
            and luhn(digits)
            and CUES.judge(text, *match.span()) is not False
        ):
            yield match.span()


@cache
def _written() -> re.Pattern[str]:
    groups = (
        r"\d{4}(?P<s>[ -])\d{4}(?P=s)\d{4}(?:(?P=s)\d{4})?(?:(?P=s)\d{1,3})?"
        r"|\d{4}(?P<t>[ -])\d{6}(?P=t)\d{4,5}|\d{6}(?P<u>[ -])\d{10,13}|\d{12,19}"
    )
    return re.compile(rf"(?<!\w)(?<!\d[ .-])(?:{groups})(?![\w@]|[-.]\d)", re.ASCII)


@cache
def _issuer() -> re.Pattern[str]:
    return re.compile(ISSUERS, re.ASCII)
