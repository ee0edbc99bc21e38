"""The release beside what its peers make of the same fine-tuned model: one run, one table.

    .venv/bin/python -m tests.peers

Takes what the last run of a project left in `models` and `data`. Each peer works in an environment
of its own, made below .nightshift/peers from a list of pinned versions (tests/peers/*.lock), and is
measured twice: through its own front end, and ("through us") as a file that nightshift's tokenising
and batching are put around. Same texts, same threads, interleaved rounds; the accuracy is that of
the whole test split.

Optimum's and Olive's run on ONNX Runtime, with int8 made at run time; NNCF's on OpenVINO, with int8
calibrated on texts of the training split. Olive has no front end of its own for a classifier.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass, replace
from pathlib import Path

import typer
from tokenizers import Tokenizer

from tasks.benchmark import make_rows
from tasks.data.dataset import read_examples
from tasks.inference.release import MODEL, TOKENIZER, Release, Session
from tasks.measuring.contender import Contender
from tasks.measuring.frontier import Row, table
from tasks.measuring.session import Plan, measure
from tasks.stage.outputs import sha256, whole
from tests.made import ROOT
from tests.peers.foreign import Foreign

FOLDER = ROOT / ".nightshift" / "peers"
CALIBRATION = 300
"""Training texts that a peer may look at; what NNCF's own documentation takes."""
app = typer.Typer(help=__doc__, add_completion=False)


@dataclass(frozen=True)
class Peer:
    """One that compresses: its script `tests/peers/NAME.py`, run in the environment `lock`."""

    name: str
    lock: str
    title: str
    front: str | None
    """The class of tests/peers/foreign.py that is its own way to serve; None where it has none."""


PEERS = (
    Peer("optimum", "optimum", "Optimum int8", "Optimum"),
    Peer("nncf", "intel", "NNCF int8", "OpenVino"),
    Peer("olive", "optimum", "Olive int8", None),
)


@app.command()
def beside(
    project: Path = ROOT, rounds: int = 5, texts: int = 200, batch: int = 32, threads: int = 2,
    seed: int = 17,
) -> None:  # fmt: skip
    """Convert, measure, print."""
    finetuned, release = project / "models" / "finetuned", project / "models" / "release"
    card = Release.read(release)
    task, data = card.answers, project / "data" / "dataset"
    train, validation, test = (
        read_examples(name, data) for name in ("train", "validation", "test")
    )
    contenders = [
        Contender.baseline(finetuned, threads, task, card.stride),
        Contender("nightshift", "release", release, threads),
    ]
    for peer in PEERS:
        made = converted(peer, finetuned, [str(text) for text in train.texts[:CALIBRATION]])
        contenders += served(peer, made, project, threads)
    plan = Plan(rounds, texts, batch, seed)
    found, others = measure(contenders, validation.texts, test.texts, plan, "peers")
    truths = [task.truths(each.labels, each.tasks) for each in (validation, test)]
    rows = make_rows(task, found, truths[0], truths[1], seed)
    for each in found:
        told = ", ".join(f"{key} {value}" for key, value in each.environment.items())
        print(f"{each.contender.name}: {told}")
    print(table(rows, task, "nightshift"))
    print(f"other programs took {100 * others:.0f} % of the cores")
    print_ratios(rows)


def converted(peer: Peer, finetuned: Path, texts: list[str]) -> Path:
    """What a peer makes of a fine-tuned model, made again when the model is another."""
    key = sha256(finetuned / "model.safetensors")[:12]
    target = FOLDER / "models" / f"{peer.name}-{key}"
    if not target.is_dir():
        print(f"peers: {peer.title}: converting", flush=True)
        python = environment(peer.lock)
        with whole(target) as draft:
            draft.mkdir(parents=True)
            given = draft / "calibration.json"
            given.write_text(json.dumps(texts), encoding="utf-8")
            command = [python, "-m", f"tests.peers.{peer.name}", finetuned, given, draft]
            surroundings = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
            subprocess.run([*map(str, command)], check=True, env=surroundings)
    return target


def environment(name: str) -> Path:
    """The interpreter of an environment with the versions of a lock file, made when missing."""
    lock = ROOT / "tests" / "peers" / f"{name}.lock"
    folder = FOLDER / "environments" / f"{name}-{sha256(lock)[:12]}"
    python = folder / "bin" / "python"
    done = folder / "complete"
    if not done.is_file():
        print(f"peers: making an environment from {lock.name}", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        command = [python, "-m", "pip", "install", "--quiet", "--no-deps", "-r", lock]
        subprocess.run([*map(str, command)], check=True)
        done.touch()
    return python


def served(peer: Peer, made: Path, project: Path, threads: int) -> list[Contender]:
    """A peer's model through its own front end, and through ours."""
    python = str(environment(peer.lock))
    found: list[Contender] = []
    if peer.front is not None:
        found.append(Foreign(peer.title, "baseline", made, threads, python=python, way=peer.front))
    ours = f"{peer.title}, through us"
    if peer.name == "nncf":
        variant = project / "models" / "onnx" / "finetuned-int8"
        tokenizer = Tokenizer.from_file(str(variant / TOKENIZER))
        tokenizer.enable_truncation(Release.read(variant).max_length)
        tokenizer.save(str(made / "ours.json"))
        found.append(Foreign(ours, "baseline", made, threads, python=python, way="OurOpenVino"))
    else:
        found.append(Contender(ours, "release", as_release(made, project), threads))
    return found


def as_release(made: Path, project: Path) -> Path:
    """A peer's ONNX file as a folder that our Predictor serves, the session as ONNX Runtime has it
    unless it is told otherwise."""
    import onnx

    folder = made.with_name(f"{made.name}-release")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    variant = project / "models" / "onnx" / "finetuned-int8"
    shutil.copyfile(variant / TOKENIZER, folder / TOKENIZER)
    (source,) = made.glob("*.onnx")
    model = onnx.load(source)
    onnx.save(model, folder / MODEL)
    inputs = tuple(each.name for each in model.graph.input)
    card = Release.read(variant)
    replace(card, inputs=inputs, session=Session(), files={}).write(folder)
    return folder


def print_ratios(rows: list[Row]) -> None:
    """Of the latency and the throughput, against the best peer at each."""
    ours, peers = rows[1], rows[2:]
    quickest = min(peers, key=lambda row: row.speed.latency.mean)
    busiest = max(peers, key=lambda row: row.speed.throughput)
    best = max(peers, key=lambda row: row.test.figure)
    print(
        f"PROOF peers: latency {ours.speed.latency.mean / quickest.speed.latency.mean:.2f} of that "
        f"of {quickest.name}; throughput {ours.speed.throughput / busiest.speed.throughput:.2f} "
        f"times that of {busiest.name}; {100 * (best.test.figure - ours.test.figure):+.2f} points "
        f"on test below {best.name}"
    )


if __name__ == "__main__":
    sys.exit(app())
