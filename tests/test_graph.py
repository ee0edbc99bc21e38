"""dvc.yaml says exactly what each stage depends on."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
GRAPH: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
ORDER = ["snapshot", "ingest", "validate", "finetune", "prune", "export", "benchmark"]


def imported_files(start: Path) -> set[str]:
    """Every file of ours that `start` imports, also inside functions, and what those import."""
    found: set[Path] = set()
    waiting = [start]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        for name in modules_named_in(path):
            waiting.extend(files_of(name))
    return {path.relative_to(ROOT).as_posix() for path in found}


def modules_named_in(path: Path) -> list[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [name for name in names if name.startswith("tasks.")]


def files_of(module: str) -> list[Path]:
    """The module's own file and the packages' files that importing it runs."""
    parts = module.split(".")
    places = [ROOT.joinpath(*parts[: i + 1]) / "__init__.py" for i in range(len(parts))]
    return [p for p in (*places, ROOT.joinpath(*parts).with_suffix(".py")) if p.is_file()]


@pytest.mark.parametrize("stage", ORDER)
def test_what_a_stage_imports_is_inside_its_dependencies(stage: str) -> None:
    rooms = code_of(stage)
    outside = {f for f in imported_files(ROOT / "tasks" / f"{stage}.py") if not inside(f, rooms)}
    assert not outside


@pytest.mark.parametrize("stage", ORDER)
def test_a_stage_depends_on_no_code_that_it_does_not_import(stage: str) -> None:
    files = imported_files(ROOT / "tasks" / f"{stage}.py")
    assert not [room for room in code_of(stage) if not any(inside(f, [room]) for f in files)]


def code_of(stage: str) -> list[str]:
    return [dep for dep in GRAPH[stage]["deps"] if dep.startswith("tasks/")]


def inside(file: str, rooms: list[str]) -> bool:
    return any(file == room or file.startswith(f"{room}/") for room in rooms)


@pytest.mark.parametrize("stage", ORDER)
def test_a_stage_has_one_name_in_all_places(stage: str) -> None:
    assert GRAPH[stage]["cmd"] == f"python -m tasks.{stage}"
    assert f"reports/{stage}.json" in outputs(stage)
    assert stage in yaml.safe_load((ROOT / "params.yaml").read_text())
    assert "requirements.lock" in GRAPH[stage]["deps"]


@pytest.mark.parametrize("stage", ORDER)
def test_a_stage_depends_on_its_own_parameters(stage: str) -> None:
    sections = {str(key).split(".")[0] for key in GRAPH[stage]["params"]}
    assert sections == {stage} if stage != "snapshot" else stage in sections


def test_every_input_is_made_by_a_stage_before() -> None:
    made: set[str] = set()
    for stage in ORDER:
        inputs = {dep for dep in GRAPH[stage]["deps"] if dep.startswith(("data/", "models/"))}
        assert inputs <= made
        made |= set(outputs(stage))


def test_the_graph_is_plain_enough_to_be_read_without_dvc() -> None:
    text = (ROOT / "dvc.yaml").read_text()
    for word in ("${", "foreach", "matrix", "vars:", "wdir"):
        assert word not in text


def outputs(stage: str) -> list[str]:
    content = GRAPH[stage]
    entries = [*content.get("outs", []), *content.get("metrics", []), *content.get("plots", [])]
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]
