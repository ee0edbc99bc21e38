from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tasks.sources.local import DEEPEST, Local
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


def test_a_source_without_a_name() -> None:
    for nothing in ("", "  ", "a\0b"):
        with pytest.raises(BadInput, match="names nothing; takes a file or folder"):
            resolve(nothing)


def test_links_are_followed_and_pinned_by_content(tmp_path: Path) -> None:
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    (outside / "one.csv").write_text("x")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/linked.csv").symlink_to(outside / "one.csv")
    (tmp_path / "data/folder").symlink_to(outside)
    source = resolve(str(tmp_path / "data"))

    pins = source.files()
    assert [pin.path for pin in pins] == ["folder/one.csv", "linked.csv"]
    (outside / "one.csv").write_text("y")
    with pytest.raises(Unavailable, match=r"linked\.csv has changed"):
        source.fetch(pins[1])


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path.name)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (os.mkfifo, "is a named pipe, not a file"),
        (_socket, "is a socket, not a file"),
        (lambda path: path.symlink_to("/dev/zero"), "is a device, not a file"),
        (lambda path: path.symlink_to("nowhere"), "is a link to nowhere, which is not there"),
        (lambda path: path.symlink_to(path.name), "is a link that leads back to itself"),
    ],
)
@pytest.mark.parametrize("alone", [True, False])
def test_what_has_no_fixed_content_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[Path], None],
    message: str,
    alone: bool,
) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "odd.csv")
    with pytest.raises(BadInput, match=rf"odd\.csv {message}"):
        resolve("odd.csv" if alone else str(tmp_path)).files()


def test_folders_that_hold_each_other_through_links(tmp_path: Path) -> None:
    for one, other in (("a", "b"), ("b", "a")):
        (tmp_path / one).mkdir()
        (tmp_path / one / "to").symlink_to(tmp_path / other)
    with pytest.raises(BadInput, match=r"a/to/to is .*/a once more, through a link"):
        resolve(str(tmp_path)).files()


def test_folders_without_end(tmp_path: Path) -> None:
    deepest = tmp_path.joinpath(*["down"] * (DEEPEST + 1))
    deepest.mkdir(parents=True)
    with pytest.raises(BadInput, match="more than 50 folders inside each other"):
        resolve(str(tmp_path)).files()


@contextmanager
def _nobody() -> Iterator[None]:
    """Run as a user without rights, when the tests run as the one who has them all."""
    own = os.geteuid()
    if own == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(own)


@pytest.mark.parametrize("locked", ["rows.csv", "night"])
def test_what_may_not_be_read_is_not_left_out_in_silence(locked: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "night").mkdir()
        for path in ("rows.csv", "night/rows.csv"):
            (folder / path).write_text("text,label\n")
        folder.chmod(0o755)
        (folder / locked).chmod(0)
        with _nobody(), pytest.raises(BadInput, match=f"{locked} may not be read: check its perm"):
            resolve(name).files()
        (folder / locked).chmod(0o700)


def test_unknown_scheme_and_samples() -> None:
    with pytest.raises(BadInput, match=r"gs:// is not known; takes a file or folder, s3://"):
        resolve("gs://bucket/data")
    with pytest.raises(BadInput, match=r"samples are chinese-entities, .*, reviews, smollm2$"):
        resolve("sample:films")
    with pytest.raises(BadInput, match="is a model, not data; data are sample:chinese-entities"):
        resolve("sample:minilm")
    with pytest.raises(BadInput, match=r"is data, not a model; models are sample:minilm, sample:"):
        resolve_model("sample:reviews")
