"""A project of three stages that take a second each: real DVC, real stages, little to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from tests.made import ROOT, environment

GRAPH = """
stages:
  snapshot:
    cmd: python -m tasks.look
    always_changed: true
    deps: [tasks/look.py]
    params: [ingest.source]
    outs: [data/snapshot.json, reports/snapshot.json]
  ingest:
    cmd: python -m tasks.shout
    deps: [tasks/shout.py, data/snapshot.json]
    params: [ingest]
    outs: [data/rows.txt, reports/docs, reports/ingest.json]
  finetune:
    cmd: python -m tasks.learn
    deps: [tasks/learn.py, data/rows.txt]
    params: [finetune]
    outs: [models/model, reports/finetune.json]
"""

LOOK = """
from pathlib import Path
from tasks.params.ingest import Ingest
from tasks.stage.outputs import write_json
from tasks.stage.run import run_stage

def look(params):
    write_json("data/snapshot.json", {"text": Path(params.source).read_text()})
    return {"metrics": {}}

run_stage("snapshot", Ingest, look)
"""

SHOUT = """
from pathlib import Path
from tasks.params.ingest import Ingest
from tasks.stage.outputs import read_json, whole
from tasks.stage.run import run_stage

def shout(params):
    with whole("data/rows.txt") as draft:
        draft.write_text(params.salt + " " + read_json("data/snapshot.json")["text"].upper())
    with whole("reports/docs") as draft:
        draft.mkdir()
        (draft / "index.html").write_text("what was expected of the rows")
    return {"metrics": {}}

run_stage("ingest", Ingest, shout)
"""

LEARN = """
import os, signal, time
from pathlib import Path
from tasks.params.finetune import Finetune
from tasks.stage.errors import BadInput, Unavailable
from tasks.stage.outputs import whole
from tasks.stage.run import run_stage

STATE = Path(".nightshift/checkpoints/finetune-abc/state.pt")

def learn(params):
    if params.seed == 1:
        raise BadInput("rows.txt: row 7: no label")
    if params.seed == 2:
        raise Unavailable("the bucket is away")
    if params.seed == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    began = step = int(STATE.read_text()) if STATE.exists() else 0
    while step < params.epochs:
        step += 1
        with whole(STATE) as draft:
            draft.write_text(str(step))
        print(f"step {step}, began at {began}", flush=True)
        time.sleep(0.3)
    rows = Path("data/rows.txt").read_text()
    with whole("models/model") as draft:
        draft.mkdir()
        (draft / "weights").write_text(f"{rows} after {params.epochs}")
        (draft / "vocabulary").write_text(rows)
    return {"metrics": {"began": began}}

run_stage("finetune", Finetune, learn)
"""


def make_project(folder: Path, source: Path) -> Path:
    """The project in `folder`, reading the file `source`."""
    (folder / "tasks").mkdir(parents=True)
    (folder / "dvc.yaml").write_text(GRAPH)
    for name, code in {"look": LOOK, "shout": SHOUT, "learn": LEARN}.items():
        (folder / "tasks" / f"{name}.py").write_text(code)
    for name in ("requirements.lock", "expectations.yaml", "pyproject.toml", ".dvcignore"):
        shutil.copy(ROOT / name, folder / name)
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["ingest"]["source"] = str(source)
    params["finetune"]["epochs"] = 1
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    return folder


class Worker:
    """A machine: its own cache and scratch folder; it shares only the store with others."""

    def __init__(self, home: Path, store: str, project: Path) -> None:
        self.home, self.store, self.project = home, store, project
        self.more: dict[str, str] = {}
        home.mkdir(parents=True, exist_ok=True)

    @property
    def environment(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return environment(
            PATH=path,
            NIGHTSHIFT_STORE=self.store,
            NIGHTSHIFT_CACHE=str(self.home / "cache"),
            **self.more,
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "tasks.cli", *arguments],
            cwd=self.project,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __call__(self, *arguments: str, code: int = 0) -> str:
        """Run `nightshift ARGUMENTS`; what it printed."""
        process = self.start(*arguments)
        output, _ = process.communicate()
        assert process.returncode == code, output
        return output
