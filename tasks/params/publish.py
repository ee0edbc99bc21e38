"""The section `publish:`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from tasks.params.base import Section


class Publish(Section):
    """Under which name a release is published, and who decides that it serves."""

    section: ClassVar[str] = "publish"

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9_-]*[a-z0-9])?$")] = Field(
        "reviews", description="of the model: its room in the registry"
    )
    major: int = Field(1, ge=0, description="first number of its versions, raised by people")
    promotion: Literal["auto", "approval", "never"] = Field(
        "auto", description="auto: what the gate lets through serves; approval: a person decides"
    )
