"""Broken and odd inputs, each to the right message, into quarantine, or through untouched."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tasks.data.dataset import read_examples
from tasks.ingest import ingest
from tasks.stage.outputs import read_json
from tests.broken.case import GOOD, NIGHT, Case, Goes, Stops
from tests.broken.inputs import BATTERY, ROOMS, pinned

SPLITS = ("train", "validation", "test")
FATES = (*SPLITS, "unlabelled", "quarantined", "duplicates", "repeated", "leaks", "contradictions")
LONGEST_MESSAGE = 2_000


def test_the_battery_is_as_large_as_promised() -> None:
    assert len(BATTERY) == sum(map(len, ROOMS.values())) >= 60


@pytest.mark.timeout(20)
@pytest.mark.parametrize("case", BATTERY.values(), ids=BATTERY)
def test_no_input_fools_the_intake(case: Case, workspace: Path) -> None:
    case.make(Path(NIGHT))
    if isinstance(case.must, Stops):
        with pytest.raises(case.must.error) as caught:
            ingest(pinned(case))
        message = str(caught.value)
        assert all(part in message for part in case.must.parts), message
        assert len(message) < LONGEST_MESSAGE
    else:
        ingest(pinned(case))
        nothing_is_lost(case.must)


def nothing_is_lost(must: Goes) -> None:
    """Every good row and every text named came through; the bad ones, and no other, went aside."""
    splits = [read_examples(split) for split in SPLITS]
    assert {text for split in splits for text in split.texts} == {*must.texts, *dict(GOOD)}
    assert {label for split in splits for label in split.labels} == set(must.labels)
    aside = pq.read_table("data/quarantine.parquet").to_pylist()
    assert {bad["row"]: bad["rule"] for bad in aside} == must.aside
    assert len(aside) == len(must.aside)
    intake = read_json("data/intake.json")
    assert intake["totals"]["rows"] == must.read
    for counts in [*intake["files"], intake["totals"]]:
        assert counts["rows"] == sum(counts[fate] for fate in FATES), counts
