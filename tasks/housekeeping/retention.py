"""expire: runs that are old and that nothing leads to are removed from `runs/`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tasks.handover.names import is_slug
from tasks.handover.run import LATEST
from tasks.housekeeping.roots import version_roots
from tasks.params.housekeeping import Housekeeping
from tasks.registry.manifest import together
from tasks.store.lock import Say, clock
from tasks.store.store import Store, read_record

ROOM = "runs/"
RUN = "run.json"
LOGS = "runs/_airflow/"
"""Where an installation on several machines keeps Airflow's logs of tasks (infra/airflow/logs)."""


@dataclass(frozen=True)
class Folder:
    """A run's folder."""

    run: str
    keys: list[str]
    size: int
    """Bytes."""
    touched: float
    """When anything in it was last written."""


def expire(store: Store, section: Housekeeping, say: Say, apply: bool = False) -> dict[str, Any]:
    """Say which runs may go, and remove them if `apply`.

    A run stays while it is younger than `keep_days` (counted from the last word written in it),
    among the `keep_runs` newest, the one that the next run starts from, named by a version as the
    run that made it, or the base of a run that may be at work. Logs of Airflow's that are older
    than `keep_days` go, too.
    """
    now, found = clock(store), folders(store)
    reasons = _reasons(store, section, found, now)
    gone = [folder for folder in found if folder.run not in reasons]
    if apply:
        gone = [folder for folder in gone if _remove(store, folder, say)]
    kept = len(found) - len(gone)
    size = sum(folder.size for folder in gone)
    everything = sum(folder.size for folder in found)
    rooms = {ROOM: {"kept": kept, "kept_bytes": everything - size,
                    "removed": len(gone), "removed_bytes": size}}  # fmt: skip
    rooms[LOGS] = _expire_logs(store, now - 86400 * section.keep_days, apply)
    return {"rooms": rooms, "runs": [folder.run for folder in gone], "why": reasons}


def _expire_logs(store: Store, before: float, apply: bool) -> dict[str, int]:
    found = store.listing(LOGS)
    old = [entry for entry in found if entry.modified < before]
    young = [entry for entry in found if entry.modified >= before]
    if apply:
        together(store.delete, [entry.key for entry in old])
    return {
        "kept": len(young),
        "kept_bytes": sum(entry.size for entry in young),
        "removed": len(old),
        "removed_bytes": sum(entry.size for entry in old),
    }


def folders(store: Store) -> list[Folder]:
    """Every run's, the last touched first; what else lies there (the journal) is none."""
    runs: dict[str, Folder] = {}
    for entry in store.listing(ROOM):
        run, inside, _ = entry.key.removeprefix(ROOM).partition("/")
        if inside and is_slug(run):
            so_far = runs.get(run, Folder(run, [], 0, 0.0))
            keys, size = [*so_far.keys, entry.key], so_far.size + entry.size
            runs[run] = Folder(run, keys, size, max(so_far.touched, entry.modified))
    return sorted(runs.values(), key=lambda folder: (-folder.touched, folder.run))


def _reasons(
    store: Store, section: Housekeeping, found: list[Folder], now: float
) -> dict[str, str]:
    """Why a run stays, by run; the strongest reason of several."""
    reasons = {folder.run: "one of the newest" for folder in found[: section.keep_runs]}
    young = now - 86400 * section.keep_days
    reasons |= {folder.run: "young" for folder in found if folder.touched > young}
    busy = [folder for folder in found if folder.touched > now - 3600 * section.grace_hours]
    facts = together(lambda run: read_record(store, f"{ROOM}{run}/{RUN}"), [f.run for f in busy])
    bases = [str(each["base"]) for each in facts if each and each.get("base")]
    reasons |= dict.fromkeys(bases, "the base of a run that may be at work")
    reasons |= {folder.run: "may be at work" for folder in busy}
    for root, manifest in version_roots(store):
        if manifest.get("run"):
            reasons[str(manifest["run"])] = root.name
    latest = read_record(store, LATEST)
    if latest is not None:
        reasons[str(latest["run"])] = "what the next run starts from"
    return {folder.run: reasons[folder.run] for folder in found if folder.run in reasons}


def _remove(store: Store, folder: Folder, say: Say) -> bool:
    """Remove a run that nobody has touched since it was looked at; whether it went.

    `run.json` first: from then on there is no such run for anybody.
    """
    start = f"{ROOM}{folder.run}/"
    entries = store.listing(start)
    if any(entry.modified > folder.touched for entry in entries):
        say(f"run {folder.run} is at work again: it stays")
        return False
    store.delete(f"{start}{RUN}")
    together(store.delete, [entry.key for entry in entries])
    say(f"run {folder.run} removed: {len(entries)} objects")
    return True
