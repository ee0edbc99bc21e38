from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from safetensors.numpy import save_file

from tasks.params.base import check
from tasks.params.snapshot import Snapshot
from tasks.snapshot import snapshot
from tasks.sources.reference import NOTHING
from tasks.stage.errors import BadInput


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three nights of data and a model of five tokens."""
    monkeypatch.chdir(tmp_path)
    for day in (1, 2, 3):
        night = tmp_path / "source" / f"date=2026-01-0{day}"
        night.mkdir(parents=True)
        (night / "rows.csv").write_text(f"text,label\nfine {day},a\n")
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text('{"vocab_size": 5}')
    (model / "vocab.txt").write_text("a\nb\nc\nd\ne\n")
    save_file({"w": np.zeros(2, np.float32)}, model / "model.safetensors")
    write_params({})
    return tmp_path


def write_params(more: dict[str, Any]) -> None:
    ingest = {"source": "source", **more.pop("ingest", {})}
    content = {"ingest": ingest, "finetune": {"model": "model"}, **more}
    Path("params.yaml").write_text(yaml.safe_dump(content))


def pinned(**section: Any) -> list[str]:
    snapshot(check(Snapshot, section))
    content = json.loads(Path("data/snapshot.json").read_text())
    return [file["path"] for source in content["sources"] for file in source["files"]]


def outputs() -> dict[str, bytes]:
    names = ("data/snapshot.json", "models/base.json", "data/reference.json")
    return {name: Path(name).read_bytes() for name in names}


def test_the_same_files_give_the_same_bytes_and_no_place_or_time() -> None:
    pinned()
    first = outputs()
    pinned(data_date=date(2026, 1, 3))

    assert outputs() == first
    assert all(str(Path.cwd()).encode() not in content for content in first.values())
    assert json.loads(first["data/reference.json"]) == NOTHING


def test_only_nights_up_to_the_date() -> None:
    assert len(pinned()) == 3
    assert pinned(data_date="2026-01-02") == [f"date=2026-01-0{day}/rows.csv" for day in (1, 2)]


def test_a_changed_file_changes_the_pin_of_the_data_alone() -> None:
    pinned()
    before = outputs()
    Path("source/date=2026-01-02/rows.csv").write_text("text,label\nother,b\n")
    pinned()

    changed = {name for name, content in outputs().items() if content != before[name]}
    assert changed == {"data/snapshot.json"}


def test_files_that_are_no_data_are_told() -> None:
    Path("source/README.md").write_text("about")
    found = snapshot(Snapshot())

    assert found["metrics"] == {"files": 3, "bytes": 60, "partitions": 3}
    assert found["newest"] == "2026-01-03"
    assert found["sources"][0]["ignored"] == ["README.md"]


def test_given_splits_and_unlabelled_are_sources_of_their_own() -> None:
    split = {"train": "source", "test": "source/date=2026-01-03"}
    write_params({"ingest": {"source": None, "split": split, "unlabelled": "source"}})
    pinned()

    sources = json.loads(Path("data/snapshot.json").read_text())["sources"]
    assert [source["role"] for source in sources] == ["train", "test", "unlabelled"]


def test_a_sample_brings_its_texts_without_labels_unless_others_are_given() -> None:
    def sources(**ingest: Any) -> list[dict[str, str]]:
        write_params({"ingest": {"source": "sample:reviews", **ingest}})
        pinned()
        found = json.loads(Path("data/snapshot.json").read_text())["sources"]
        return [{each["role"]: each["uri"]} for each in found]

    assert sources() == [{"all": "sample:reviews"}, {"unlabelled": "sample:comments"}]
    assert sources(unlabelled="source")[1:] == [{"unlabelled": "source"}]


def test_the_reference_is_a_release() -> None:
    Path("release").mkdir()
    Path("release/release.json").write_text('{"labels": ["b", "a"], "version": "v1.2.0"}')
    pinned(reference="release")

    reference = json.loads(Path("data/reference.json").read_text())
    assert reference["labels"] == ["a", "b"]
    assert reference["version"] == "v1.2.0"
    assert (reference["profile"], reference["release"]) == (None, "release")

    Path("release/profile.json").write_text('{"rows": 7}')
    pinned(reference="release")
    assert json.loads(Path("data/reference.json").read_text())["profile"] == {"rows": 7}


@pytest.mark.parametrize(("content", "why"), [("{", "is not JSON"), ("[]", "a JSON object")])
def test_a_reference_with_a_broken_profile(content: str, why: str) -> None:
    Path("release").mkdir()
    Path("release/release.json").write_text('{"labels": ["b", "a"]}')
    Path("release/profile.json").write_text(content)
    with pytest.raises(BadInput, match=rf"snapshot\.reference: release/profile\.json .*{why}"):
        pinned(reference="release")


def test_a_reference_that_is_no_release() -> None:
    with pytest.raises(BadInput, match=r"snapshot\.reference: source has no release\.json"):
        pinned(reference="source")


def test_missing_source() -> None:
    write_params({"ingest": {"source": "nowhere"}})
    with pytest.raises(BadInput, match="nowhere does not exist"):
        pinned()


def test_a_source_of_no_known_kind() -> None:
    Path("rows.xlsx").write_text("x")
    write_params({"ingest": {"source": "rows.xlsx"}})
    with pytest.raises(BadInput, match=r"rows\.xlsx is of no known kind; known endings are \.csv"):
        pinned()


def test_what_is_wrong_in_any_section_stops_before_any_work() -> None:
    write_params({"benchmark": {"round": 3}})
    with pytest.raises(BadInput, match=r"benchmark\.round: unknown key"):
        pinned()
    assert not Path("data").exists()


def test_a_model_without_weights_stops_before_any_work() -> None:
    Path("model/model.safetensors").unlink()
    with pytest.raises(BadInput, match="model has no weights"):
        pinned()


def test_it_starts_quickly_without_the_heavy_libraries() -> None:
    code = (
        "import sys, tasks.snapshot\n"
        "heavy = {'torch', 'pandas', 'pyarrow', 'numpy', 'transformers', 'boto3'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_without_a_version_in_production_there_is_no_reference(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NIGHTSHIFT_STORE", str(tmp_path / "store"))
    pinned()
    reference = json.loads(Path("data/reference.json").read_text())
    assert reference == NOTHING


def test_the_version_in_production_is_the_reference(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NIGHTSHIFT_STORE", str(tmp_path / "store"))
    room = tmp_path / "store/registry/reviews"
    (room / "v1.3.0").mkdir(parents=True)
    card = json.dumps({"labels": ["b", "a"], "version": "v1.3.0"})
    (room / "v1.3.0/release.json").write_text(card)
    (room / "v1.3.0/profile.json").write_text('{"rows": 7}')
    record = {"aliases": {"production": "v1.3.0"}, "history": [], "revoked": {}}
    (room / "aliases.json").write_text(json.dumps(record))
    pinned()
    reference = json.loads(Path("data/reference.json").read_text())
    assert (reference["labels"], reference["version"]) == (["a", "b"], "v1.3.0")
    assert reference["profile"] == {"rows": 7}
    assert reference["release"] == "store://registry/reviews/v1.3.0"
