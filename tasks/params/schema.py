"""The whole of `params.yaml`, typed."""

from __future__ import annotations

from pydantic import Field

from tasks.params.base import Everything
from tasks.params.benchmark import Benchmark
from tasks.params.export import Export
from tasks.params.finetune import Finetune
from tasks.params.gate import Gate
from tasks.params.housekeeping import Housekeeping
from tasks.params.ingest import Ingest
from tasks.params.prune import Prune
from tasks.params.publish import Publish
from tasks.params.snapshot import Snapshot
from tasks.params.tracking import Tracking
from tasks.params.validate import Validate


class Params(Everything):
    """One section a stage, in the order of the graph; then what comes after it, and beside it."""

    snapshot: Snapshot = Field(default_factory=Snapshot)
    ingest: Ingest = Field(default_factory=Ingest)
    validate_: Validate = Field(default_factory=Validate, alias="validate")
    finetune: Finetune = Field(default_factory=Finetune)
    prune: Prune = Field(default_factory=Prune)
    export: Export = Field(default_factory=Export)
    benchmark: Benchmark = Field(default_factory=Benchmark)
    gate: Gate = Field(default_factory=Gate)
    publish: Publish = Field(default_factory=Publish)
    tracking: Tracking = Field(default_factory=Tracking)
    housekeeping: Housekeeping = Field(default_factory=Housekeeping)
