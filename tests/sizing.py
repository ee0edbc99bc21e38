"""What one model's night takes, by rows and parameters: `python -m tests.sizing`.

Seconds of a task = what it takes with next to nothing to do (measured: tests/fleet/measured.json)
+ floating-point operations of its work / operations a second (measured on two cores, see `Host`)
+ bytes that its worker moves / bytes a second. Everything that is no measurement says so.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from rich.console import Console
from rich.table import Table

from tasks.handover.graph import read_graph
from tasks.handover.resources import read_table
from tasks.training.footprint import Shape, activation_bytes, state_bytes
from tests.fleet.measured import Both
from tests.fleet.night import DAG
from tests.made import ROOT

ENCODERS = {
    "22 M": Shape(22_700_000, 6, 384, 12),  # MiniLM-L6: the sample
    "110 M": Shape(109_500_000, 12, 768, 12),  # BERT-base
    "350 M": Shape(335_000_000, 24, 1024, 16),  # BERT-large
    "1.3 B": Shape(1_300_000_000, 24, 2048, 32),
}
ROWS = (10_000, 100_000, 1_000_000, 10_000_000)

# Measured, on the two cores of docs/training.md and README.md (AMD EPYC, bf16, others quiet).
CORES = 2
EXAMPLES_A_SECOND = 135.0
"""Trained, of the sample: mean of three seeds (`python -m tests.training_speed compare`), in an
hour in which bf16 products ran at 410 GFLOP/s; 259 in one in which they ran at 900."""
SAMPLE_ROWS, SAMPLE_TOKENS = 10_566, 26.9
"""The sample's rows, and its tokens a text with MiniLM's own tokenizer."""
SAMPLE_SECONDS = {"finetune": 127.0, "prune": 506.0, "benchmark": 124.0}
"""What these took in the run of README.md, held against the formulae by a test: at the pace of the
hour in which the examples above were counted and `finetune` took so long; there it took 78."""
ROW_SECONDS = (47.0 - 26.0) / 900_000
"""Of a row more, in snapshot, ingest and validate (`python -m tests.scale`)."""
SCORING = 6.8
"""Forward passes of the fine-tuned model that scoring a held-out text with every contender comes
to: 10.3 ms a text over all rates of that run, of 1.51 ms each at training's pace in it."""
TIMING = 9.3
"""The same for one text at a time: 14.1 ms over all latencies of that run."""
INT8 = 2.6
"""Times training's operations a second that an int8 model makes: 1,736 texts/s in that run."""
EXPORT_SECONDS = 31.1 / 86.8e6
"""Of a parameter more in each exported model: exporting, fusing twice (which took a pass of its own
then), quantising one of 110 M beside one of 22 M (random weights, two cores)."""
BYTES_A_TOKEN = 4.15
"""Characters of the sample by its tokens."""

# Stated, not measured.
EFFICIENCY = 0.8
"""Of more than two cores, and of more than one device."""
GPU_PEAK, GPU_SHARE, GPU_MEMORY = 312e12, 0.3, 80 * 2**30
"""An A100's dense bf16 operations a second; what a small encoder gets of them; its bytes."""
BYTES_A_SECOND = 100e6
"""Between a worker and the store, both ways."""
TOKENS, LONGEST = 64, 128
"""Of a text in the mean, and at most (`finetune.max_length`)."""
HELD_OUT = 20_000
"""Texts to choose by, and to report on, at most: `ingest.validation` and `test` set so."""
ROW_BYTES = 60
"""Of a row beside its text."""

# As `params.yaml` has it.
EPOCHS, BATCH, SPLIT = 2, 32, 0.1
COPIES, MOST_TAUGHT_TOKENS = 2, 3_000_000
TIMED_TEXTS = 5 * 200
LEVELS = (0.83, 0.35)
"""Share of the numbers in the layers that the levels have: of the sample's family, both kept."""
TRIED = 5 * 0.05
"""Recoveries of the second level that its choices of layers are tried by (`prune.trial`)."""
MODELS_JUDGED = 3
"""Candidate, production, the best ever."""
HOURS_OF_TRAINING = 8.0
"""What finetune and prune together may take where GPUs are counted."""
HOURS_OF_A_RUN = 23.0


