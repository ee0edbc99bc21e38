"""Which names of files may stand in reports, logs and tables."""

from __future__ import annotations

import unicodedata

from tasks.stage.errors import BadInput

_BREAK_A_LINE = {"Cc", "Zl", "Zp"}
"""Control characters and line ends: they would break up a message or steer a terminal."""


def check_name(path: str, where: str) -> str:
    """`path`, once it is known to be printable UTF-8. Raises BadInput that says what to rename."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        raw = path.encode("utf-8", "surrogateescape")
        raise BadInput(f"{where}: the file name {raw!r} is not UTF-8: rename it") from None
    if any(unicodedata.category(character) in _BREAK_A_LINE for character in path):
        raise BadInput(f"{where}: the file name {path!r} has control characters in it: rename it")
    return path
