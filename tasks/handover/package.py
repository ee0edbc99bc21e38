"""The code of a run as one archive, so that a worker needs nothing but the store."""

from __future__ import annotations

import gzip
import hashlib
import io
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tasks.stage.errors import BadInput
from tasks.store.store import Store

NEEDED = ("dvc.yaml", "params.yaml", "expectations.yaml", "requirements.lock")
FILES = (*NEEDED, "pyproject.toml", ".dvcignore")
OF_A_MODEL = ("params.yaml", "expectations.yaml")
"""What each of several models has for itself; all else is the checkout's."""
FOLDER = "tasks"
NO_BYTE_CODE = ":(exclude,glob)**/__pycache__/**"
_LEFT_OUT = ("__pycache__", ".pyc")


def pack_code(root: Path, store: Store, model: Path | None = None) -> str:
    """Put the project's code into `code/<revision>.tar.gz`, if it isn't there; the revision.

    The revision is git's commit where the files are as committed, else their content decides:
    `<commit>-<hash>`, or `<hash>` outside git. Equal files give equal bytes. Raises BadInput when
    `root` is no project. What a folder `model` has of its own goes over the project's.
    """
    own = [model / name for name in OF_A_MODEL if (model / name).is_file()] if model else []
    archive = _archive(root, {path.name: path for path in own})
    digest = hashlib.sha256(archive).hexdigest()[:12]
    commit = _commit(root)
    if commit and own:
        commit += "+"
    revision = commit.rstrip("+") if commit else digest
    if commit and commit.endswith("+"):
        revision = f"{revision}-{digest}"
    with tempfile.TemporaryDirectory() as scratch:
        draft = Path(scratch) / "code.tar.gz"
        draft.write_bytes(archive)
        if not store.keys(key_of(revision)):
            store.upload(draft, key_of(revision))
    return revision


def unpack_code(revision: str, store: Store, folder: Path) -> None:
    """Write the code of `revision` into `folder`; raises BadInput when the store has none."""
    with tempfile.TemporaryDirectory() as scratch:
        archive = Path(scratch) / "code.tar.gz"
        store.download(key_of(revision), archive)
        with tarfile.open(archive) as content:
            content.extractall(folder, filter="data")


def key_of(revision: str) -> str:
    """Where the store has it."""
    return f"code/{revision}.tar.gz"


def _archive(root: Path, own: Mapping[str, Path]) -> bytes:
    missing = [name for name in NEEDED if not (root / name).is_file()]
    if missing:
        raise BadInput(f"{root.resolve()} is not a nightshift project: {missing[0]} is missing")
    paths = [root / name for name in FILES if (root / name).is_file()]
    paths += [
        path
        for path in sorted((root / FOLDER).rglob("*"))
        if path.is_file() and not any(part in str(path) for part in _LEFT_OUT)
    ]
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as archive,
    ):
        for path in paths:
            entry = tarfile.TarInfo(path.relative_to(root).as_posix())
            content = own.get(entry.name, path).read_bytes()
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _commit(root: Path) -> str | None:
    """The commit, with `+` when a file of the archive differs from it; None outside git."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(root), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
        return done.stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")).resolve() != root.resolve():
            return None
        changed = git("status", "--porcelain", "--", *FILES, FOLDER, NO_BYTE_CODE)
        return git("rev-parse", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return None
