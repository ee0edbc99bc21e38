from __future__ import annotations

import importlib.metadata
import json
import shutil
from pathlib import Path

import pytest

from tasks.params.schema import Params
from tasks.reporting.examination import check_packages, check_params, check_workspace
from tasks.reporting.machine import describe_plan, examine, print_examination, print_plan
from tasks.training.footprint import Shape, activation_bytes, count_parameters, read_shape
from tests.made import ROOT


@pytest.fixture
def project(workspace: Path) -> Path:
    """A workspace with what a checkout has."""
    for name in ("params.yaml", "requirements.lock", "dvc.yaml"):
        shutil.copy(ROOT / name, workspace / name)
    (workspace / ".dvc").mkdir()
    (workspace / ".git").mkdir()
    return workspace


def test_the_plan_of_this_machine(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = describe_plan(Params.load())
    assert json.loads(json.dumps(found)) == found
    assert found["finetune"]["processes"] == 1
    assert found["memory"]["available"] > 0
    assert found["data"]["steps"] is None
    print_plan(found)
    told = capsys.readouterr().out
    assert found["finetune"]["precision"] in told
    assert "CPUExecutionProvider" in told


def test_the_plan_counts_steps_and_memory_once_data_and_model_are_there(
    project: Path, tiny_model: Path
) -> None:
    (project / "data").mkdir()
    (project / "data/approved.json").write_text('{"splits": {"train": {"rows": 100}}}')
    finetune = {"model": str(tiny_model), "batch": 32, "epochs": 2, "device": "cpu"}
    found = describe_plan(Params.model_validate({"finetune": finetune}))
    assert found["data"] == {"examples": 100, "steps_an_epoch": 4, "steps": 8}
    assert found["memory"]["parameters"] == count_parameters(tiny_model / "model.safetensors")
    assert found["memory"]["total"] > 16 * found["memory"]["parameters"]


def test_the_plan_says_how_ranks_share_the_model(
    project: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    finetune = {"model": str(tiny_model), "device": "cpu", "processes": 2}
    whole, shared = (
        describe_plan(Params.model_validate({"finetune": {**finetune, "sharding": sharding}}))
        for sharding in ("ddp", "fsdp")
    )
    assert shared["memory"]["state"] == whole["memory"]["state"] // 2
    print_plan(shared)
    assert "fsdp on 1 host(s)" in " ".join(capsys.readouterr().out.split())


def test_the_plan_warns_when_training_will_not_fit(project: Path, tiny_model: Path) -> None:
    finetune = {"model": str(tiny_model), "batch": 10_000_000, "micro_batch": 10_000_000}
    found = describe_plan(Params.model_validate({"finetune": {**finetune, "device": "cpu"}}))
    assert "lower finetune.micro_batch" in found["warnings"][0]


def test_a_batch_that_does_not_fit_is_taken_in_parts_and_the_plan_says_so(
    project: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    finetune = {"model": str(tiny_model), "batch": 10_000_000, "device": "cpu"}
    found = describe_plan(Params.model_validate({"finetune": finetune}))
    size = found["finetune"]["micro_batch"]
    assert size < 10_000_000
    print_plan(found)
    assert f"{size} examples at once" in " ".join(capsys.readouterr().out.split())


def test_parameters_are_those_of_the_model(tiny_model: Path) -> None:
    from transformers import AutoModel

    model = AutoModel.from_pretrained(tiny_model)
    shape = read_shape(tiny_model)
    assert shape.parameters == sum(each.numel() for each in model.parameters())
    assert (shape.layers, shape.hidden, shape.heads) == (4, 32, 4)


def test_activations_follow_the_formula() -> None:
    gpt3 = Shape(0, layers=96, hidden=12_288, heads=96)  # the largest model of the paper's table 3
    one = activation_bytes(gpt3, 1, 2048, "bf16", "eager")
    assert one == 96 * 2048 * 12_288 * (34 + 5 * 96 * 2048 // 12_288)
    assert activation_bytes(gpt3, 1, 2048, "bf16", "sdpa") == 96 * 2048 * 12_288 * 34


def test_a_good_machine_passes(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checks = examine()
    assert {check["name"] for check in checks} >= {"python", "packages", "params", "disk", "memory"}
    for check in checks:
        assert set(check) == {"name", "ok", "found", "advice"}
        if check["name"] not in ("packages", "disk", "memory"):
            assert check["ok"], check
    print_examination(checks)
    assert "params" in capsys.readouterr().out


def test_packages_are_right_when_they_are_those_of_the_lock(project: Path) -> None:
    version = importlib.metadata.version("numpy")
    Path("requirements.lock").write_text(f"# pinned\nnumpy=={version}  # why\n")
    assert check_packages() == (True, "all 1 as requirements.lock pins them", "")


@pytest.mark.parametrize(
    ("lock", "found"),
    [
        ("numpy==0.0.1\n", "pinned: 0.0.1"),
        ("no-such-package-at-all==1.0\n", "no-such-package-at-all is missing"),
        ("<<<<<<< HEAD\nnumpy==2.4.6\n", "<<<<<<< HEAD"),
        ("", "no line at all"),
        (None, "requirements.lock is missing"),
    ],
)
def test_a_broken_lock_is_refused(project: Path, lock: str | None, found: str) -> None:
    Path("requirements.lock").unlink()
    if lock is not None:
        Path("requirements.lock").write_text(lock)
    ok, told, advice = check_packages()
    assert not ok
    assert found in told
    assert advice


def test_bad_parameters_are_named(project: Path) -> None:
    Path("params.yaml").write_text("finetune:\n  epoch: 3\n")
    ok, told, _ = check_params()
    assert not ok
    assert "finetune.epoch" in told


def test_a_folder_that_is_no_project_is_refused(workspace: Path) -> None:
    ok, told, advice = check_workspace()
    assert not ok
    assert "dvc.yaml" in told
    assert "dvc init" in advice
