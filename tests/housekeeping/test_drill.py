"""An old version is brought back and measured, and what is wrong with it is found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tasks.data.dataset import SCHEMA, write_table
from tasks.handover.hashes import dvc_hash
from tasks.housekeeping.drill import TEST, drill, turn
from tasks.housekeeping.objects import key_of
from tasks.inference.release import MODEL
from tasks.params.housekeeping import Housekeeping
from tasks.registry.publishing import publish
from tasks.stage.errors import BadInput, StageError
from tasks.store.store import Store, open_store
from tests.housekeeping.made import entry_of, md5_of, push
from tests.judging.made import OPINIONS, word_release
from tests.made import GOOD, opinions
from tests.registry.made import NAME, facts

WEIGHTS = {"weights": "w1"}
SECTION = Housekeeping(repository=None)


def quiet(_: str) -> None:
    pass


def split_of(folder: Path) -> Path:
    columns: dict[str, list[Any]] = {name: [None] * 640 for name in SCHEMA.names}
    columns["text"], columns["label"] = map(list, zip(*opinions(), strict=True))
    columns["id"], columns["task"] = [*map(str, range(640))], ["classification"] * 640
    write_table(pa.table(columns, schema=SCHEMA), folder / "test.parquet")
    return folder / "test.parquet"


def version(
    store: Store, folder: Path, forgets: int, accuracy: float, run: str | None = "n"
) -> str:
    """A version that takes so many of the eight good words for bad ones, and what it is said to
    be."""
    return published(store, folder, sent(store, folder), forgets, accuracy, run)


def sent(store: Store, folder: Path) -> dict[str, Any]:
    """The lock entry of a version's data, which are in the store."""
    path = split_of(folder)
    store.upload(path, key_of(dvc_hash(path)))
    push(store, dict(WEIGHTS))
    entry = entry_of({"models/model": dict(WEIGHTS)})
    entry["outs"].append({"path": TEST, "md5": dvc_hash(path)})
    return entry


def published(
    store: Store,
    folder: Path,
    entry: dict[str, Any],
    forgets: int,
    accuracy: float,
    run: str | None = "n",
) -> str:
    left = {word: row for word, row in OPINIONS.items() if word not in GOOD[:forgets]}
    release = word_release(folder / f"forgets-{forgets}", left)
    made = replace(facts(accuracy, lock={"stages": {"ingest": entry}}), run=run)
    return publish(store, NAME, 1, release, made).version


def test_it_gives_its_figures_again(folder_store: Store, tmp_path: Path) -> None:
    version(folder_store, tmp_path, forgets=1, accuracy=0.9375)  # 40 of 640 texts have that word
    found = drill(folder_store, NAME, SECTION, quiet)
    assert (found["version"], found["ok"]) == ("v1.0.0", True)
    figure = {"name": "accuracy", "recorded": 0.9375, "now": 0.9375, "points": 0.0}
    assert found["figures"] == [figure]
    record = folder_store.read(f"housekeeping/drills/{NAME}/v1.0.0.json")
    assert record is not None
    assert record.json() == found


def test_other_figures_are_a_failure_and_stay_on_record(
    folder_store: Store, tmp_path: Path
) -> None:
    version(folder_store, tmp_path, forgets=1, accuracy=0.95)
    with pytest.raises(StageError, match=r"accuracy 0\.9500 → 0\.9375; .* allows 0\.5 points"):
        drill(folder_store, NAME, SECTION, quiet)
    record = folder_store.read(f"housekeeping/drills/{NAME}/v1.0.0.json")
    assert record is not None
    assert (record.json()["ok"], record.json()["figures"][0]["points"]) == (False, 1.25)
    assert drill(folder_store, NAME, Housekeeping(drill_tolerance=1.25), quiet)["ok"] is True


@pytest.mark.parametrize(
    ("key", "content", "message"),
    [
        (f"registry/{NAME}/v1.0.0/{MODEL}", b"x", "is not the file that was published"),
        (key_of(md5_of(dict(WEIGHTS))), None, r"1 of its objects are lost .*: models/model"),
        (key_of(md5_of("w1")), None, r"1 of its objects are lost .*: models/model"),
        ("test", b"x", "is damaged: md5"),
        ("test", None, r"1 of its objects are lost .*: data/dataset/test\.parquet"),
    ],
)
def test_what_does_not_come_back_whole_is_a_failure(
    folder_store: Store, tmp_path: Path, key: str, content: bytes | None, message: str
) -> None:
    version(folder_store, tmp_path, forgets=0, accuracy=1.0)
    if key == "test":
        key = key_of(dvc_hash(tmp_path / "test.parquet"))
    folder_store.delete(key) if content is None else folder_store.write(key, content)
    with pytest.raises(StageError, match=message):
        drill(folder_store, NAME, SECTION, quiet)


def test_every_version_has_its_turn(folder_store: Store, tmp_path: Path) -> None:
    for forgets in range(3):
        version(folder_store, tmp_path, forgets, accuracy=1 - forgets / 16)
    drilled = [drill(folder_store, NAME, SECTION, quiet)["version"] for _ in range(3)]
    assert drilled == ["v1.0.0", "v1.1.0", "v1.2.0"]
    folder_store.write(f"housekeeping/drills/{NAME}/v1.1.0.json", b'{"at": "2026-01-01T00:00:00Z"}')
    assert turn(folder_store, NAME) == "v1.1.0"
    assert drill(folder_store, NAME, SECTION, quiet, "v1.2.0")["version"] == "v1.2.0"


def test_without_a_version_of_a_run_there_is_nothing_to_do(
    folder_store: Store, tmp_path: Path
) -> None:
    assert drill(folder_store, NAME, SECTION, quiet)["version"] is None
    version(folder_store, tmp_path, forgets=0, accuracy=1.0, run=None)
    assert drill(folder_store, NAME, SECTION, quiet)["version"] is None
    with pytest.raises(BadInput, match=r"no version v7\.0\.0; it has v1\.0\.0"):
        drill(folder_store, NAME, SECTION, quiet, "v7.0.0")


def test_a_store_is_opened_by_its_url(tmp_path: Path) -> None:
    """What a version needs lies in the store alone: another machine gives the same figures."""
    version(open_store(str(tmp_path / "store")), tmp_path, forgets=2, accuracy=0.875)
    (tmp_path / "test.parquet").unlink()
    assert drill(open_store(str(tmp_path / "store")), NAME, SECTION, quiet)["ok"]
