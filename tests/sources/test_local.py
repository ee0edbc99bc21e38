from __future__ import annotations

from pathlib import Path

import pytest

from tasks.sources.local import Local
from tasks.sources.resolve import resolve, resolve_model
from tasks.stage.errors import BadInput, Unavailable


def test_a_folder_lists_its_files_sorted_without_hidden_ones(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", "date=2026-01-01/c.csv", ".hidden", "_logs/d.csv"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)

    pins = Local("here", tmp_path).files()

    assert [pin.path for pin in pins] == ["a.csv", "b.csv", "date=2026-01-01/c.csv"]
    assert pins[0].size == len("a.csv")


def test_a_file_is_a_source_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("x")
    source = resolve(str(tmp_path / "one.csv"))
    (pin,) = source.files()

    assert pin.path == "one.csv"
    assert source.fetch(pin).read_text() == "x"


@pytest.mark.parametrize("change", ["same size", "other length"])
def test_a_file_that_changed_after_the_snapshot_is_named(tmp_path: Path, change: str) -> None:
    (tmp_path / "one.csv").write_text("SAME size")
    source = resolve(str(tmp_path))
    (pin,) = source.files()
    (tmp_path / "one.csv").write_text(change)

    with pytest.raises(Unavailable, match=r"one\.csv has changed .* run again"):
        source.fetch(pin)


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("x")
    source = resolve(str(tmp_path))
    (pin,) = source.files()
    (tmp_path / "one.csv").unlink()

    with pytest.raises(Unavailable, match=r"one\.csv is gone"):
        source.fetch(pin)


def test_missing_source(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nowhere\.csv does not exist"):
        resolve(str(tmp_path / "nowhere.csv")).files()


def test_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is a folder without files"):
        resolve(str(tmp_path)).files()


def test_unknown_scheme_and_samples() -> None:
    with pytest.raises(BadInput, match=r"gs:// is not known; takes a file or folder, s3://"):
        resolve("gs://bucket/data")
    with pytest.raises(BadInput, match="samples are minilm, newsgroups, reviews"):
        resolve("sample:films")
    with pytest.raises(BadInput, match="is a model, not data; data are sample:newsgroups"):
        resolve("sample:minilm")
    with pytest.raises(BadInput, match="is data, not a model; models are sample:minilm"):
        resolve_model("sample:reviews")