@dataclass(frozen=True)
class Host:
    """What trains: operations a second, and devices (0: cores alone)."""

    flops: float
    devices: int = 0


@dataclass(frozen=True)
class Size:
    """A model's rows and encoder, and the tokens of a text in the mean."""

    rows: int
    shape: Shape
    tokens: float = TOKENS
    unlabelled: int = 0
    """Texts without labels."""

    @property
    def held_out(self) -> int:
        """Texts of validation, and as many of test."""
        return min(round(SPLIT * self.rows), HELD_OUT)

    @property
    def train(self) -> int:
        """Texts that are learnt from."""
        return self.rows - 2 * self.held_out

    @property
    def forward(self) -> float:
        """Operations of a text's forward pass: 24·L·h²·s of the matrices, 4·L·h·s² of attention."""
        layers, hidden, tokens = self.shape.layers, self.shape.hidden, self.tokens
        return layers * (24 * hidden**2 * tokens + 4 * hidden * tokens**2)

    def parameters(self, share: float = 1.0) -> float:
        """Of the model with that share of its layers."""
        encoder = 12 * self.shape.layers * self.shape.hidden**2
        return self.shape.parameters - (1 - share) * encoder


def flops(cores: int) -> float:
    """Operations a second of so many cores, from the sample's training on two."""
    sample = Size(SAMPLE_ROWS, ENCODERS["22 M"], SAMPLE_TOKENS)
    measured = 3 * sample.forward * EXAMPLES_A_SECOND
    return measured * cores / CORES * (EFFICIENCY if cores > CORES else 1.0)


def gpus(count: int) -> Host:
    """So many devices."""
    return Host(GPU_PEAK * GPU_SHARE * count * (EFFICIENCY if count > 1 else 1.0), count)


def work(size: Size) -> dict[str, float]:
    """Operations of each task that computes; benchmark and gate on cores, the others anywhere."""
    forward, train, held = size.forward, size.train, size.held_out
    room = max(0.0, MOST_TAUGHT_TOKENS / size.tokens - train)
    more = min(COPIES * train + size.unlabelled, room)
    learnt = 3 * (sum(LEVELS) + TRIED * LEVELS[1]) + 1  # the teacher once
    return {
        "finetune": EPOCHS * (3 * train + held) * forward,
        "prune": (train + more) * learnt * forward,
        "benchmark": (2 * held * SCORING + TIMED_TEXTS * TIMING) * forward,
        "gate": MODELS_JUDGED * held * forward / INT8,
    }


def family(size: Size) -> list[float]:
    """Parameters of the fine-tuned model and of each level that is kept."""
    return [size.parameters(share) for share in (1.0, *LEVELS)]


def sizes(size: Size) -> dict[str, float]:
    """Bytes of each output that is not small, by its path in `dvc.yaml`."""
    row = size.tokens * BYTES_A_TOKEN + ROW_BYTES
    models = family(size)
    return {
        "data/dataset/train.parquet": size.train * row,
        "data/dataset/validation.parquet": size.held_out * row,
        "data/dataset/test.parquet": size.held_out * row,
        "models/finetuned": 4 * models[0],
        "models/pruned": 4 * sum(models[1:]),
        "models/onnx": (4 + 1) * sum(models),
        "models/release": models[1],
    }


def stored(size: Size) -> float:
    """Bytes that a night leaves in the store: all outputs are new where the data are; the release
    is one of `models/onnx` by content, and once more in `registry/`."""
    return sum(sizes(size).values())


