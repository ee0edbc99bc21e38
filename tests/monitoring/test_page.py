"""The page itself, from the command that serves it."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.monitoring.facts import Model, State
from tasks.monitoring.gauges import GAUGES
from tasks.monitoring.page import Page
from tasks.monitoring.watch import Watch
from tasks.registry.aliases import rollback
from tasks.store.store import Store
from tests.made import ROOT, environment
from tests.monitoring.asked import shown
from tests.monitoring.conftest import Said
from tests.monitoring.made import began, came_through, night, serving


def page_of(store: Store) -> str:
    watch = Watch(store)
    watch.look()
    return Page([watch.state]).text()


def full(store: Store, folder: Path) -> Store:
    """A model about which there is everything to say."""
    night(store, "night-1", "2026-11-24T02:00:00Z", "refused")
    serving(store, folder / "release")
    return store


def test_every_gauge_has_a_value(folder_store: Store, tmp_path: Path) -> None:
    found = shown(page_of(full(folder_store, tmp_path)))
    for gauge in GAUGES:
        wanted = {"store", "model", "job", "instance", *gauge.labels}
        assert found[gauge.name] == wanted, gauge.name


def test_values_are_what_the_records_say(folder_store: Store, tmp_path: Path) -> None:
    page = page_of(full(folder_store, tmp_path))
    of = f'model="mood",store="{folder_store.url}"'
    for line in (
        f"nightshift_run_start_timestamp_seconds{{{of}}} 1.7954856e+09",
        f"nightshift_run_running{{{of}}} 0.0",
        f"nightshift_quarantine_share{{{of}}} 0.02",
        f"nightshift_consecutive_refusals{{{of}}} 1.0",
        f"nightshift_candidate_latency_seconds{{{of}}} 0.0015",
        f"nightshift_revoked_versions{{{of}}} 0.0",
        f'nightshift_store_errors_total{{kind="broken",store="{folder_store.url}"}} 0.0',
    ):
        assert line in page
    assert 'stage="ingest",status="ok"' in page
    assert 'verdict="refused"' in page
    assert 'version="v1.0.0"' in page
    assert 'role="production"' in page


def test_a_rollback_is_seen(folder_store: Store, tmp_path: Path) -> None:
    full(folder_store, tmp_path)
    serving(folder_store, tmp_path / "another", "v1.1.0")
    rollback(folder_store, "mood", by="tests")
    page = page_of(folder_store)
    assert 'version="v1.0.0"' in page
    assert f'nightshift_revoked_versions{{model="mood",store="{folder_store.url}"}} 1.0' in page


def test_no_label_carries_a_run(folder_store: Store, tmp_path: Path) -> None:
    page = page_of(full(folder_store, tmp_path))
    assert "night-1" not in page


def test_prometheus_own_linter_finds_nothing(
    folder_store: Store, tmp_path: Path, promtool: Callable[..., Said]
) -> None:
    page = page_of(full(folder_store, tmp_path))
    assert promtool("check", "metrics", text=page) == Said(0, "")
    spoilt = page.replace("nightshift_store_errors_total", "nightshift_store_errors")
    assert promtool("check", "metrics", text=spoilt).code != 0


def test_a_run_that_has_just_begun_shows_no_made_up_numbers(folder_store: Store) -> None:
    began(folder_store, "night-1")
    found = shown(page_of(folder_store))
    for name in ("quarantine_share", "verdict_timestamp_seconds", "stage_duration_seconds"):
        assert f"nightshift_{name}" not in found
    assert "nightshift_run_running" in found


def test_the_rows_of_an_intake_that_was_stopped_are_shown(folder_store: Store) -> None:
    run = began(folder_store, "night-1")
    came_through(run, "ingest", status="stopped")
    page = page_of(folder_store)
    assert 'stage="ingest",status="stopped"' in page
    assert "nightshift_quarantine_share{" in page


def test_a_page_of_500_models_is_of_a_size_that_is_scraped(
    folder_store: Store, tmp_path: Path
) -> None:
    watch = Watch(full(folder_store, tmp_path))
    watch.look()
    one = watch.state.models["mood"]
    models = {f"mood-{n}": Model(**{**vars(one), "name": f"mood-{n}"}) for n in range(500)}
    page = Page([State("s3://team/store", models)]).text()
    lines = [line for line in page.splitlines() if not line.startswith("#")]
    assert len(lines) / 500 < 60, "series a model"
    assert len(page) < 8e6


@contextmanager
def exporter(*arguments: str) -> Iterator[str]:
    """`nightshift metrics ARGUMENTS` as a process; the URL that it prints."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tasks.cli", "metrics", *arguments],
        cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout
    try:
        yield process.stdout.readline().split(",")[0]
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0, "a signal is how it ends"
        process.stdout.close()


def test_it_serves_on_loopback_and_sees_what_changes(folder_store: Store) -> None:
    run = began(folder_store, "night-1")
    with exporter("--store", folder_store.url, "--port", "0", "--every", "1") as url:
        assert url.startswith("http://127.0.0.1:")
        _wait_for(url, "nightshift_run_running")
        came_through(run, "snapshot")
        _wait_for(url, 'stage="snapshot",status="ok"')
        with socket.socket() as other:
            other.settimeout(2)
            port = int(url.rsplit(":", 1)[1].split("/")[0])
            assert other.connect_ex(("127.0.0.2", port)) != 0, "no other address"


def _wait_for(url: str, text: str) -> None:
    end = time.monotonic() + 20
    while text not in (page := urllib.request.urlopen(url).read().decode()):
        assert time.monotonic() < end, page
        time.sleep(0.2)


def once(*stores: str) -> subprocess.CompletedProcess[str]:
    words = [word for store in stores for word in ("--store", store)]
    return subprocess.run(
        [sys.executable, "-m", "tasks.cli", "metrics", "--once", *words],
        cwd=ROOT, env=environment(), capture_output=True, text=True,
    )  # fmt: skip


def test_one_page_of_two_stores_of_which_one_is_away(folder_store: Store, tmp_path: Path) -> None:
    night(folder_store, "night-1", "2026-11-24T02:00:00Z", "blessed")
    done = once(folder_store.url, str(tmp_path / "away"))
    assert done.returncode == 75
    assert "is its disk mounted" in done.stderr
    assert f'nightshift_verdict{{model="mood",store="{folder_store.url}",' in done.stdout
    assert "_total" not in done.stdout, "a counter that each process begins anew says nothing"
    assert once(folder_store.url).returncode == 0


def test_a_port_that_is_taken_is_named(folder_store: Store) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "tasks.cli", "metrics", "--store", folder_store.url,
             "--port", port],
            cwd=ROOT, env=environment(), capture_output=True, text=True,
        )  # fmt: skip
    assert done.returncode == 1
    assert f"127.0.0.1:{port}" in done.stderr
    assert "give another --port" in done.stderr
