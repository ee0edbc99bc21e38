"""A space is held against the schema before anything runs; what is wrong is one clear line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tasks.stage.errors import BadInput
from tasks.tuning.space import Choice, Range
from tasks.tuning.wishes import read_space


def test_ranges_and_choices() -> None:
    wishes = [
        "finetune.learning_rate=1e-5..5e-4:log",
        "finetune.epochs=1..4",
        "finetune.dropout=null,1e-1,0.2",
        "finetune.precision=bf16,fp32",
    ]
    assert read_space(wishes, "finetune", {}).dimensions == (
        Range("finetune.learning_rate", 1e-5, 5e-4, log=True),
        Range("finetune.epochs", 1, 4, whole=True),
        Choice("finetune.dropout", (None, 0.1, 0.2)),
        Choice("finetune.precision", ("bf16", "fp32")),
    )


def test_a_file_holds_a_line_a_parameter_and_sections_as_choices(workspace: Path) -> None:
    Path("space.yaml").write_text(
        "finetune.warmup: 0..0.3\n"
        "finetune.adapter: [null, lora, {method: lora, rank: 16}]\n"
    )  # fmt: skip
    space = read_space(["space.yaml", "finetune.patience=1,2"], "finetune", {})
    assert space.describe() == {
        "finetune.warmup": "0.0..0.3",
        "finetune.adapter": 'null, "lora", {"method": "lora", "rank": 16}',
        "finetune.patience": "1, 2",
    }


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ("finetune.learning_rat=1e-5..1e-4", "finetune.learning_rat: unknown key; known are model"),
        ("finetune.dropout=0.0..1.5", "finetune.dropout: got 1.5; takes less than 1"),
        ("finetune.adapter=lora,prompt", "finetune.adapter.method: got 'prompt'; takes 'lora', "),
        ("finetune.epochs=1..2.5", "finetune.epochs: got 1..2.5; takes whole numbers"),
        ("finetune.ema=0.9..0.9", "finetune.ema: got 0.9..0.9; takes LOW < HIGH"),
        ("finetune.warmup=0..0.2:log", "finetune.warmup: got 0..0.2; takes 0 < LOW < HIGH"),
        ("finetune.warmup=0.1", "finetune.warmup: got [0.1]; takes two choices or more"),
        ("finetune.seed=1..9", "finetune.seed: can't be searched: another seed is luck"),
        ("ingest.salt=a,b", "ingest.salt: is not searched for the validation figure of finetune"),
        ("prune.batch=8,16", "prune.batch: is not searched for the validation figure of finetune"),
        ("finetune.warmup", "got 'finetune.warmup', and no such file; takes KEY=LOW..HIGH"),
    ],
)
def test_what_is_wrong_is_one_line(workspace: Path, wish: str, said: str) -> None:
    with pytest.raises(BadInput) as caught:
        read_space([wish], "finetune", {})
    assert str(caught.value).startswith(f"--space: {said}")
    assert "\n" not in str(caught.value)


def test_values_are_checked_beside_the_rest_of_the_parameters() -> None:
    params: dict[str, Any] = {"finetune": {"sharding": "fsdp"}}
    with pytest.raises(BadInput, match="sharding: got 'fsdp' with adalora"):
        read_space(["finetune.adapter=lora,adalora"], "finetune", params)
