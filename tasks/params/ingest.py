"""The section `ingest:`."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from tasks.params.base import Section

Share = Annotated[float, Field(ge=0, lt=1)]
Personal = Literal["email", "phone", "card", "id", "ip"]
Kind = Literal["classification", "multi-label", "regression", "entities"]
"""The names in `tasks.task.KINDS`; named here because who checks parameters may lack numpy."""


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


class GivenSplits(Section):
    """One path a split, for a source that brings its own."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    section: ClassVar[str] = "ingest.split"

    train: str
    test: str
    validation: str | None = Field(None, description="null: taken out of train by hash")


class Ingest(Section):
    """Where the examples are, and how they are split."""

    section: ClassVar[str] = "ingest"

    source: str | None = Field(
        "sample:reviews",
        description="a file or folder of CSV, TSV, JSONL or Parquet, an s3:// URI, sample:NAME",
    )
    text: str | tuple[str, str] = Field("text", description="a column, or two for pairs")
    label: str = Field("label", description="the column with the class, number, tags or spans")
    task: Kind | dict[str, Kind] = Field(
        "classification",
        description="classification, multi-label, regression, entities; {NAME: KIND} for several",
    )
    task_column: str = Field("task", description="of several tasks: the column with a row's task")
    split: str | GivenSplits | None = Field(
        None, description="a column saying train/validation/test, or a path for each; null: hash"
    )
    salt: str = Field("nightshift", description="another salt, another split")
    validation: Share = Field(0.1, gt=0, description="share of the examples held out to choose by")
    test: Share = Field(0.1, gt=0, description="share held out to report on, never to choose by")
    unlabelled: str | None = Field(
        None, description="a source of texts without labels; null: what comes with a sample"
    )
    max_characters: int = Field(100_000, ge=1, description="longer texts go to quarantine")
    max_quarantine: Share = Field(0.05, description="share of bad rows above which the run stops")
    mask: list[Personal] = Field(
        default_factory=list, description="personal data to mask: email, phone, card, id, ip"
    )

    @field_validator("task")
    @classmethod
    def _named(cls, task: str | dict[str, str]) -> str | dict[str, str]:
        if isinstance(task, str):
            return task
        if not all(_NAME.fullmatch(name) for name in task):
            raise ValueError("takes names of letters, digits, _ and -")
        if len({name.lower() for name in task}) < max(2, len(task)):
            raise ValueError("takes a kind, or two names or more that differ in more than case")
        return task

    @model_validator(mode="before")
    @classmethod
    def _list_as_pair(cls, content: dict[str, object]) -> dict[str, object]:
        text = content.get("text")
        return {**content, "text": tuple(text)} if isinstance(text, list) else content

    @property
    def tasks(self) -> dict[str, str]:
        """The kind of each task by its name; a task alone is called by its kind."""
        return {self.task: self.task} if isinstance(self.task, str) else {**self.task}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.validation + self.test > 0.8:
            raise ValueError(
                f"ingest.validation + ingest.test leave too little to train on: got "
                f"{self.validation} + {self.test}; takes at most 0.8 together"
            )
        if self.source is None and not isinstance(self.split, GivenSplits):
            raise ValueError("ingest.source: got None; takes a source, or a path for each split")
        return self
