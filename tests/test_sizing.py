"""The table of docs/installation.md: its formulae beside what was measured, and its figures."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.made import ROOT
from tests.sizing import (
    ENCODERS,
    GPU_MEMORY,
    HOURS_OF_TRAINING,
    SAMPLE_ROWS,
    SAMPLE_SECONDS,
    SAMPLE_TOKENS,
    Size,
    devices_needed,
    flops,
    gpus,
    markdown,
    memory,
    moved,
    seconds,
    sizes,
    state,
    stored,
    training_seconds,
    work,
)

SAMPLE = Size(SAMPLE_ROWS, ENCODERS["22 M"], SAMPLE_TOKENS, unlabelled=13_098)
START_SECONDS = {"finetune": 10.0, "prune": 10.0, "benchmark": 50.0}
"""About what these take to start on two cores: the benchmark starts a process a contender."""


@pytest.mark.parametrize("task", list(SAMPLE_SECONDS))
def test_the_formulae_give_the_seconds_of_the_run_in_the_readme(task: str) -> None:
    reckoned = work(SAMPLE)[task] / flops(2) + START_SECONDS[task]
    assert reckoned == pytest.approx(SAMPLE_SECONDS[task], rel=0.15)


def test_a_forward_pass_is_twice_the_weights_a_token_and_the_attention() -> None:
    """BERT-base's layers have 84.9 million weights in matrices; one text of 100 tokens."""
    base = Size(1000, ENCODERS["110 M"], 100)
    attention = 12 * 4 * 768 * 100**2
    assert base.forward == pytest.approx(2 * 84.9e6 * 100 + attention, rel=0.001)


def test_weights_have_the_megabytes_of_the_readme() -> None:
    assert sizes(SAMPLE)["models/finetuned"] == pytest.approx(90.9e6, rel=0.01)
    assert sizes(SAMPLE)["models/release"] == pytest.approx(21.2e6, rel=0.02)


def test_what_a_stage_fetches_is_what_dvc_yaml_says_that_it_reads() -> None:
    found, bytes_of = moved(SAMPLE), sizes(SAMPLE)
    assert found["snapshot"] == 0
    dataset = sum(size for path, size in bytes_of.items() if path.startswith("data/dataset/"))
    assert found["ingest"] == pytest.approx(dataset)
    assert found["validate"] == pytest.approx(dataset)
    models = bytes_of["models/finetuned"] + bytes_of["models/pruned"] + bytes_of["models/onnx"]
    assert models < found["export"] < models + dataset
    assert found["gate"] == bytes_of["models/release"]


def test_more_rows_and_larger_encoders_take_more_of_everything() -> None:
    by_rows = [Size(rows, ENCODERS["110 M"]) for rows in (10_000, 100_000, 1_000_000)]
    by_encoder = [Size(100_000, shape) for shape in ENCODERS.values()]
    for row in (by_rows, by_encoder):
        for figure in (training_seconds, stored, lambda size: sum(seconds(size).values())):
            found = [figure(size) for size in row]
            assert found == sorted(found)
            assert found[0] < found[-1]
    assert [memory(size) for size in by_encoder] == sorted(memory(size) for size in by_encoder)


def test_twice_the_epochs_worth_of_tokens_is_twice_the_work_but_for_attention() -> None:
    once = Size(100_000, ENCODERS["350 M"], 32)
    twice = replace(once, tokens=64)
    assert work(twice)["finetune"] / work(once)["finetune"] == pytest.approx(2, rel=0.02)


def test_a_held_out_share_never_grows_beyond_what_is_scored() -> None:
    small, large = Size(10_000, ENCODERS["22 M"]), Size(10_000_000, ENCODERS["22 M"])
    assert (small.held_out, small.train) == (1_000, 8_000)
    assert (large.held_out, large.train) == (20_000, 9_960_000)


def test_gpus_are_as_many_as_end_in_time_and_hold_the_state() -> None:
    for shape in ENCODERS.values():
        size = Size(10_000_000, shape)
        count = devices_needed(size)
        assert training_seconds(size, gpus(count)) <= 3600 * HOURS_OF_TRAINING
        assert state(size) / count < GPU_MEMORY
        if count > 1:
            half = gpus(count // 2)
            assert training_seconds(size, half) > 3600 * HOURS_OF_TRAINING


def test_the_table_of_the_docs_is_the_one_that_is_printed() -> None:
    assert markdown() in (ROOT / "docs" / "installation.md").read_text(encoding="utf-8")
