"""The section `validate:`."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from tasks.params.base import Section


class Validate(Section):
    """How much of the data is looked at closely; what it must be like says expectations.yaml."""

    section: ClassVar[str] = "validate"

    sample: int = Field(2000, ge=0, description="texts embedded to tell drift by meaning; 0: none")
    label_errors: int = Field(
        20_000, ge=0, description="training examples searched for wrong labels; 0: none"
    )
