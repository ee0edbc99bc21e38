"""A scratch folder in which one stage of one run works, and which is gone afterwards."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import yaml

from tasks.handover.dvc import Say, transfer
from tasks.handover.graph import Graph, read_graph
from tasks.handover.hashes import dvc_hash
from tasks.handover.package import unpack_code
from tasks.handover.run import Run
from tasks.sources.package import cache_folder
from tasks.stage.errors import StageError, Unavailable
from tasks.stage.outputs import STATE, remove
from tasks.store.store import Store

LOCK = Path("dvc.lock")
HEADER = "# written by nightshift from NIGHTSHIFT_STORE; holds no credentials\n"


@dataclass(frozen=True)
class Workspace:
    """A project folder with a run's code and parameters, and what it has pulled so far."""

    folder: Path
    run: Run
    graph: Graph
    say: Say

    def write_lock(self, entries: dict[str, Any]) -> None:
        """The `dvc.lock` that DVC is to believe."""
        text = yaml.safe_dump({"schema": "2.0", "stages": entries}, sort_keys=False)
        (self.folder / LOCK).write_text(text, encoding="utf-8")

    def entry(self, stage: str) -> dict[str, Any] | None:
        """A stage's entry in the `dvc.lock` as it is now."""
        path = self.folder / LOCK
        content = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
        found: dict[str, Any] | None = (content or {}).get("stages", {}).get(stage)
        return found

    def pull(self, paths: Sequence[str], entries: dict[str, Any]) -> None:
        """Bring outputs here and hold each against what its producer recorded in this run.

        DVC takes an output that is missing for one that has not changed, so this is what makes
        everything after it safe. Raises Unavailable when one can't be had whole.
        """
        if not paths:
            return
        recorded = {out["path"]: out for entry in entries.values() for out in entry["outs"]}
        for path in paths:
            if path not in recorded:
                raise StageError(f"run {self.run.name}: no stage of it has recorded {path}")
        try:
            transfer(self.folder, self.run.store, self.say, "pull", *paths)
        except Unavailable as error:
            raise Unavailable(f"{error}; {self._remedy(paths, recorded)}") from None
        for path in paths:
            found, made = dvc_hash(self.folder / path), recorded[path]["md5"]
            if found != made:
                raise Unavailable(
                    f"{path} is not what {self.graph.producer(path)} made in run {self.run.name} "
                    f"(md5 {found}, recorded {made}); {self._remedy([path], recorded)}"
                )

    def _remedy(self, paths: Sequence[str], recorded: dict[str, Any]) -> str:
        """What to do about an output that the store has lost or damaged."""
        hashes = [recorded[path]["md5"] for path in paths]
        places = [f"dvc/files/md5/{md5[:2]}/{md5[2:]}" for md5 in hashes]
        stages = " and ".join(dict.fromkeys(str(self.graph.producer(path)) for path in paths))
        return (
            f"if that stays so, the store has lost or damaged it: remove {', '.join(places)} there "
            f"and run `nightshift stage {stages} --run {self.run.name} --force`"
        )

    def push(self, stage: str) -> None:
        """Send a stage's outputs to the store, and what DVC's run-cache noted of how it ran.

        `dvc push --run-cache` would send the notes of all that this machine has ever run.
        """
        transfer(self.folder, self.run.store, self.say, "push", stage)
        entry = self.entry(stage) or {}
        for path in self._noted():
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
            if content.get("outs") == entry.get("outs"):
                key = path.relative_to(cache_folder() / "dvc").as_posix()
                self.run.store.upload(path, f"dvc/{key}")

    def _noted(self) -> list[Path]:
        """The run-cache's entries that have come since this folder was made."""
        since = (self.folder / "params.yaml").stat().st_mtime
        found = (cache_folder() / "dvc" / "runs").glob("??/*/*")
        return [path for path in found if len(path.name) == 64 and path.stat().st_mtime >= since]


@contextmanager
def workspace(run: Run, name: str, say: Say) -> Iterator[Workspace]:
    """A scratch folder with the run's code and parameters, removed whatever happens."""
    facts = run.facts()
    with _scratch(f"{run.name}-{name}") as folder:
        unpack_code(facts["revision"], run.store, folder)
        (folder / "params.yaml").write_text(run.text("params.yaml") or "", encoding="utf-8")
        (folder / STATE).mkdir()
        (folder / STATE / "revision").write_text(facts["revision"], encoding="utf-8")
        write_config(folder, run.store, scratch=True)
        yield Workspace(folder, run, read_graph(folder), say)


@contextmanager
def logged(place: Workspace, name: str) -> Iterator[Say]:
    """Everything said goes to the person and to a log in the run's folder."""
    path = place.folder / f"{name}.log"
    with open(path, "w", encoding="utf-8") as file:
        try:
            yield lambda line: _say_both(line, file, place.say)
        finally:
            file.flush()
            try:
                place.run.store.upload(path, place.run.key(f"logs/{path.name}"))
            except StageError as error:
                place.say(f"the log could not be kept: {error}")


def _say_both(line: str, file: IO[str], say: Say) -> None:
    file.write(line + "\n")
    say(line)


def write_config(folder: Path, store: Store, scratch: bool = False) -> None:
    """Tell the DVC of a project about the store: in `.dvc/config.local`, never committed.

    A scratch folder gets a project of its own, with this machine's shared cache. A file that a
    person wrote is left alone.
    """
    (folder / ".dvc").mkdir(exist_ok=True)
    if scratch:
        cache = cache_folder() / "dvc"
        (folder / ".dvc" / "config").write_text(
            "[core]\n    no_scm = true\n    analytics = false\n    check_update = false\n"
            f'[cache]\n    dir = {cache}\n    type = "reflink,hardlink,symlink"\n',
            encoding="utf-8",
        )
    path = folder / ".dvc" / "config.local"
    if path.is_file() and not path.read_text(encoding="utf-8").startswith(HEADER):
        return
    path.write_text(HEADER + remote_config(store.url), encoding="utf-8")


def remote_config(url: str) -> str:
    """The store as DVC's default remote, as `.dvc/config` has it."""
    lines = ["[core]", "    remote = store", "['remote \"store\"']", f"    url = {url}/dvc"]
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if url.startswith("s3://") and endpoint:
        lines.append(f"    endpointurl = {endpoint}")
    return "\n".join([*lines, ""])


def scratch_root() -> Path:
    """Where this machine's scratch folders are: on the file system of its cache, for links."""
    own = os.environ.get("NIGHTSHIFT_SCRATCH")
    return Path(own).expanduser() if own else cache_folder() / "scratch"


@contextmanager
def _scratch(name: str) -> Iterator[Path]:
    """A new folder; its lock file, held by this process, says that it is in use."""
    root = scratch_root()
    root.mkdir(parents=True, exist_ok=True)
    sweep(root)
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=root))
    held = folder.with_name(f"{folder.name}.lock")
    with open(held, "w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield folder
        finally:
            remove(folder)
            held.unlink(missing_ok=True)


def sweep(root: Path) -> None:
    """Remove what processes that are no more have left behind; the kernel freed their locks."""
    for held in root.glob("*.lock"):
        try:
            with open(held, encoding="utf-8") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove(held.with_suffix(""))
                held.unlink(missing_ok=True)
        except (BlockingIOError, FileNotFoundError):
            continue
