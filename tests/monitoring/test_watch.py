"""What is read of a store, how often, and what becomes of what can't be read."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from infra.s3 import Server
from tasks.handover import journal
from tasks.monitoring.watch import Watch
from tasks.sources import aws
from tasks.store.bucket import BucketStore
from tasks.store.store import Store, open_store, to_json
from tests.monitoring.made import began, came_through, judged, night, serving


def looked(store: Store) -> Watch:
    watch = Watch(store)
    assert watch.look()
    return watch


def test_the_newest_night_is_shown_with_the_figures_of_the_one_before(store: Store) -> None:
    night(store, "night-1", "2026-11-23T02:00:00Z", "refused")
    run = began(store, "night-2", "2026-11-24T02:00:00Z")
    came_through(run, "snapshot", seconds=7)
    model = looked(store).state.models["mood"]
    assert model.night.run == "night-2"
    assert {name: record.status for name, record in model.stages.items()} == {"snapshot": "ok"}
    assert model.finished["snapshot"].seconds == 7
    assert model.finished["finetune"].seconds == 60
    assert model.intake["quarantined"] == 20
    assert model.ruling["candidate"]["figure"] == 0.84
    assert model.refusals == 1


def test_what_changes_is_seen_at_the_next_look(store: Store, tmp_path: Path) -> None:
    watch = Watch(store)
    run = began(store, "night-1")
    watch.look()
    assert watch.state.models["mood"].stages == {}
    came_through(run, "snapshot", "ingest")
    watch.look()
    assert set(watch.state.models["mood"].stages) == {"snapshot", "ingest"}
    assert watch.state.models["mood"].verdict is None
    judged(run, "blessed")
    serving(store, tmp_path / "release")
    watch.look()
    model = watch.state.models["mood"]
    assert model.verdict
    assert model.verdict.verdict == "blessed"
    assert model.aliases.production == "v1.0.0"


def test_a_run_that_is_taken_up_again_after_its_end_is_seen(folder_store: Store) -> None:
    run = began(folder_store, "night-1")
    came_through(run, "ingest", status="stopped")
    journal.end(run)
    watch = looked(folder_store)
    came_through(run, "ingest")
    judged(run, "blessed")
    watch.look()
    model = watch.state.models["mood"]
    assert model.stages["ingest"].status == "ok"
    assert model.stages["ingest"].attempt == 2
    assert model.night.ended is None


@pytest.mark.parametrize(
    ("verdicts", "refusals"),
    [
        (["refused", "blessed"], 0),
        (["blessed", "refused", "refused"], 2),
        (["refused", "nothing new", "refused"], 1),
    ],
)
def test_refusals_are_counted_back_to_another_verdict(
    folder_store: Store, verdicts: list[str], refusals: int
) -> None:
    for number, verdict in enumerate(verdicts):
        night(folder_store, f"night-{number}", f"2026-11-2{number}T02:00:00Z", verdict)
    began(folder_store, "at-work", "2026-11-29T02:00:00Z")
    assert looked(folder_store).state.models["mood"].refusals == refusals


def test_a_stage_waits_from_the_end_of_the_one_before_it(folder_store: Store) -> None:
    run = began(folder_store, "night-1", "2026-11-24T02:00:00Z")
    times = {
        "snapshot": ("2026-11-24T02:00:40Z", "2026-11-24T02:01:00Z", 1),
        "ingest": ("2026-11-24T02:11:00Z", "2026-11-24T02:12:00Z", 1),
        "validate": ("2026-11-24T02:40:00Z", None, 2),
    }
    for stage, (begun, ended, attempt) in times.items():
        record = {"stage": stage, "attempt": attempt, "token": "", "status": "ok"}
        folder_store.write(
            run.key(f"stages/{stage}.json"), to_json({**record, "begun": begun, "ended": ended})
        )
    assert looked(folder_store).state.models["mood"].waits == {"snapshot": 40, "ingest": 600}


def _requests(store: Store) -> list[str]:
    """Filled with the operation of each request that leaves for the bucket."""
    assert isinstance(store, BucketStore)
    seen: list[str] = []
    store._client.meta.events.register(
        "before-send.s3", lambda event_name, **_: seen.append(event_name.rsplit(".", 1)[1])
    )
    return seen


def test_a_look_costs_what_it_says(bucket: str) -> None:
    store = open_store(f"s3://{bucket}/team")
    for name in ("mood", "tickets"):
        night(store, f"{name}-1", "2026-11-23T02:00:00Z", "refused", name=name)
    watch, seen = Watch(store), _requests(store)
    watch.look()
    # the listing; a model: journal, aliases, a run (a listing, three records), intake, verdict
    assert len(seen) == watch.state.requests == 1 + 2 * (2 + 4 + 2)
    seen.clear()
    watch.look()
    assert seen.count("ListObjectsV2") == 1
    assert seen.count("GetObject") == 2, "aliases, which people move too"
    assert len(seen) == watch.state.requests == 1 + 2

    began(store, "mood-2", "2026-11-25T02:00:00Z")
    watch.look()
    seen.clear()
    watch.look()
    assert len(seen) == watch.state.requests == 1 + 2 + 1, "and a listing a run at work"


def test_a_store_that_is_away_changes_nothing_but_the_count(
    bucket: str, s3_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(f"s3://{bucket}/team", patience=0)
    night(store, "night-1", "2026-11-24T02:00:00Z", "blessed")
    watch = looked(store)
    before = watch.state.models["mood"]
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    monkeypatch.setattr(aws, "SETTINGS", aws.SETTINGS.merge(_impatient()))
    away = open_store(f"s3://{bucket}/team", patience=0)
    watch._reader.store = away
    assert not watch.look()
    assert watch.state.errors == {"unavailable": 1, "refused": 0, "broken": 0}
    assert watch.state.models["mood"] is before, "with the time at which it was read"


def _impatient() -> Any:
    from botocore.config import Config

    return Config(retries={"mode": "standard", "max_attempts": 1}, connect_timeout=1)


def test_a_disk_that_is_not_mounted_is_an_error(folder_store: Store, tmp_path: Path) -> None:
    night(folder_store, "night-1", "2026-11-24T02:00:00Z", "blessed")
    watch = looked(folder_store)
    shutil.move(tmp_path / "store", tmp_path / "elsewhere")
    assert not watch.look()
    assert watch.state.errors["unavailable"] == 1
    assert list(watch.state.models) == ["mood"]


@pytest.mark.parametrize(
    ("key", "content"),
    [
        ("runs/_journal/mood.json", b"{"),
        ("runs/_journal/mood.json", b'{"nights": []}'),
        ("runs/night-1/stages/ingest.json", b"[]"),
        ("runs/night-1/stages/ingest.json", b'{"stage": "ingest"}'),
        ("runs/night-1/reports/gate.json", b"no JSON"),
        ("registry/mood/aliases.json", b"{}"),
    ],
)
def test_a_broken_record_is_counted_and_hides_no_other_model(
    folder_store: Store, key: str, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    night(folder_store, "night-1", "2026-11-24T02:00:00Z", "refused")
    night(folder_store, "other", "2026-11-24T02:00:00Z", "blessed", name="tickets")
    folder_store.write(key, content)
    watch = Watch(folder_store)
    assert not watch.look()
    assert watch.state.errors == {"unavailable": 0, "refused": 0, "broken": 1}
    assert list(watch.state.models) == ["tickets"]
    assert key in capsys.readouterr().err


def test_a_model_without_a_journal_is_watched_no_more(folder_store: Store) -> None:
    night(folder_store, "night-1", "2026-11-24T02:00:00Z", "refused")
    watch = looked(folder_store)
    folder_store.delete(journal.key("mood"))
    watch.look()
    assert watch.state.models == {}


def test_credentials_that_may_not_read_are_an_error_of_their_own(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    watch = Watch(open_store(f"s3://{bucket}/team", patience=0))
    assert not watch.look()
    assert watch.state.errors == {"unavailable": 0, "refused": 1, "broken": 0}
