"""Look at the outside once and pin it: the data's files, the base model, the reference release."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from tasks.data.formats import FORMATS, format_of
from tasks.inference.release import CARD, PROFILE
from tasks.params.ingest import GivenSplits, Ingest
from tasks.params.schema import Params
from tasks.params.snapshot import Snapshot
from tasks.registry.aliases import PRODUCTION, production
from tasks.registry.manifest import place
from tasks.sources.partitions import partition_date, up_to
from tasks.sources.pretrained import pin_model
from tasks.sources.reference import IN_STORE, NOTHING, pin_reference, pin_release
from tasks.sources.resolve import resolve
from tasks.sources.samples import unlabelled_of
from tasks.sources.source import Pinned
from tasks.stage.errors import BadInput
from tasks.stage.outputs import write_json
from tasks.stage.run import run_stage
from tasks.store.store import open_store

DATA = Path("data/snapshot.json")
BASE = Path("models/base.json")
REFERENCE = Path("data/reference.json")


def snapshot(section: Snapshot) -> dict[str, Any]:
    """Pin everything the night depends on; unchanged files mean that nothing after it runs.

    The whole of `params.yaml` is checked first, so that what can't work stops here.
    """
    params = Params.load()
    pinned = [pin_data(*wanted, section.data_date) for wanted in _wanted(params.ingest)]
    base = pin_model(params.finetune.model)
    write_json(REFERENCE, reference(section.reference, params.publish.name))
    write_json(BASE, base)
    write_json(DATA, {"sources": [data.to_json() for data in pinned]})
    return _findings(pinned, base)


def reference(wanted: str | None, name: str) -> dict[str, Any]:
    """What `snapshot.reference` names: the version of the model `name` that serves, or a release.

    Nulls when nothing serves yet. Raises BadInput for a folder that is no release.
    """
    if wanted is None:
        return NOTHING
    if wanted != PRODUCTION:
        return pin_reference(wanted)
    store = open_store()
    version = production(store, name)
    if version is None:
        return NOTHING
    key = place(name, version)
    card, profile = store.read(f"{key}/{CARD}"), store.read(f"{key}/{PROFILE}")
    if card is None:
        return NOTHING
    described = profile.content if profile else None
    return pin_release(card.content, described, f"{store.url}/{key}", f"{IN_STORE}{key}")


@dataclass(frozen=True)
class PinnedData:
    """What one source of `ingest` held: `role` is `all`, a split's name, or `unlabelled`."""

    role: str
    uri: str
    files: list[Pinned]
    ignored: list[str]

    def to_json(self) -> dict[str, Any]:
        """What `ingest` reads."""
        files = [file.to_json() for file in self.files]
        return {"role": self.role, "uri": self.uri, "files": files}


def pin_data(role: str, uri: str, last: date | None) -> PinnedData:
    """The data files that `uri` names, up to the partition of the day `last`.

    Raises BadInput when there are none.
    """
    files = resolve(uri).files()
    known = [file for file in files if format_of(file.path)]
    if not known:
        raise BadInput(
            f"{uri}: {files[0].path} is of no known kind; known endings are {', '.join(FORMATS)}"
        )
    ignored = [file.path for file in files if not format_of(file.path)]
    return PinnedData(role, uri, up_to(known, last, uri), ignored)


def _wanted(ingest: Ingest) -> list[tuple[str, str]]:
    """Role and URI of every source; paths for given splits stand in place of `ingest.source`."""
    wanted: list[tuple[str, str | None]] = [("all", ingest.source)]
    unlabelled = ingest.unlabelled
    if isinstance(ingest.split, GivenSplits):
        given = ingest.split
        wanted = [("train", given.train), ("validation", given.validation), ("test", given.test)]
    elif unlabelled is None:
        unlabelled = unlabelled_of(str(ingest.source))
    wanted.append(("unlabelled", unlabelled))
    return [(role, uri) for role, uri in wanted if uri is not None]


def _findings(pinned: list[PinnedData], base: dict[str, Any]) -> dict[str, Any]:
    files = [file for data in pinned for file in data.files]
    days = sorted({day for file in files if (day := partition_date(file.path))})
    return {
        "metrics": {
            "files": len(files),
            "bytes": sum(file.size for file in files),
            "partitions": len(days),
        },
        "oldest": str(days[0]) if days else None,
        "newest": str(days[-1]) if days else None,
        "sources": [
            {"role": data.role, "uri": data.uri, "files": len(data.files), "ignored": data.ignored}
            for data in pinned
        ],
        "model": {"uri": base["model"], "revision": base["revision"]},
    }


if __name__ == "__main__":
    run_stage("snapshot", Snapshot, snapshot)
