"""Writing outputs so that nothing half-written is ever taken for whole."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tasks.stage import parent

STATE = Path(".nightshift")
"""What a workspace keeps beside the outputs: lock, half-written files, checkpoints, caches."""


@contextmanager
def whole(target: str | Path) -> Iterator[Path]:
    """Yield a path to write a file or folder to; it becomes `target` only if the block succeeds.

    The path lies on the target's file system, so the last step is one rename. A process whose
    parent died does not get that far (see `tasks.stage.parent`).
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = STATE / "drafts" / f"{os.getpid()}-{target.name}"
    draft.parent.mkdir(parents=True, exist_ok=True)
    remove(draft)
    try:
        yield draft
        parent.check()
        if target.is_dir():
            remove(target)
        draft.replace(target)
    except BaseException:
        remove(draft)
        raise


def remove(path: Path) -> None:
    """Remove a file or a folder tree; what is not there is fine."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_json(target: str | Path, content: Any) -> None:
    """Write canonical JSON: sorted keys, two spaces, no NaN, a newline at the end."""
    text = json.dumps(
        finite(content), sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False
    )
    with whole(target) as draft:
        draft.write_text(text + "\n", encoding="utf-8")


def read_json(path: str | Path) -> Any:
    """The content of a JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def finite(value: Any) -> Any:
    """The same structure with NaN and infinities, which JSON does not have, as null."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def sha256(path: str | Path) -> str:
    """The hex digest of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
