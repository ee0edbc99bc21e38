"""A file with a line of JSON for every loss and every look at the validation split."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path


class Lines:
    """Written at once, so that whoever reads along sees a line as soon as there is one."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path

    def write(self, kind: str, step: int, values: Mapping[str, float]) -> None:
        """`kind` is `losses` or `evaluation`; raises OSError."""
        line = json.dumps({"kind": kind, "step": step, **values})
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(line + "\n")


def read_lines(path: Path, start: int = 0) -> tuple[list[dict[str, float | str]], int]:
    """The whole lines from byte `start` on, and where the next one begins; none without a file."""
    try:
        with open(path, "rb") as file:
            file.seek(start)
            found = file.read()
    except FileNotFoundError:
        return [], start
    whole = found[: found.rfind(b"\n") + 1]
    return [json.loads(line) for line in whole.splitlines()], start + len(whole)
