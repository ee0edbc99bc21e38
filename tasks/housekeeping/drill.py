"""drill: an old version is brought back and measured again, and must give its recorded figures.

What a team would do on the day when it needs one: the release from the registry, every file held
against its checksum; the test split of its day from DVC's objects, held against its hash; the
release's answers to it, scored. And every other object that its `dvc.lock` names must be there.
"""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tasks.handover.hashes import dvc_hash
from tasks.housekeeping.garbage import losses
from tasks.housekeeping.objects import key_of
from tasks.housekeeping.roots import Root, version_roots
from tasks.params.housekeeping import Housekeeping
from tasks.registry.manifest import need_manifest, now, number, room, whole_versions
from tasks.registry.versions import fetch_version
from tasks.stage.errors import StageError, Unavailable
from tasks.store.lock import Say
from tasks.store.store import Store, read_record, to_json

ROOM = "housekeeping/drills/"
TEST = "data/dataset/test.parquet"
BATCH = 32
"""Texts together, where the version's parameters don't say (`benchmark.batch`)."""
DIGITS = 4
"""To which the benchmark rounds what it records."""
SHOWN = 5


@dataclass(frozen=True)
class Figure:
    """One figure, at most 1, as it was recorded and as it is now."""

    name: str
    recorded: float
    now: float

    @property
    def points(self) -> float:
        """How far apart they are, in hundredths."""
        return round(100 * abs(self.now - self.recorded), DIGITS)


def drill(
    store: Store, name: str, section: Housekeeping, say: Say, version: str | None = None
) -> dict[str, Any]:
    """Bring back `version`, or the one whose last drill is the longest ago; what was found.

    The outcome is recorded in the store, `housekeeping/drills/NAME/VERSION.json`. Raises StageError
    when the version does not come back whole or a figure is off by more than
    `housekeeping.drill_tolerance` points, BadInput when there is no such version, Unavailable (and
    records nothing) when the store is away.
    """
    chosen = version or turn(store, name)
    if chosen is None:
        return {"version": None, "figures": []}
    need_manifest(store, name, chosen)
    say(f"drill: {name}@{chosen}")
    found: dict[str, Any] = {"version": chosen, "at": now(), "ok": False, "figures": []}
    try:
        figures = _measured(store, name, chosen)
        found["figures"] = [asdict(each) | {"points": each.points} for each in figures]
        _check(f"{name}@{chosen}", figures, section.drill_tolerance)
        found["ok"] = True
    except Unavailable:
        raise
    except StageError as error:
        found["reason"] = str(error)
        _record(store, name, found)
        raise StageError(f"drill of {name}@{chosen}: {error}", found) from None
    _record(store, name, found)
    return found


def turn(store: Store, name: str) -> str | None:
    """The version whose turn it is: of those never drilled the oldest, else the longest ago.

    Versions that were published by hand take none: their data may never have been in the store.
    """
    made = [(root, manifest) for root, manifest in version_roots(store, f"{room(name)}/")]
    by_runs = {manifest["version"] for _, manifest in made if manifest["run"] is not None}
    able = [version for version in whole_versions(store, name) if version in by_runs]
    drilled = {version: read_record(store, _key(name, version)) or {} for version in able}
    return min(able, key=lambda each: (drilled[each].get("at", ""), number(each)), default=None)


def _measured(store: Store, name: str, version: str) -> list[Figure]:
    """The figures that were recorded, and what they are now."""
    with tempfile.TemporaryDirectory(prefix="nightshift-drill-") as scratch:
        release = fetch_version(store, name, version, Path(scratch, "release"))
        root, manifest = _manifest(store, name, version)
        _whole(store, root)
        test = _fetched(store, root, Path(scratch) / TEST)
        measured = _scored(release, test, manifest)
    recorded = manifest["metrics"].get("release", {})
    return [
        Figure(key, recorded[key], round(value, DIGITS))
        for key, value in measured.items()
        if isinstance(recorded.get(key), int | float)
    ]


def _manifest(store: Store, name: str, version: str) -> tuple[Root, dict[str, Any]]:
    found = version_roots(store, f"{room(name)}/{version}/")
    return found[0]


def _whole(store: Store, root: Root) -> None:
    lost = losses(store, root)
    if lost:
        shown = "; ".join(lost[:SHOWN])
        raise StageError(f"{len(lost)} of its objects are lost in {store.url}: {shown}")


def _fetched(store: Store, root: Root, path: Path) -> Path:
    """The test split of the version's day."""
    hashes = [md5 for md5, out in root.outputs.items() if out == TEST]
    if not hashes:
        raise StageError(f"its dvc.lock names no {TEST}: there is nothing to measure it on")
    key = key_of(hashes[0])
    store.download(key, path)
    found = dvc_hash(path)
    if found != hashes[0]:
        raise StageError(f"{store.url}/{key} is damaged: md5 {found}, recorded {hashes[0]}")
    return path


def _scored(release: Path, test: Path, manifest: dict[str, Any]) -> dict[str, float]:
    """The release's figures on the split, through the Predictor that serves it."""
    from tasks.data.dataset import read_examples
    from tasks.inference import Predictor

    predictor, examples = Predictor.load(release), read_examples(test.stem, test.parent)
    batch = (manifest["params"].get("benchmark") or {}).get("batch", BATCH)
    answers = predictor(examples.texts, batch_size=batch)
    task = predictor.task
    return dict(task.figures(task.truths(examples.labels, examples.tasks), answers))


def _check(version: str, figures: list[Figure], tolerance: float) -> None:
    if not figures:
        raise StageError(f"the manifest of {version} has no figure to hold it against")
    off = [each for each in figures if each.points > tolerance]
    if off:
        told = ", ".join(f"{each.name} {each.recorded:.4f} → {each.now:.4f}" for each in off)
        raise StageError(
            f"its figures are not the recorded ones: {told}; "
            f"housekeeping.drill_tolerance allows {tolerance:g} points"
        )


def _record(store: Store, name: str, found: dict[str, Any]) -> None:
    store.write(_key(name, found["version"]), to_json(found))


def _key(name: str, version: str) -> str:
    return f"{ROOM}{name}/{version}.json"
