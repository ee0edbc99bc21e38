"""Characters of people's texts, made so that a reader sees what is there and nothing else moves.

What reorders a line, vanishes, or stacks without end is a trick on whoever reads it (Unicode
Technical Report 36, "Unicode Security Considerations"): it is shown by its code point.
"""

from __future__ import annotations

import re

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_UNSEEN = (
    "\x7f-\x9f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""Controls, fillers, marks of direction, separators of lines, joiners and tags."""
_EMOJI = "\u2190-\u2bff\ufe0f\U0001f000-\U0001faff"
_JOINED = "\u0600-\u08ff\u0900-\u0dff\ufb50-\ufdff"
"""Arabic and Indic scripts, which need joiners to be written right."""
_TRICK = re.compile(
    f"(?P<right>(?<=[{_EMOJI}])\u200d(?=[{_EMOJI}])|(?<=[{_JOINED}])[\u200c\u200d](?=[{_JOINED}]))"
    f"|(?P<unseen>[{_UNSEEN}])(?P=unseen)*"
)
_MARKS = "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
_STACKED = re.compile(f"([{_MARKS}]{{3}})([{_MARKS}]+)")


def clean(text: str) -> str:
    """`text` with nothing hidden in it; what XML does not have is a replacement character.

    >>> clean("a\\u202eb")
    'a‹U+202E›b'
    """
    return _STACKED.sub(_counted, _TRICK.sub(_shown, _NOT_XML.sub("\ufffd", text)))


def _shown(found: re.Match[str]) -> str:
    if found["right"]:
        return found["right"]
    often = f" ×{len(found[0])}" if len(found[0]) > 1 else ""
    return f"‹U+{ord(found['unseen']):04X}{often}›"


def _counted(found: re.Match[str]) -> str:
    return f"{found[1]}‹+{len(found[2])} marks›"
