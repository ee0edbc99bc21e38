"""What a model's nights came to, in one record."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tasks.handover import journal
from tasks.handover.journal import KEPT, Entry
from tasks.handover.prepare import prepare
from tasks.stage.errors import StageError
from tasks.store.entries import Found
from tasks.store.store import Store
from tests.handover.project import make_project
from tests.monitoring.made import began, came_through, judged, night


def nights(store: Store, name: str = "mood") -> list[Entry]:
    found = store.read(journal.key(name))
    return journal.parse(found, "the journal") if found else []


def test_a_night_leaves_its_verdict_and_three_times(store: Store) -> None:
    run = began(store, "night-1", "2026-11-24T02:00:00Z")
    assert nights(store) == [Entry("night-1", "2026-11-24T02:00:00Z")]
    judged(run, "refused")
    journal.end(run)
    (entry,) = nights(store)
    assert entry.verdict == "refused"
    assert entry.judged
    assert entry.ended


def test_prepare_begins_the_night(folder_store: Store, tmp_path: Path) -> None:
    (tmp_path / "source.txt").write_text("x")
    project = make_project(tmp_path / "project", tmp_path / "source.txt")
    run = prepare(folder_store, "night-1", project, ["publish.name=tickets"])
    assert nights(folder_store, "tickets") == [Entry("night-1", run.facts()["prepared"])]


def test_a_run_for_a_day_long_past_is_no_night(folder_store: Store) -> None:
    run = began(folder_store, "backfill", data_date="2026-01-01")
    judged(run, "blessed")
    journal.end(run)
    assert nights(folder_store) == []


def test_a_step_that_is_tried_again_writes_no_second_entry(folder_store: Store) -> None:
    run = night(folder_store, "night-1", "2026-11-24T02:00:00Z", "refused")
    judged(run, "blessed")
    (entry,) = nights(folder_store)
    assert entry.verdict == "blessed"
    assert entry.ended is None, "its page is to be written again"


def test_it_keeps_the_last_nights_in_their_order(folder_store: Store) -> None:
    for number in reversed(range(KEPT + 2)):
        began(folder_store, f"night-{number}", f"2026-{1 + number // 28:02}-{1 + number % 28:02}")
    found = [entry.run for entry in nights(folder_store)]
    assert found[0] == "night-2"
    assert found[-1] == f"night-{KEPT + 1}"
    assert len(found) == KEPT


def test_of_runs_that_write_at_once_none_is_lost(store: Store) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: began(store, f"night-{number}"), range(4)))
    assert {entry.run for entry in nights(store)} == {f"night-{number}" for number in range(4)}


@pytest.mark.parametrize(
    "content",
    [b"{", b"[]", b'{"nights": [{"run": "a"}]}', b'{"nights": [{"run": "a", "begun": "today"}]}'],
)
def test_a_broken_journal_is_named_and_stops_no_night(
    folder_store: Store, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(StageError, match=r"mood.json is no journal .*: remove it"):
        journal.parse(Found(content, "tag"), "mood.json")
    folder_store.write(journal.key("mood"), content)
    began(folder_store, "night-1")
    assert [entry.run for entry in nights(folder_store)] == ["night-1"]
    assert "runs/_journal/mood.json is no journal" in capsys.readouterr().err


def test_a_stage_says_when_it_began_and_ended(folder_store: Store) -> None:
    run = began(folder_store, "night-1")
    mine = run.claim("ingest")
    assert mine.begun
    came_through(run, "ingest")
    record = run.record("ingest")
    assert record is not None
    assert record.begun
    assert record.ended
    assert record.ended >= record.begun
