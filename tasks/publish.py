"""publish: the release of a workspace becomes a version in the registry, with its evidence.

Reads `models/release`, `reports/metrics.json`, `dvc.lock` and `params.yaml`; writes nothing there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from tasks.inference.release import Release
from tasks.params.base import load_section, read
from tasks.params.publish import Publish
from tasks.registry.manifest import Facts
from tasks.registry.publishing import publish
from tasks.registry.tags import tag_version
from tasks.stage.errors import BadInput
from tasks.stage.outputs import read_json
from tasks.store.store import Store

RELEASE = Path("models/release")
METRICS = Path("reports/metrics.json")
LOCK = Path("dvc.lock")
SAID_BY_THE_GATE = ("verdict", "reasons", "waived", "champion", "best")
DATA = ("data/dataset/", "data/snapshot.json")


def publish_release(
    store: Store,
    workspace: Path,
    *,
    run: str | None = None,
    revision: str | None = None,
    verdict: dict[str, Any] | None = None,
    repository: Path = Path(),
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Publish what the graph made in `workspace` as the next version of `publish.name`, and tag it.

    `run` is the run's id, None by hand; `revision` the git commit of the code, if it is one;
    `verdict` the gate's report. Returns name, version, digest, whether it was created now, tag,
    and whether that was pushed. Raises BadInput when something that belongs to a release is
    missing, Unavailable when the store is away; git's troubles are only said.
    """
    section = load_section(Publish, workspace / "params.yaml")
    facts = gather(workspace, run, revision, verdict)
    found = publish(store, section.name, section.major, workspace / RELEASE, facts)
    tagged = tag_version(store, found.name, found.version, repository)
    if tagged.problem:
        say(f"warning: {tagged.problem}")
    return {**asdict(found), "tag": tagged.tag, "commit": tagged.commit, "pushed": tagged.pushed}


def gather(
    workspace: Path, run: str | None, revision: str | None, verdict: dict[str, Any] | None
) -> Facts:
    """Where the release of a workspace comes from and what was found out about it."""
    release = Release.read(workspace / RELEASE)
    lock = _lock(workspace / LOCK)
    return Facts(
        run=run,
        revision=revision,
        params=_plain(read(workspace / "params.yaml")),
        lock=lock,
        data=_data(lock),
        metrics=_report(workspace / METRICS),
        gate=_judged(verdict, release),
        environment=release.facts.get("environment", {}),
    )


def _lock(path: Path) -> dict[str, Any] | None:
    """None when there is none: what was not made by the graph can be published too."""
    if not path.is_file():
        return None
    found: dict[str, Any] = _plain(yaml.safe_load(path.read_text(encoding="utf-8")))
    return found


def _data(lock: dict[str, Any] | None) -> dict[str, str]:
    """DVC's hashes of the dataset and of what was pinned, by path."""
    stages = (lock or {}).get("stages", {})
    outs = [out for stage in stages.values() for out in stage.get("outs", [])]
    return {out["path"]: str(out["md5"]) for out in outs if out["path"].startswith(DATA)}


def _judged(verdict: dict[str, Any] | None, release: Release) -> dict[str, Any] | None:
    """What the gate says of this release; raises BadInput when it judged another one."""
    if verdict is None:
        return None
    judged = (verdict.get("candidate") or {}).get("digest")
    if judged != release.digest:
        raise BadInput(
            f"the gate judged another release (digest {judged}) than {RELEASE} now holds "
            f"({release.digest}): run `nightshift gate` again"
        )
    return {key: verdict.get(key) for key in SAID_BY_THE_GATE}


def _report(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = read_json(path)
    except FileNotFoundError:
        raise BadInput(f"{path} is missing: `nightshift run` writes it") from None
    except ValueError as error:
        raise BadInput(f"{path} is not JSON: {error}") from None
    return content


def _plain(content: Any) -> Any:
    """The same without what JSON hasn't: YAML's dates become text, which DVC compares alike."""
    if isinstance(content, dict):
        return {str(key): _plain(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_plain(value) for value in content]
    known = isinstance(content, str | int | float | None)
    return content if known else str(content)
