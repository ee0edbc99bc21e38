"""Internet addresses, of both versions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from tasks.masking.cues import Cues, words

CUES = Cues(
    words(
        "ip ipv4 ipv6 host hosts server servers address addresses ping dns gateway router proxy "
        "client login logged ssh subnet 地址 服务器 主机 网关 登录 路由"
    ),
    words(
        "v version versions ver release released build firmware driver update updated upgrade "
        "upgraded upgrading downgrade downgraded patch sdk api kernel section sections chapter "
        "clause paragraph article figure table appendix rev revision software app "
        "版本 固件 驱动 更新 升级 章 小节 条款 软件 内核 补丁"
    ),
)
SMALL = 20
"""Versions and chapters seldom count to this; without a word beside it, an address does."""

GROUPS = 8


def find(text: str) -> Iterator[tuple[int, int]]:
    """The places of the addresses in a folded text.

    Four numbers may be a version or a chapter as well: the words beside them decide, else how
    large they are.
    """
    if text.count(".") < 3 and text.count(":") < 2:
        return
    for match in _either().finditer(text):
        found = _is_version_4 if match.lastgroup == "four" else _is_version_6
        if found(text, match):
            yield match.span()


def _is_version_4(text: str, match: re.Match[str]) -> bool:
    address, _, tail = match[0].replace("/", ":").partition(":")
    numbers = [int(number) for number in address.split(".")]
    if max(numbers) > 255 or any(len(n) > 1 and n[0] == "0" for n in address.split(".")):
        return False
    said = CUES.judge(text, *match.span())
    if said is not None:
        return said
    return bool(tail) or max(numbers) >= SMALL or numbers[0] == 10


def _is_version_6(_: str, match: re.Match[str]) -> bool:
    """Eight groups, or fewer around `::` after a first one of a real network's length."""
    address = match[0].partition("%")[0].partition("/")[0]
    groups = address.split(":")
    if "." in groups[-1]:
        return address.lower().startswith("::ffff:") and address.count(":") == 3
    if "::" not in address:
        return len(groups) == GROUPS and all(groups) and max(map(len, groups)) > 2
    single = address.count("::") == 1 and ":::" not in address
    return single and len(groups) <= GROUPS and len(groups[0]) >= 3 and _has_digit(address)


def _has_digit(address: str) -> bool:
    return any(character.isdigit() for character in address)


@cache
def _either() -> re.Pattern[str]:
    four = (
        r"(?<!\w)(?<!\d[-/.:])\d{1,3}(?:\.\d{1,3}){3}"
        r"(?:(?::\d{1,5}|/\d{1,2})(?![\w:]|\.\d))?(?![\w@]|[-.]\d)"
    )
    group = "[0-9A-Fa-f]"
    in_the_middle = "".join(rf"(?<!\b{group * length}:)" for length in range(1, 5))
    six = (
        rf"(?<!\w)(?<!::)(?<!\d\.){in_the_middle}(?=::(?!:)|{group}){group}{{0,4}}(?::{group}{{0,4}}){{2,7}}"
        r"(?::?\d{1,3}(?:\.\d{1,3}){3})?(?:%\w{1,15})?(?:/\d{1,3})?(?!\w|:\w|\.\d)"
    )
    return re.compile(f"(?P<four>{four})|(?P<six>{six})", re.ASCII)
