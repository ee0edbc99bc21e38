"""E-mail addresses, from the at sign outwards: nothing is looked at twice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

LOCAL = 64
DOMAIN = 255
"""The longest parts before and after the at sign (RFC 5321, 4.5.3.1)."""
FILES = ("png", "jpg", "jpeg", "gif", "svg", "webp", "js", "css", "json", "html", "txt", "pdf")


def find(text: str) -> Iterator[tuple[int, int]]:
    """The places of the addresses in a folded text, from the first to the last.

    An address has letters and digits of Latin scripts and ends in a domain with a letter ending,
    so it may stand within Chinese; `name@2x.png` and `package@1.2.3` are none.
    """
    at, clear = text.find("@"), 0
    while at >= 0:
        domain = _domain().match(text, at + 1, at + 1 + DOMAIN)
        local = domain and _local().search(text, max(clear, at - LOCAL), at)
        clear = at + 1
        if local and domain:
            clear = domain.end()
            yield local.start(), clear
        at = text.find("@", clear)


@cache
def _local() -> re.Pattern[str]:
    letters = r"A-Za-z0-9_\u00c0-\u024f"
    return re.compile(rf"(?<![{letters}])[{letters}][{letters}.!#$%&'*+?^`{{|}}~-]*\Z")


@cache
def _domain() -> re.Pattern[str]:
    files = "|".join(FILES)
    return re.compile(
        r"(?!v?\d+\.\d)(?:[A-Za-z0-9\u00c0-\u024f][A-Za-z0-9\u00c0-\u024f-]{0,62}+\.){1,8}"
        rf"(?!(?:{files})\b)(?:[A-Za-z]{{2,24}}|xn--[a-z0-9-]{{2,59}})(?![A-Za-z0-9_-])"
    )
