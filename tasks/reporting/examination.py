"""Whether a machine and a workspace have what a run needs: a check a question."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path

import psutil

from tasks.reporting.wording import size
from tasks.stage.errors import StageError
from tasks.stage.pins import mismatch

LOCK = Path("requirements.lock")
LEAST_PYTHON = (3, 11)
LEAST_DISK = 5_000_000_000
"""Bytes: the sample's run leaves under 1 GB, and DVC's cache keeps every night's."""
LEAST_MEMORY = 3_000_000_000
"""Bytes: fine-tuning the sample peaks near 2 GB, the benchmark holds all contenders at once."""
SHOWN = 4
_CGROUP = Path("/sys/fs/cgroup")

Finding = tuple[bool, str, str]
"""Whether it is right, what was found, and what to do about it."""
Check = Callable[[], Finding]


def check_python() -> Finding:
    """The interpreter's version."""
    ok = sys.version_info[:2] >= LEAST_PYTHON
    wanted = ".".join(map(str, LEAST_PYTHON))
    advice = "" if ok else f"nightshift needs Python {wanted} or newer: make run PYTHON=/path/to/it"
    return ok, f"{sys.version.split()[0]} at {sys.executable}", advice


def check_packages() -> Finding:
    """Whether what is installed is what the lock file pins."""
    if not LOCK.is_file():
        return False, f"{LOCK} is missing", "run this in the checkout of your nightshift project"
    pins, odd = read_lock(LOCK)
    if odd or not pins:
        said = f"{LOCK}: not NAME==VERSION: {', '.join(odd[:SHOWN]) or 'no line at all'}"
        return False, said, f"restore {LOCK} (git checkout {LOCK})"
    wrong = [told for name, version in pins.items() if (told := mismatch(name, version))]
    if wrong:
        more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        advice = f"python -m pip install -r {LOCK}"
        return False, f"not as {LOCK} pins them: {', '.join(wrong[:SHOWN])}{more}", advice
    return True, f"all {len(pins)} as {LOCK} pins them", ""


def read_lock(path: Path) -> tuple[dict[str, str], list[str]]:
    """Versions by package from `NAME==VERSION` lines, and the lines that are something else."""
    pins: dict[str, str] = {}
    odd: list[str] = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        wanted = line.partition("#")[0].partition(";")[0].strip().rstrip("\\").strip()
        if not wanted or wanted.startswith("-"):
            continue
        name, equal, version = wanted.partition("==")
        if equal and name.strip() and version.strip():
            pins[name.strip()] = version.split()[0]
        else:
            odd.append(wanted)
    return pins, odd


def check_workspace() -> Finding:
    """Whether this is a DVC project inside git."""
    missing = [name for name in ("dvc.yaml", ".dvc", "params.yaml") if not Path(name).exists()]
    if missing:
        advice = "run this in the checkout; a new project: git init, then dvc init"
        return False, f"{Path.cwd()} has no {', '.join(missing)}", advice
    if shutil.which("git") is None:
        return False, "git is not installed", "install git: DVC and the report use it"
    inside = any((folder / ".git").exists() for folder in (Path.cwd(), *Path.cwd().parents))
    if not inside and not _without_git():
        return False, f"{Path.cwd()} is not in a git repository", "git init"
    return True, f"a DVC project at {Path.cwd()}", ""


def check_params() -> Finding:
    """Whether params.yaml says what can be done."""
    from tasks.params.schema import Params

    try:
        params = Params.load()
    except StageError as error:
        return False, str(error), "mend that line in params.yaml"
    return True, f"valid; data {params.ingest.source}, model {params.finetune.model}", ""


def check_writable() -> Finding:
    """Whether the workspace can be written to."""
    try:
        with tempfile.NamedTemporaryFile(dir=Path.cwd(), prefix=".nightshift-"):
            pass
    except OSError as error:
        advice = "make it yours (chown), or work in a folder that is"
        return False, f"{Path.cwd()} can't be written: {error.strerror}", advice
    return True, f"{Path.cwd()} can be written", ""


def check_disk() -> Finding:
    """Free space where data, models and DVC's cache go."""
    free = shutil.disk_usage(Path.cwd()).free
    ok = free >= LEAST_DISK
    advice = (
        "" if ok else f"free some: a run wants {size(LEAST_DISK)}; dvc gc -w drops old versions"
    )
    return ok, f"{size(free)} free", advice


def check_memory() -> Finding:
    """Memory that a run may take."""
    free = free_memory()
    ok = free >= LEAST_MEMORY
    advice = "" if ok else f"end something: a run of the sample wants {size(LEAST_MEMORY)}"
    return ok, f"{size(free)} free", advice


def check_s3() -> Finding:
    """Credentials for the sources in a bucket; nothing is sent to it."""
    from tasks.params.schema import Params

    try:
        params = Params.load()
    except StageError:
        return True, "not looked at: params.yaml is not valid", ""
    wanted = [params.ingest.source, params.ingest.unlabelled, params.finetune.model]
    buckets = [uri for uri in wanted if uri and uri.startswith("s3://")]
    if not buckets:
        return True, "not needed: no source is in a bucket", ""
    import boto3

    if boto3.Session().get_credentials() is None:
        advice = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
        return False, f"no credentials for {', '.join(buckets)}", advice
    end = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or "AWS"
    return True, f"credentials there, endpoint {end}", ""


def check_store() -> Finding:
    """Whether the store answers, can be written, and decides races between two writers."""
    from tasks.store.entries import PROBE
    from tasks.store.store import open_store

    key = f"{PROBE}{uuid.uuid4().hex}"
    advice = "set NIGHTSHIFT_STORE to a folder or s3://bucket/prefix that may be written"
    try:
        store = open_store(patience=0)
        once, again = store.create(key, b"1"), store.create(key, b"2")
        store.delete(key)
    except (StageError, OSError) as error:
        return False, str(error), advice
    if not once or again:
        return False, f"{store.url} lets two writers win", advice
    if not getattr(store, "atomic", True):
        return True, f"{store.url}: not atomic: let one process publish at a time", ""
    return True, f"{store.url} can be written and decides races", ""


def free_memory() -> int:
    """Bytes free, within the limit of the container if there is one."""
    free = psutil.virtual_memory().available
    try:
        limit = int((_CGROUP / "memory.max").read_text())
        used = int((_CGROUP / "memory.current").read_text())
    except (OSError, ValueError):
        return free
    return max(0, min(free, limit - used))


CHECKS: dict[str, Check] = {
    "python": check_python,
    "packages": check_packages,
    "workspace": check_workspace,
    "params": check_params,
    "writable": check_writable,
    "disk": check_disk,
    "memory": check_memory,
    "s3": check_s3,
    "store": check_store,
}


def _without_git() -> bool:
    """A worker's export of the code has no git, and its DVC is told so."""
    try:
        config = Path(".dvc/config").read_text(encoding="utf-8").lower()
    except OSError:
        return False
    return "no_scm = true" in config
