from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.inference.release import Release
from tasks.publish import publish_release
from tasks.registry.manifest import need_manifest
from tasks.stage.errors import BadInput
from tasks.store.store import Store, open_store
from tests.registry.made import release

PARAMS = "publish: {name: mood, major: 3}\nsnapshot: {data_date: 2026-01-31}\n"
LOCK = {
    "schema": "2.0",
    "stages": {
        "snapshot": {"cmd": "x", "outs": [{"path": "data/snapshot.json", "md5": "12"}]},
        "ingest": {
            "cmd": "x",
            "outs": [
                {"path": "data/dataset/test.parquet", "md5": "34"},
                {"path": "reports/ingest.json", "md5": "56"},
            ],
        },
    },
}


@pytest.fixture
def finished(workspace: Path) -> Path:
    """A workspace as the graph leaves it."""
    release(workspace / "models" / "release", environment={"cpu": "some"})
    (workspace / "reports").mkdir()
    (workspace / "reports" / "metrics.json").write_text('{"release": {"accuracy": 0.8}}')
    (workspace / "params.yaml").write_text(PARAMS)
    (workspace / "dvc.lock").write_text(yaml.safe_dump(LOCK))
    return workspace


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "store"))


def test_a_version_carries_the_evidence_of_its_workspace(store: Store, finished: Path) -> None:
    said: list[str] = []
    found = publish_release(
        store, finished, run="night-1", revision="abc", repository=finished, say=said.append
    )

    assert (found["name"], found["version"], found["created"]) == ("mood", "v3.0.0", True)
    assert (found["tag"], found["commit"], found["pushed"]) == ("mood@v3.0.0", None, False)
    assert "not a git repository" in said[0]
    manifest = need_manifest(store, "mood", "v3.0.0")
    assert (manifest.run, manifest.revision, manifest.figure) == ("night-1", "abc", 0.8)
    assert manifest.data == {"data/snapshot.json": "12", "data/dataset/test.parquet": "34"}
    assert manifest.lock == LOCK
    assert manifest.params["snapshot"] == {"data_date": "2026-01-31"}
    assert manifest.environment == {"cpu": "some"}
    assert manifest.gate is None


def verdict(digest: str) -> dict[str, Any]:
    reasons = ["as good as v1.0.0"]
    return {"verdict": "blessed", "reasons": reasons, "candidate": {"digest": digest}, "more": 1}


def test_the_gate_s_verdict_goes_with_it(store: Store, finished: Path) -> None:
    digest = Release.read(finished / "models" / "release").digest
    publish_release(store, finished, verdict=verdict(digest))

    gate = need_manifest(store, "mood", "v3.0.0").gate
    assert gate is not None
    assert (gate["verdict"], gate["reasons"]) == ("blessed", ["as good as v1.0.0"])


def test_a_verdict_on_another_release_is_not_taken(store: Store, finished: Path) -> None:
    with pytest.raises(BadInput, match=r"the gate judged another release \(digest beef\)"):
        publish_release(store, finished, verdict=verdict("beef"))
    assert store.keys("registry/") == []


def test_published_twice_it_is_the_same_version(store: Store, finished: Path) -> None:
    first = publish_release(store, finished, run="night-1")
    again = publish_release(store, finished, run="night-2")

    assert again == {**first, "created": False}


@pytest.mark.parametrize(
    ("path", "content", "message"),
    [
        ("models/release/model.onnx", None, "is not a release: model.onnx is missing"),
        ("reports/metrics.json", None, "metrics.json is missing: `nightshift run` writes it"),
        ("reports/metrics.json", "{", "metrics.json is not JSON"),
        ("params.yaml", "publish: {name: A B}", "publish.name: got 'A B'"),
        ("params.yaml", "publish: [", "params.yaml is not YAML"),
    ],
)
def test_what_is_missing_or_wrong_is_named(
    store: Store, finished: Path, path: str, content: str | None, message: str
) -> None:
    (finished / path).unlink()
    if content is not None:
        (finished / path).write_text(content)

    with pytest.raises(BadInput) as error:
        publish_release(store, finished)
    assert message in str(error.value)
    assert store.keys("registry/") == []


def test_what_was_not_made_by_the_graph_can_be_published_too(store: Store, finished: Path) -> None:
    (finished / "dvc.lock").unlink()
    publish_release(store, finished)

    assert need_manifest(store, "mood", "v3.0.0").lock is None
