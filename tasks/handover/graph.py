"""The graph, from `dvc.yaml` by reading YAML: what comes after what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tasks.stage.errors import BadInput

FILE = Path("dvc.yaml")


@dataclass(frozen=True)
class Stage:
    """A stage as `dvc.yaml` has it; paths are relative to the project."""

    name: str
    description: str
    command: str
    deps: tuple[str, ...]
    outs: tuple[str, ...]


@dataclass(frozen=True)
class Graph:
    """Every stage by its name, in the order of the file."""

    stages: dict[str, Stage]

    def stage(self, name: str) -> Stage:
        """The stage; raises BadInput naming those there are."""
        if name not in self.stages:
            raise BadInput(f"{FILE} has no stage {name!r}; it has {', '.join(self.stages)}")
        return self.stages[name]

    def producer(self, path: str) -> str | None:
        """The stage that makes `path` (or the folder that it lies in), None for a source file."""
        for stage in self.stages.values():
            if any(path == out or path.startswith(f"{out}/") for out in stage.outs):
                return stage.name
        return None

    def before(self, name: str) -> list[str]:
        """The stages whose outputs `name` reads, in the order of the file."""
        found = {self.producer(dep) for dep in self.stage(name).deps}
        return [stage for stage in self.stages if stage in found]

    def edges(self) -> set[tuple[str, str]]:
        """Every (stage, stage that reads its outputs)."""
        return {(one, other) for other in self.stages for one in self.before(other)}

    def inputs(self, name: str) -> list[str]:
        """What a stage reads of other stages' outputs."""
        return [dep for dep in self.stage(name).deps if self.producer(dep)]


def read_graph(folder: Path = Path(".")) -> Graph:
    """The graph of the project in `folder`; raises BadInput when there is none."""
    path = folder / FILE
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))["stages"]
    except FileNotFoundError:
        raise BadInput(f"{path} is missing: this is not a nightshift project") from None
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise BadInput(f"{path} has no stages: {' '.join(str(error).split())}") from None
    return Graph({name: _stage(name, stage) for name, stage in content.items()})


def _stage(name: str, content: dict[str, Any]) -> Stage:
    outs = [*content.get("outs", []), *content.get("metrics", []), *content.get("plots", [])]
    deps = _paths(content.get("deps", []))
    return Stage(name, content.get("desc", ""), content.get("cmd", ""), deps, _paths(outs))


def _paths(entries: Iterable[Any]) -> tuple[str, ...]:
    """An entry is a path, or a path with settings below it."""
    return tuple(entry if isinstance(entry, str) else next(iter(entry)) for entry in entries)
