"""Texts in, texts without personal data out, and how often each kind was there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from tasks.masking import cards, emails, identities, internet, phones
from tasks.masking.folding import fold, has_number, may_hold
from tasks.stage.errors import BadInput

Span = tuple[int, int]
Find = Callable[[str], Iterator[Span]]

_FINDERS: dict[str, Find] = {
    "email": emails.find,
    "ip": internet.find,
    "id": identities.find,
    "card": cards.find,
    "phone": phones.find,
}
"""In the order in which they are looked for: what has a checksum before what has only a shape."""

NUMBERS = ("card", "id", "phone")
"""The kinds that have several digits in a row, or nearly."""

KINDS = ("email", "phone", "card", "id", "ip")
"""The kinds that can be masked; a release names those that it was trained without."""


class Masker:
    """Puts `[EMAIL]`, `[PHONE]`, `[CARD]`, `[ID]` or `[IP]` where a text has personal data.

    Masked text is left as it is. Time grows with the length of a text, whatever is in it. Safe to
    call from many threads. Raises BadInput naming a kind that it doesn't know.
    """

    def __init__(self, kinds: Sequence[str]) -> None:
        for kind in kinds:
            if kind not in KINDS:
                raise BadInput(f"mask: got {kind!r}; known kinds are {', '.join(KINDS)}")
        self._finders = [(kind, find) for kind, find in _FINDERS.items() if kind in kinds]

    def __call__(self, text: str) -> tuple[str, Counter[str]]:
        """The text masked, and how often each kind was found."""
        masked, found, _ = self.following(text, ())
        return masked, found

    def following(
        self, text: str, stretches: Sequence[Span]
    ) -> tuple[str, Counter[str], list[Span]]:
        """The text masked, how often each kind was found, and where stretches of it came to lie.

        A stretch of which a part is masked has the whole mark in it. Two that did not overlap do
        so afterwards when one mark has taken a part of both.
        """
        found: Counter[str] = Counter()
        places = list(stretches)
        if not self._finders or not may_hold(text):
            return text, found, places
        folded = fold(text)
        before = -1
        while found.total() != before:  # what is masked may have hidden what stood beside it
            before = found.total()
            numbers = has_number(folded)
            for kind, find in self._finders:
                spans = list(find(folded)) if numbers or kind not in NUMBERS else []
                if spans:
                    mark = f"[{kind.upper()}]"
                    text, folded = _marked(text, spans, mark), _marked(folded, spans, mark)
                    found[kind] += len(spans)
                    if places:
                        places = [_moved(place, spans, len(mark)) for place in places]
        return text, found, places


def _marked(text: str, spans: Sequence[Span], mark: str) -> str:
    ends = [0, *(end for _, end in spans)]
    starts = [*(start for start, _ in spans), len(text)]
    return mark.join(text[end:start] for end, start in zip(ends, starts, strict=True))


def _moved(place: Span, spans: Sequence[Span], length: int) -> Span:
    """Where a stretch lies once each of the spans, in order, is that many characters long."""
    start, end = place
    by_start = by_end = 0
    for first, after in spans:
        longer = length - (after - first)
        if first < place[0] < after:
            start = first
        elif after <= place[0]:
            by_start += longer
        if first < place[1]:
            by_end += longer
            end = max(end, after)
    return start + by_start, end + by_end
