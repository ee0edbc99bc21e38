"""Several models of one installation: parameters and stores of their own, the checkout's code."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tasks.handover.models import Model, models
from tasks.handover.package import unpack_code
from tasks.handover.prepare import prepare
from tasks.stage.errors import BadInput
from tasks.store.store import Store, open_store
from tests.handover.project import make_project


def make_model(folder: Path, **sections: dict[str, object]) -> Path:
    folder.mkdir(parents=True)
    (folder / "params.yaml").write_text(yaml.safe_dump(sections))
    return folder


def test_without_the_setting_the_checkout_is_the_one_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NIGHTSHIFT_MODELS", raising=False)
    monkeypatch.setenv("NIGHTSHIFT_STORE", "s3://team/store")
    (only,) = models(tmp_path)
    assert (only.folder, only.dag_id("nightly"), only.store) == (
        tmp_path, "nightly", "s3://team/store"
    )  # fmt: skip


def test_each_folder_with_parameters_is_a_model_with_a_store_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIGHTSHIFT_MODELS", "fleet")
    monkeypatch.setenv("NIGHTSHIFT_STORE", "s3://team/store/")
    for name in ("tickets", "mood-de"):
        make_model(tmp_path / "fleet" / name)
    (tmp_path / "fleet" / "notes").mkdir()
    assert [(m.dag_id("nightly"), m.store) for m in models(tmp_path)] == [
        ("nightly-mood-de", "s3://team/store/mood-de"),
        ("nightly-tickets", "s3://team/store/tickets"),
    ]


@pytest.mark.parametrize("name", ["Tickets", "-x", "a b", "mood.de", "runs"])
def test_a_name_that_can_t_be_part_of_a_key_is_refused(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIGHTSHIFT_MODELS", str(tmp_path))
    make_model(tmp_path / name)
    with pytest.raises(BadInput, match="takes lower-case letters, digits, - and _"):
        models(tmp_path)


def test_a_folder_without_models_is_a_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIGHTSHIFT_MODELS", str(tmp_path / "fleed"))
    with pytest.raises(BadInput, match="has no model"):
        models(tmp_path)


def test_a_run_has_the_models_parameters_and_expectations_and_the_checkouts_code(
    folder_store: Store, tmp_path: Path
) -> None:
    (tmp_path / "source.txt").write_text("x")
    project = make_project(tmp_path / "project", tmp_path / "source.txt")
    model = make_model(tmp_path / "fleet" / "tickets", ingest={"source": "mine.csv"})
    (model / "mine.csv").write_text("text,label\n")
    (model / "expectations.yaml").write_text("- {name: enough rows, at_least: 7}\n")
    run = prepare(folder_store, "first", project, ["finetune.epochs=3"], model=model)
    params = yaml.safe_load(run.text("params.yaml") or "")
    assert params == {"ingest": {"source": str(model / "mine.csv")}, "finetune": {"epochs": 3}}
    unpack_code(run.facts()["revision"], folder_store, tmp_path / "out")
    out = tmp_path / "out"
    assert "at_least: 7" in (out / "expectations.yaml").read_text()
    assert (out / "dvc.yaml").read_bytes() == (project / "dvc.yaml").read_bytes()
    assert (out / "tasks/look.py").read_bytes() == (project / "tasks/look.py").read_bytes()
    plain = prepare(folder_store, "second", project)
    assert plain.facts()["revision"] != run.facts()["revision"]


def test_nights_of_two_models_may_be_called_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIGHTSHIFT_STORE", str(tmp_path / "store"))
    (tmp_path / "source.txt").write_text("x")
    project = make_project(tmp_path / "project", tmp_path / "source.txt")
    for name, epochs in (("one", 1), ("two", 2)):
        model = make_model(tmp_path / "fleet" / name, finetune={"epochs": epochs})
        store = open_store(Model(model, name).store)
        prepare(store, "scheduled-2026-11-24", project, model=model)
    for name, epochs in (("one", 1), ("two", 2)):
        text = (tmp_path / "store" / name / "runs/scheduled-2026-11-24/params.yaml").read_text()
        assert yaml.safe_load(text)["finetune"]["epochs"] == epochs
