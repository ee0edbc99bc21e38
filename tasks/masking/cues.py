"""What the words beside a number say that it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, cached_property

BEFORE = 36
AFTER = 24
"""Characters that are read before a number and after it."""


def words(listed: str) -> frozenset[str]:
    """The words of a list with spaces between them."""
    return frozenset(listed.split())


THINGS = words(
    "order orders ord invoice invoices inv tracking track shipment parcel parcels package packages "
    "waybill isbn issn doi ean upc sku gtin barcode serial imei ticket tickets case item items "
    "part model product products receipt batch lot ref reference transaction booking confirmation "
    "hash checksum sha commit build version timestamp po "
    "订单 单号 运单 快递 发票 编号 序列号 流水号 货号 书号 型号 票号 条码 条形码 批号 "
    "版本 时间戳 哈希 校验 房号 交易号 合同 券码"
)
"""Words that numbers of things have beside them."""

AMOUNTS = words(
    "account id price cost costs total amount paid population revenue votes views bytes rows unix "
    "pi 账单 金额 价格 总计 合计 人口 账号 编码"
)
"""Words that amounts, and numbers of accounts, have beside them."""

_BARRIER = r"[;!?,。；\n\[\]@\d]|[A-Za-z]{4,}\.\s"
_CODE = r"(?<![A-Za-z])(?!(?:TEL|PH|FAX|CELL|MOB)\b)[A-Z]{2,6}[-_]\Z|[#$£€¥₤]\s?\Z"
_UNIT = (
    r"\s?(?:元|块|人次|人|美元|欧元|英镑|万|亿|个|次|字节|票|dollars|euros|pounds|USD|EUR|GBP|RMB|CNY|"
    r"bytes|rows|votes|%)"
)
_LINK = r"[?.]?\s*(?:\(|-|(?i:(?:it|this|that)\s)?(?i:is|was|are)\b|是|为|系|即)"


@dataclass(frozen=True)
class Cues:
    """Words of a kind (`yes`) and of other things (`no`), in lower case."""

    yes: frozenset[str]
    no: frozenset[str] = THINGS

    def judge(self, text: str, start: int, end: int) -> bool | None:
        """Whether the words beside `text[start:end]` name the kind, another thing, or neither.

        The nearest word in the same clause decides, one before the number ahead of one after it.
        """
        before = re.split(_compiled(_BARRIER), text[max(0, start - BEFORE) : start])[-1]
        if _compiled(_CODE).search(before) or _compiled(_UNIT).match(text, end):
            return False
        said = self._named(before)
        if said:
            return said[-1]
        link = _compiled(_LINK).match(text, end)
        if link:
            after = text[link.end() : link.end() + AFTER]
            said = self._named(re.split(_compiled(_BARRIER), after)[0])
        return said[0] if said else None

    def _named(self, text: str) -> list[bool]:
        words = map(str.lower, self._words.findall(text))
        return [word in self.yes for word in words if word in self.yes or word in self.no]

    @cached_property
    def _words(self) -> re.Pattern[str]:
        """An English word, whichever, or one of the Chinese cues, the longest first."""
        chinese = [cue for cue in self.yes | self.no if not cue.isascii()]
        return re.compile("|".join(["[A-Za-z]+", *sorted(chinese, key=lambda c: (-len(c), c))]))


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII)
