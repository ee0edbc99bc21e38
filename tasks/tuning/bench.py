"""A workspace of a study's own, where a stage runs with other parameters.

It sees the data and the base model of the workspace it was made in, and writes nothing there. The
stage is a process as `dvc repro` would start it; what it finds out on the way is read from a file.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tasks.stage.errors import BadInput, StageError
from tasks.stage.outputs import STATE, read_json, remove, write_json
from tasks.stage.tree import Tree
from tasks.tracking.lines import read_lines
from tasks.tuning.editing import changed, value_of
from tasks.tuning.space import Value

CODE = Path(__file__).parents[2]
LOOKS = Path("looks.jsonl")
BASE = Path("models/base.json")
SECONDS_BETWEEN_LOOKS = 0.2
NEEDED = {
    "finetune": ("data/approved.json", "data/dataset", "models/base.json"),
    "prune": ("data/dataset", "models/finetuned"),
}
FIXED = {"prune.max_levels": 1}
"""The first level of every trial is made from the same model, and takes the least time."""

Look = Callable[[float, float], bool]
"""Is told the share of a run that is over and the figure then; True gives the run up."""


class TrialFailedError(StageError):
    """The stage did not come to its end with these parameters."""


class OutOfTimeError(Exception):
    """The budget was over before the trial was."""


class GivenUpError(Exception):
    """The trial was not worth going on with."""


@dataclass
class Bench:
    """Runs `stage` in `folder`, after `finetune` when that has been given other parameters too."""

    stage: str
    folder: Path
    params: Mapping[str, Any]
    """The content of params.yaml."""
    keys: list[str]
    """What trials change."""
    here: Path = field(default_factory=Path.cwd)
    metric: str | None = None
    """What the task calls its figure; known once a trial has ended."""

    @property
    def stages(self) -> list[str]:
        """What a trial runs."""
        both = self.stage == "prune" and any(key.startswith("finetune.") for key in self.keys)
        return ["finetune", "prune"] if both else [self.stage]

    def inputs(self) -> list[Path]:
        """What it takes from the workspace; raises BadInput when something is not there."""
        wanted = [
            self.here / each
            for each in dict.fromkeys(need for stage in self.stages for need in NEEDED[stage])
            if not (each == "models/finetuned" and "finetune" in self.stages)
        ]
        for path in wanted:
            if not path.exists():
                shown = path.relative_to(self.here)
                raise BadInput(f"{shown} is missing: run `nightshift run validate` first")
        return wanted

    def run(self, values: Mapping[str, Value], look: Look, deadline: float, log: Path) -> float:
        """The figure on validation that some values give.

        Raises GivenUpError when `look` says so, OutOfTimeError at `deadline` (of time.monotonic):
        the stage's checkpoint then stays, and the same values go on from it; TrialFailedError.
        """
        self._lay_out(values)
        try:
            for stage in self.stages:
                remove(self.folder / LOOKS)
                watched = look if stage == self.stage else _nobody
                self._run(stage, values, watched, deadline, log)
        except (GivenUpError, TrialFailedError):
            self._forget()
            raise
        self._forget()
        return self._figure()

    def _lay_out(self, values: Mapping[str, Value]) -> None:
        (self.folder / STATE).mkdir(parents=True, exist_ok=True)
        (self.here / STATE / "cache").mkdir(parents=True, exist_ok=True)
        _link(self.here / STATE / "cache", self.folder / STATE / "cache")
        _link(self.here / "data", self.folder / "data")
        for path in self.inputs():
            if path.name == "finetuned":
                _link(path, self.folder / "models" / "finetuned")
        if "finetune" in self.stages:
            self._lay_out_base(values)
        content = changed(self.params, {**FIXED, **values})
        content["tracking"] = {"dvclive": False, "file": str(LOOKS)}
        text = yaml.safe_dump(content, sort_keys=False)
        (self.folder / "params.yaml").write_text(text, encoding="utf-8")

    def _lay_out_base(self, values: Mapping[str, Value]) -> None:
        """The pin of the base model, its folder found from the study's workspace, too."""
        base = read_json(self.here / BASE)
        if "finetune.model" in values:
            from tasks.sources.pretrained import pin_model

            base = pin_model(str(values["finetune.model"]))
        if (self.here / base["model"]).exists():
            base["model"] = str((self.here / base["model"]).absolute())
        target = self.folder / BASE
        target.parent.mkdir(parents=True, exist_ok=True)
        write_json(target.absolute(), base)

    def _run(
        self, stage: str, values: Mapping[str, Value], look: Look, deadline: float, log: Path
    ) -> None:
        epochs = float(value_of(self.params, f"{stage}.epochs") or 1)
        epochs = float(values.get(f"{stage}.epochs", epochs))
        path = os.pathsep.join(filter(None, (str(CODE), os.environ.get("PYTHONPATH"))))
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "ab") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", f"tasks.{stage}"],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": path},
                start_new_session=True,  # Ctrl-C is for the study, which ends it
            )
        with Tree(process.pid):
            read = 0
            while True:
                code = process.poll()
                found, read = read_lines(self.folder / LOOKS, read)
                for each in found:
                    if each["kind"] == "evaluation" and code is None:
                        share = float(each["epoch"]) / epochs
                        if look(share, float(each["figure"])) and share < 1:
                            raise GivenUpError
                if code is not None:
                    break
                if time.monotonic() > deadline:
                    raise OutOfTimeError
                time.sleep(SECONDS_BETWEEN_LOOKS)
        if code != 0:
            raise TrialFailedError(self._reason(stage, log))

    def _figure(self) -> float:
        report = read_json(self.folder / "reports" / f"{self.stage}.json")
        self.metric = report.get("metric", self.metric)
        if self.stage == "prune":
            if not report["levels"]:
                raise TrialFailedError(f"prune made no level: {report.get('passed_through')}")
            return float(report["levels"][0]["figure"])
        return max(float(each["figure"]) for each in report["evaluations"])

    def _reason(self, stage: str, log: Path) -> str:
        """Why a stage ended, from its report, or the last line that it left."""
        try:
            report = read_json(self.folder / "reports" / f"{stage}.json")
        except (OSError, ValueError):
            report = {}
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "it left no word")
        why = report.get("reason") if report.get("status") != "ok" else None
        return " ".join(str(why or last).split())

    def _forget(self) -> None:
        remove(self.folder / STATE / "checkpoints")

    def clear_models(self) -> None:
        """Remove what the last trial made, which nobody needs; links go, and logs stay."""
        for name in ("models", "data", "reports"):
            remove(self.folder / name)


def _link(target: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.is_symlink():
        remove(place)
        place.symlink_to(target.absolute(), target_is_directory=True)


def _nobody(_share: float, _figure: float) -> bool:
    return False
