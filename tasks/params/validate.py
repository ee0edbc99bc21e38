"""The section `validate:`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from tasks.params.base import Section

Share = Annotated[float, Field(ge=0, le=1)]


class Validate(Section):
    """What the data must be like before anything is trained on it."""

    section: ClassVar[str] = "validate"

    labels: list[str] | None = Field(
        None, min_length=2, description="the classes allowed; null: those of snapshot.reference"
    )
    min_rows: int = Field(200, ge=2, description="fewest training examples")
    min_rows_per_class: int = Field(8, ge=1, description="fewest training examples of a class")
    min_class_share: Share = Field(0.002, description="smallest share of a class in a split")
    max_class_share: Share = Field(0.98, description="largest share of a class in a split")
    min_characters: int = Field(1, ge=1, description="shortest text")
    max_median_characters: int = Field(20_000, ge=1, description="longest median text of a split")
    max_label_shift: Share = Field(
        0.15, description="largest difference of a class's share between two splits"
    )