def moved(size: Size) -> dict[str, float]:
    """Bytes by task: a stage fetches its inputs and sends its outputs, what follows the release."""
    found, graph = sizes(size), read_graph(ROOT)
    after = dict.fromkeys(("gate", "publish", "announce"), found["models/release"])
    return {
        name: sum(found.get(path, 0.0) for path in (*graph.inputs(name), *stage.outs))
        for name, stage in graph.stages.items()
    } | after


@cache
def with_nothing_to_do() -> Mapping[str, float]:
    """Seconds of each task of the tiny model that ran alone."""
    return {task: taken[0] for task, taken in Both.read().alone.durations().items()}


def seconds(size: Size, training: Host | None = None) -> dict[str, float]:
    """Of each task. Those of the queue `train` run on `training` (by default on the cores that
    `infra/resources.yaml` gives them), the others on theirs."""
    places = read_table(ROOT).dags[DAG]
    operations, bytes_moved = work(size), moved(size)
    found = {}
    for task, least in with_nothing_to_do().items():
        mine = training.flops if training and places[task].queue == "train" else None
        rate = mine or flops(places[task].cpu)
        found[task] = least + operations.get(task, 0) / rate
        found[task] += bytes_moved.get(task, 0) / BYTES_A_SECOND
    found["validate"] += ROW_SECONDS * size.rows
    found["export"] += EXPORT_SECONDS * sum(family(size))
    return found


def training_seconds(size: Size, host: Host | None = None) -> float:
    """Of finetune and prune."""
    found = seconds(size, host)
    return found["finetune"] + found["prune"]


def devices_needed(size: Size) -> int:
    """The least number of GPUs, of 1, 2, 4, …, on which training ends in HOURS_OF_TRAINING and its
    state fits."""
    count = 1
    while (
        training_seconds(size, gpus(count)) > 3600 * HOURS_OF_TRAINING
        or state(size) / count > 0.8 * GPU_MEMORY
    ):
        count *= 2
    return count


def state(size: Size) -> float:
    """Bytes of weights, gradients and Adam's moments under mixed precision."""
    return state_bytes(size.shape.parameters, "bf16")


def memory(size: Size) -> float:
    """Bytes that training wants for whole batches: state, and activations of BATCH longest texts.
    Less is enough: the micro-batch gets smaller (docs/training.md)."""
    return state(size) + activation_bytes(size.shape, BATCH, LONGEST, "bf16", "sdpa")


HEAD = ("rows", "encoder", "hours on cores", "GPUs", "hours with them", "memory", "a night stores",
        "moves")  # fmt: skip


def lines() -> list[list[str]]:
    """The table's cells, a list a row."""
    found = []
    for rows in ROWS:
        for name, shape in ENCODERS.items():
            size = Size(rows, shape)
            cores = sum(seconds(size).values()) / 3600
            count = devices_needed(size)
            fast = sum(seconds(size, gpus(count)).values()) / 3600
            found.append([
                f"{rows:,}", name, hours(cores), str(count), hours(fast),
                f"{memory(size) / 2**30:.0f} GiB", volume(stored(size)),
                volume(sum(moved(size).values())),
            ])  # fmt: skip
    return found


def hours(value: float) -> str:
    """Two digits; what no night can hold is said to be too long."""
    if value > HOURS_OF_A_RUN:
        return f"too long ({value:,.0f})"
    return f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def volume(size: float) -> str:
    """Two digits, in MB or GB of 10⁶ and 10⁹ bytes."""
    unit, divisor = ("GB", 1e9) if size >= 1e9 else ("MB", 1e6)
    value = size / divisor
    return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"


def markdown() -> str:
    """The table as docs/installation.md has it."""
    body = [HEAD, ["---"] * len(HEAD), *lines()]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in body)


def main() -> int:
    """Print it; `--markdown` for the docs."""
    if "--markdown" in sys.argv[1:]:
        print(markdown())
        return 0
    table = Table(*HEAD, box=None)
    for cells in lines():
        table.add_row(*cells)
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
