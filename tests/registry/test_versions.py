from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tasks.inference.release import CARD, MODEL, Release, verify
from tasks.registry.aliases import promote, rollback
from tasks.registry.commands import _print_versions
from tasks.registry.publishing import publish
from tasks.registry.versions import best_ever, fetch_version, versions
from tasks.stage.errors import BadInput, StageError
from tasks.store.store import Store
from tests.registry.made import NAME, facts, published, release


def test_the_table_says_what_there_is(store: Store, tmp_path: Path) -> None:
    made = published(store, tmp_path, "abc")
    for each in made:
        promote(store, NAME, each.version, "tests")
    rollback(store, NAME, "tests", reason="it swears")

    rows = versions(store, NAME)
    assert [row.version for row in rows] == ["v1.2.0", "v1.1.0", "v1.0.0"]
    assert [row.aliases for row in rows] == [[], ["production"], ["previous"]]
    assert [row.revoked for row in rows] == ["it swears", None, None]
    assert [row.figure for row in rows] == [0.82, 0.81, 0.8]
    assert rows[0].latency_ms == 1.5
    assert rows[0].run == "night-1"
    sizes = sum(path.stat().st_size for path in (tmp_path / "c").iterdir())
    assert rows[0].size_mb == pytest.approx(sizes / 1e6, abs=1e-5)  # its card has a version


def test_a_model_that_was_never_published_has_an_empty_table(store: Store) -> None:
    assert versions(store, NAME) == []
    assert best_ever(store, NAME, "accuracy") is None


def test_the_best_ever_served_and_was_not_taken_back(folder_store: Store, tmp_path: Path) -> None:
    published(folder_store, tmp_path, "abcd")  # d is the best, but never serves
    for version in ("v1.1.0", "v1.0.0", "v1.2.0"):
        promote(folder_store, NAME, version, "tests")
    best = best_ever(folder_store, NAME, "accuracy")
    assert best is not None
    assert best.version == "v1.2.0"

    rollback(folder_store, NAME, "tests")
    best = best_ever(folder_store, NAME, "accuracy")
    assert best is not None
    assert (best.version, best.figure) == ("v1.1.0", 0.81)


@pytest.mark.parametrize(
    ("task", "metric", "figure", "shown"),
    [
        (None, "accuracy", 0.8, "80.00 %"),
        ("classification", "accuracy", 0.8, "80.00 %"),
        ("entities", "f1", 0.75, "75.00 %"),
        ("regression", "spearman", -0.1234, "-0.123"),
        ({"movies": "classification", "stars": "regression"}, "mean", 0.71, "0.710"),
    ],
)
def test_a_version_shows_its_tasks_figure(
    folder_store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    task: Any, metric: str, figure: float, shown: str,
) -> None:  # fmt: skip
    params = {"ingest": {"source": "mine.csv"} | ({} if task is None else {"task": task})}
    metrics = {"release": {metric: figure, "latency_ms": 1.5, "macro_f1": 0.1, "pearson": 0.1}}
    publish(folder_store, NAME, 1, release(tmp_path / "a"), facts(params=params, metrics=metrics))
    (row,) = versions(folder_store, NAME)
    assert (row.metric, row.figure) == (metric, figure)
    _print_versions(NAME, [row])
    told = capsys.readouterr().out
    assert metric in told.splitlines()[0]
    assert shown in told


def test_the_best_is_sought_among_versions_of_the_same_metric(
    folder_store: Store, tmp_path: Path
) -> None:
    published(folder_store, tmp_path, "ab")
    params, metrics = {"ingest": {"task": "regression"}}, {"release": {"spearman": 0.99}}
    ratings = facts(params=params, metrics=metrics)
    publish(folder_store, NAME, 1, release(tmp_path / "c", "c"), ratings)
    for version in ("v1.0.0", "v1.1.0", "v1.2.0"):
        promote(folder_store, NAME, version, "tests")

    for metric, version in (("accuracy", "v1.1.0"), ("spearman", "v1.2.0")):
        best = best_ever(folder_store, NAME, metric)
        assert best is not None
        assert best.version == version
    assert best_ever(folder_store, NAME, "f1") is None


def test_a_task_of_the_future_is_named_with_its_version(
    folder_store: Store, tmp_path: Path
) -> None:
    params = {"ingest": {"task": "translation"}}
    publish(folder_store, NAME, 1, release(tmp_path / "a"), facts(params=params))
    with pytest.raises(BadInput, match=r"mood@v1\.0\.0: params: ingest\.task.*'translation'"):
        versions(folder_store, NAME)


def test_a_version_is_fetched_whole(store: Store, tmp_path: Path) -> None:
    published(store, tmp_path, "ab")
    folder = fetch_version(store, NAME, "v1.1.0", tmp_path / "here" / "fetched")

    assert verify(folder).version == "v1.1.0"
    assert (folder / MODEL).read_text() == "b"
    assert fetch_version(store, NAME, "v1.0.0", folder) == folder
    assert (folder / MODEL).read_text() == "a"
    assert list(folder.parent.iterdir()) == [folder]


def test_fetched_again_it_is_only_looked_at(folder_store: Store, tmp_path: Path) -> None:
    published(folder_store, tmp_path, "a")
    folder = fetch_version(folder_store, NAME, "v1.0.0", tmp_path / "fetched")
    before = (folder / MODEL).stat()
    fetch_version(folder_store, NAME, "v1.0.0", folder)
    assert (folder / MODEL).stat() == before

    (folder / MODEL).write_text("spoilt")
    fetch_version(folder_store, NAME, "v1.0.0", folder)
    assert (folder / MODEL).read_text() == "a"


@pytest.mark.parametrize("name", [MODEL, CARD])
def test_a_file_that_was_tampered_with_is_not_fetched(
    folder_store: Store, tmp_path: Path, name: str
) -> None:
    published(folder_store, tmp_path, "a")
    path = Path(folder_store.url, "registry", NAME, "v1.0.0", name)
    path.write_text(path.read_text().replace("good", "evil") + "\n")

    with pytest.raises(StageError, match=f"{name} is not the file that was published"):
        fetch_version(folder_store, NAME, "v1.0.0", tmp_path / "fetched")
    assert not (tmp_path / "fetched").exists()


def test_a_fetched_version_keeps_its_digest_when_its_card_is_written_again(
    folder_store: Store, tmp_path: Path
) -> None:
    made = published(folder_store, tmp_path, "a")[0]
    folder = fetch_version(folder_store, NAME, "v1.0.0", tmp_path / "fetched")

    assert Release.read(folder).write(folder).digest == made.digest


def test_what_is_not_there_is_named(folder_store: Store, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"mood has no version v1\.0\.0; it has none"):
        fetch_version(folder_store, NAME, "v1.0.0", tmp_path / "fetched")
