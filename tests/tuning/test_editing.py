"""Setting a parameter changes its own place in params.yaml, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.stage.errors import BadInput
from tasks.tuning.editing import edited, write_params

ROOT = Path(__file__).parents[2]

FILE = """\
# about everything
finetune:
  learning_rate: 1.0e-4     # after the warm-up
  loss: {focal: 0.0, label_smoothing: 0.0}  # bent
  adapter: lora

  # about the end
prune:
"""


@pytest.mark.parametrize(
    ("key", "value", "old", "new"),
    [
        (
            "finetune.learning_rate", 2.1e-05,
            "  learning_rate: 1.0e-4     # after", "  learning_rate: 2.1e-05    # after",
        ),
        ("finetune.loss.focal", 2.0, "{focal: 0.0, label", "{focal: 2.0, label"),
        ("finetune.loss.new", None, "smoothing: 0.0}", "smoothing: 0.0, new: null}"),
        ("finetune.adapter", {"method": "ia3"}, "adapter: lora", "adapter: {method: ia3}"),
        ("finetune.adapter.rank", 4, "adapter: lora", "adapter: {method: lora, rank: 4}"),
        ("finetune.ema", 0.999, "adapter: lora\n", "adapter: lora\n  ema: 0.999\n"),
        ("prune.batch", 16, "prune:", "prune: {batch: 16}"),
        ("gate.rounds", 5, "prune:\n", "prune:\ngate: {rounds: 5}\n"),
    ],
)  # fmt: skip
def test_one_place_changes(key: str, value: Any, old: str, new: str) -> None:
    assert FILE.count(old) == 1
    assert edited(FILE, {key: value}) == FILE.replace(old, new)


def test_the_first_and_the_last_knob_of_every_section_can_be_set() -> None:
    text = (ROOT / "params.yaml").read_text()
    for section, knobs in yaml.safe_load(text).items():
        for knob in (next(iter(knobs)), next(reversed(knobs))):
            changed = edited(text, {f"{section}.{knob}": 987})
            assert (
                sum(a != b for a, b in zip(text.split("\n"), changed.split("\n"), strict=True)) == 1
            )


def test_what_is_written_over_several_lines_is_left_alone(workspace: Path) -> None:
    path = Path("params.yaml")
    path.write_text("finetune:\n  adapter:\n    method: lora\n")
    with pytest.raises(BadInput, match="adapter is written over several"):
        write_params({"finetune.adapter": "ia3"})
    write_params({"finetune.adapter.rank": 4})
    assert path.read_text() == "finetune:\n  adapter:\n    method: lora\n    rank: 4\n"
