"""What a candidate is held against: the version in production, and the best one ever promoted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tasks.inference.release import Release
from tasks.judging.contest import Rival
from tasks.registry.aliases import read_aliases
from tasks.registry.versions import VersionRow, best_ever, fetch_version, versions
from tasks.stage.errors import StageError
from tasks.store.store import Store


@dataclass(frozen=True)
class Rivals:
    """Those there are, fetched; `revoked` is the version that the candidate was revoked as."""

    champion: Rival | None
    best: Rival | None
    revoked: str | None


def rivals(store: Store, name: str, candidate: Path, folder: Path) -> Rivals:
    """Fetch what the release in `candidate` is judged against into `folder`, a version each.

    Nothing is fetched for a candidate whose digest decides already: revoked, or in production.
    Raises StageError when the version in production is not whole any more.
    """
    release = Release.read(candidate)
    digest = release.digest
    record = read_aliases(store, name)
    rows = {row.version: row for row in versions(store, name)}
    serving = rows.get(record.production) if record.production else None
    if record.production and serving is None:
        raise StageError(
            f"{name}: {record.production} is in production but not whole in {store.url}: roll back"
        )
    revoked = record.revoked_as(digest)
    decided = revoked is not None or (serving is not None and serving.digest == digest)

    def fetched(row: VersionRow | None) -> Rival | None:
        if row is None:
            return None
        place = folder / row.version
        if not decided:
            fetch_version(store, name, row.version, place)
        return Rival(row.version, place, row.digest, row.figure)

    best = best_ever(store, name, release.answers.metric)
    if best is not None and serving is not None and best.version == serving.version:
        best = None
    return Rivals(fetched(serving), fetched(best), revoked)
