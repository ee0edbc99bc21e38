"""What a run is called."""

from __future__ import annotations

import hashlib
import re

from tasks.stage.errors import BadInput

LONGEST = 80


def run_slug(name: str) -> str:
    """A run's id as a slug of `[a-z0-9-]`: an orchestrator's own id, lower-cased, with a short
    hash of the original, so that two that differ in case or signs alone stay two."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:LONGEST].strip("-")
    digest = hashlib.sha256(name.encode()).hexdigest()[:6]
    return f"{plain}-{digest}" if plain else digest


def is_slug(text: str) -> bool:
    """Whether `text` can be a run's id."""
    return re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,98}[a-z0-9])?", text) is not None


def check_slug(run: str) -> str:
    """The id itself; raises BadInput when it is none, since it becomes part of paths."""
    if not is_slug(run):
        raise BadInput(f"run id: got {run!r}; takes lower-case letters, digits and -, at most 100")
    return run
