"""The first step of a run: pin its code, its parameters and where it starts from."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tasks.handover import journal
from tasks.handover.dvc import Say
from tasks.handover.graph import read_graph
from tasks.handover.package import pack_code
from tasks.handover.run import Run, latest
from tasks.params.base import PARAMS, check, read
from tasks.params.schema import Params
from tasks.stage.errors import BadInput
from tasks.store.lock import shared
from tasks.store.store import Store, to_json

PATHS = (
    ("ingest", "source"),
    ("ingest", "unlabelled"),
    ("snapshot", "reference"),
    ("finetune", "model"),
    ("gate", "golden"),
)
"""Parameters that may name a file beside `params.yaml`; a worker looks from elsewhere."""


def prepare(
    store: Store,
    name: str,
    root: Path,
    changes: Sequence[str] = (),
    say: Say = print,
    model: Path | None = None,
) -> Run:
    """Write `runs/NAME/` with `run.json`, `params.yaml` and `base.lock`, and the code's archive.

    `changes` are `section.key=VALUE` (VALUE in YAML), laid over the project's `params.yaml`. Raises
    BadInput for what the schema refuses, before anything is written. One that says what holds
    already is none: the run's parameters then are the project's, to the letter. The folder `model`
    has the `params.yaml` and `expectations.yaml` of one of several models, in the project's place.
    """
    run = Run(store, name)
    home = model or root
    present = read(home / PARAMS)
    changed = differing(present, dict(parse(change) for change in changes))
    content = with_changes(present, changed)
    params = check(Params, content)
    text = yaml.safe_dump(absolute(content, home), sort_keys=False, allow_unicode=True)
    with shared(store, f"prepare of run {name}", say):
        base = latest(store)
        entries = base.lock(list(read_graph(root).stages)) if base and _whole(base, root) else {}
        facts = {
            "run": name,
            "revision": pack_code(root, store, model),
            "base": base.name if base and entries else None,
            "changes": {key: _plain(value) for key, value in changed.items()},
            "publish": {"name": params.publish.name, "promotion": params.publish.promotion},
            "hosts": params.finetune.hosts,
            "data_date": _plain(params.snapshot.data_date),
            "prepared": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        store.write(run.key("params.yaml"), text.encode())
        lock = {"schema": "2.0", "stages": entries}
        store.write(run.key("base.lock"), yaml.safe_dump(lock, sort_keys=False).encode())
        store.write(run.key("run.json"), to_json(facts))
    journal.begin(run)
    return run


def differing(content: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the changes that make a difference; raises BadInput for what the schema refuses."""
    before = check(Params, content).model_dump(by_alias=True)
    after = check(Params, with_changes(content, changes)).model_dump(by_alias=True)
    return {key: value for key, value in changes.items() if _at(before, key) != _at(after, key)}


def _at(content: Any, key: str) -> Any:
    for name in key.split("."):
        content = content.get(name) if isinstance(content, Mapping) else None
    return content


def parse(change: str) -> tuple[str, Any]:
    """`finetune.epochs=3` as a dotted key and a value; raises BadInput for another form."""
    key, sign, text = change.partition("=")
    if not sign or key.count(".") < 1:
        raise BadInput(f"--set {change!r}: takes section.key=VALUE, as finetune.epochs=3")
    try:
        return key, yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BadInput(f"--set {change!r}: {' '.join(str(error).split())}") from None


def with_changes(content: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters with some dotted keys set; the schema says whether they may be."""
    found: dict[str, Any] = {key: _copied(value) for key, value in content.items()}
    for key, value in changes.items():
        *sections, last = key.split(".")
        place = found
        for section in sections:
            inner = place.get(section)
            place[section] = place = dict(inner) if isinstance(inner, dict) else {}
        place[last] = value
    return found


def absolute(content: dict[str, Any], root: Path) -> dict[str, Any]:
    """The parameters with paths beside `params.yaml` made absolute; URIs and names stay."""
    found = {key: _copied(value) for key, value in content.items()}
    for section, key in PATHS:
        if section in found and isinstance(found[section], dict) and key in found[section]:
            found[section][key] = _located(found[section][key], root)
    split = found.get("ingest", {}).get("split")
    if isinstance(split, dict):
        found["ingest"]["split"] = {name: _located(uri, root) for name, uri in split.items()}
    return found


def _located(value: Any, root: Path) -> Any:
    if not isinstance(value, str) or Path(value).is_absolute() or ":" in value:
        return value
    path = root / value
    return str(path.resolve()) if path.exists() else value


def _whole(base: Run, root: Path) -> bool:
    """A base whose graph had other stages is none: its run then starts from nothing."""
    records = (base.record(stage) for stage in read_graph(root).stages)
    return all(record is not None and record.status == "ok" for record in records)


def _copied(value: Any) -> Any:
    return dict(value) if isinstance(value, dict) else value


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | list | None) else str(value)
