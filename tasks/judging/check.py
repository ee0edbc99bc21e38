"""One thing that a candidate must be like, and whether it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Direction = Literal["at least", "at most", "more than", "equal to"]
Verdict = Literal["blessed", "refused", "nothing new"]


@dataclass(frozen=True)
class Check:
    """What was observed, beside what is asked for."""

    name: str
    kind: Literal["absolute", "change"]
    """`absolute`: of the candidate alone. `change`: against a version published before."""
    observed: float | str | None
    limit: float | str | None
    direction: Direction
    """The observed figure must be `direction` the limit."""
    ok: bool
    detail: str
    """Both numbers in a sentence a person can act on."""
    waived: bool = False
    """Whether there was nothing to hold it against, so that it counts as passed."""


def waive(name: str, limit: float | str | None, direction: Direction, why: str) -> Check:
    """A change that can't be looked at, passed and marked as such."""
    return Check(name, "change", None, limit, direction, ok=True, detail=why, waived=True)


def verdict_of(checks: Iterable[Check]) -> Verdict:
    """Blessed when every check is passed."""
    return "blessed" if all(check.ok for check in checks) else "refused"


def reasons_of(checks: Sequence[Check]) -> list[str]:
    """Why it was refused, a sentence each; empty when it was not."""
    return [check.detail for check in checks if not check.ok]
