"""Seven nights in a row, for whoever wants to see what nightshift does with them: `make week`.

    1  the first night            nothing to compare with: published
    2  more data, a config slip   a little worse, within what a night may lose: published
    3  no new data                nothing is computed, nothing published
    4  a spoilt delivery          stopped before a minute of training
    5  training gone wrong        refused
    6  another slip               within a night's allowance, but too far below the best: refused
       (the team sees what night 2 did to them, and rolls it back)
    7  night 2's settings again   the same model comes out, and is refused: it was revoked

Real films, real stages, a small encoder (two layers of the sample model) so that a night takes two
minutes. Everything lies below .nightshift/week; each night has its page there. Exit code 1 when a
night ends otherwise than told here.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from tasks.handover.package import FILES
from tasks.sources.package import cache_folder
from tasks.sources.samples import sample_folder
from tests.made import ROOT

HOME = ROOT / ".nightshift" / "week"
PROJECT, SOURCE, MODEL, STORE = (HOME / name for name in ("project", "source", "model", "store"))
LAYERS = (0, 1)
CODE = ("tasks", *FILES)
SETTINGS: dict[str, dict[str, Any]] = {
    "ingest": {"source": str(SOURCE)},
    "finetune": {"model": str(MODEL), "epochs": 1, "learning_rate": 3e-4},
    "prune": {"max_levels": 0},
    "export": {"fusion": "attention"},
    "benchmark": {"rounds": 2, "texts": 50, "max_drop": 2.0},
    # looser than one would have them, so that night 2 passes and the sum of slips is what refuses
    "gate": {"max_drop": 5.5, "max_total_drop": 6.0, "significance": 1e-5, "max_slice_drop": 40.0,
             "max_slowdown": None},
    "publish": {"name": "films"},
}  # fmt: skip
FIRST, MORE = 1, 10
"""Partitions of the sample that are there on the first night, and from the second on."""


@dataclass(frozen=True)
class Night:
    """What is different this night, and how it must end."""

    story: str
    expected: str
    changes: tuple[str, ...] = ()
    before: Callable[[], None] = lambda: None
    after: Callable[[], None] = lambda: None


@dataclass
class Outcome:
    """How a night ended."""

    number: int
    night: Night
    verdict: str
    version: str | None
    figure: float | None
    reason: str
    seconds: float
    page: Path


def main() -> int:
    """Run the week; the number of nights that ended otherwise than they must."""
    shutil.rmtree(HOME, ignore_errors=True)
    make_project()
    outcomes = []
    for number, night in enumerate(NIGHTS, start=1):
        print(f"\n━━━ night {number}: {night.story}\n", flush=True)
        night.before()
        outcomes.append(live_through(number, night))
        night.after()
    show(outcomes)
    return sum(outcome.verdict != outcome.night.expected for outcome in outcomes)


def make_project() -> None:
    """The code as it is here, parameters for a small model, the first night's data."""
    PROJECT.mkdir(parents=True)
    for name in CODE:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, PROJECT / name)
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    for section, values in SETTINGS.items():
        params[section].update(values)
    (PROJECT / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    make_model()
    deliver(FIRST)
    (HOME / "cache").mkdir()  # a cache of its own, so that every week is computed
    (HOME / "cache" / "samples").symlink_to(cache_folder() / "samples")


def make_model() -> None:
    """A small pre-trained encoder: the sample model's first layers."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    base = sample_folder("minilm")
    model: Any = AutoModel.from_pretrained(base)
    model.encoder.layer = torch.nn.ModuleList([model.encoder.layer[i] for i in LAYERS])
    model.config.num_hidden_layers = len(LAYERS)
    model.save_pretrained(MODEL)
    AutoTokenizer.from_pretrained(base).save_pretrained(MODEL)


def deliver(partitions: int) -> None:
    """New data come in: the sample's nights up to the given one."""
    for folder in sorted(sample_folder("reviews").glob("date=*"))[:partitions]:
        shutil.copytree(folder, SOURCE / folder.name, dirs_exist_ok=True)


def spoil() -> None:
    """Someone delivers a night with a class that nobody has heard of."""
    folder = SOURCE / "date=2026-02-01"
    folder.mkdir()
    rows = "".join(f"x{n},text number {n} of a strange kind,meh,0.1\n" for n in range(300))
    (folder / "reviews.csv").write_text("id,text,label,rating\n" + rows, encoding="utf-8")


def mend() -> None:
    """The spoilt delivery is taken away again."""
    shutil.rmtree(SOURCE / "date=2026-02-01")


def roll_back() -> None:
    """A person takes production back to the version before."""
    print("\n━━━ the team rolls back\n", flush=True)
    subprocess.run(
        [*NIGHTSHIFT, "rollback", "--reason", "slipped with its settings"],
        cwd=PROJECT, env=environment(), check=True,
    )  # fmt: skip


def live_through(number: int, night: Night) -> Outcome:
    """One night, through the command that cron would call."""
    run, result = f"night-{number}", HOME / f"night-{number}.json"
    sets = [word for change in night.changes for word in ("--set", change)]
    command = [*NIGHTSHIFT, "night", "--run", run, "--result", str(result), *sets]
    started = time.monotonic()
    subprocess.run(command, cwd=PROJECT, env=environment(), check=False)
    found = json.loads(result.read_text(encoding="utf-8"))
    folder = STORE / "runs" / run / "reports"
    reasons = found.get("reasons") or list(filter(None, [found.get("reason")]))
    return Outcome(
        number=number,
        night=night,
        verdict=found.get("verdict") or found["status"],
        version=found.get("version"),
        figure=figure(folder / "gate.json"),
        reason=reasons[0].splitlines()[0] if reasons else "",
        seconds=time.monotonic() - started,
        page=folder / "index.html",
    )


def figure(gate: Path) -> float | None:
    """The candidate's on that night's test split, 0 to 1, if the gate came to score it."""
    if not gate.is_file():
        return None
    found: float | None = json.loads(gate.read_text(encoding="utf-8"))["candidate"].get("figure")
    return found


def environment() -> dict[str, str]:
    """The project's own store and cache, its own code."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {
        **os.environ,
        "PATH": path,
        "PYTHONPATH": str(PROJECT),
        "NIGHTSHIFT_STORE": str(STORE),
        "NIGHTSHIFT_CACHE": str(HOME / "cache"),
    }


def show(outcomes: list[Outcome]) -> None:
    """The week in a table."""
    table = Table("night", "what happened", "outcome", "version", "test", "took", box=None)
    for each in outcomes:
        right = each.verdict == each.night.expected
        verdict = each.verdict if right else f"{each.verdict}, not {each.night.expected}"
        test = "" if each.figure is None else f"{100 * each.figure:.1f} %"
        table.add_row(
            str(each.number), each.night.story, verdict, each.version or "", test,
            f"{each.seconds:.0f} s",
        )  # fmt: skip
    console = Console(highlight=False)
    console.print("\n", table)
    for each in outcomes:
        console.print(f"night {each.number}: {each.reason or each.verdict}", soft_wrap=True)
        console.print(f"         {each.page.as_uri()}", soft_wrap=True)


NIGHTSHIFT = (sys.executable, "-m", "tasks.cli")
SLIP, FURTHER_SLIP = "finetune.max_length=16", "finetune.max_length=12"
NIGHTS = (
    Night("the first night", "blessed"),
    Night("more data, a slip in the settings", "blessed", (SLIP,), lambda: deliver(MORE)),
    Night("no new data", "nothing new", (SLIP,)),
    Night("a spoilt delivery", "stopped", (SLIP,), spoil, mend),
    Night("training gone wrong", "refused", ("finetune.learning_rate=1e-8",)),
    Night("another slip in the settings", "refused", (FURTHER_SLIP,), after=roll_back),
    Night("night 2's settings again", "refused", (SLIP,)),
)

if __name__ == "__main__":
    sys.exit(1 if main() else 0)
