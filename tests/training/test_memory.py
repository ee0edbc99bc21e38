from __future__ import annotations

from dataclasses import replace

import pytest

from tasks.params.finetune import Finetune
from tasks.training.footprint import Shape, activation_bytes, state_bytes
from tasks.training.memory import fitted, memory_of_a_rank, needed
from tasks.training.plan import Plan

BASE = Shape(parameters=110_000_000, layers=12, hidden=768, heads=12)
BF16 = Plan("cuda", "nccl", "bf16", "sdpa", processes=1, threads=1, why=("asked for",))
WANTED = Finetune(batch=64, max_length=512)
GIB = 1024**3


def test_a_batch_that_fits_is_taken_whole() -> None:
    plan = fitted(BF16, WANTED, BASE, 80 * GIB)
    assert plan.micro_batch is None
    assert not plan.gradient_checkpointing
    assert plan.why[-1] == "64 examples at once, 1 time(s) a step: all of a rank's share"


def test_short_memory_takes_smaller_bites_and_says_so() -> None:
    plan = fitted(BF16, WANTED, BASE, 10 * GIB)
    assert plan.micro_batch == 32
    assert not plan.gradient_checkpointing
    assert "32 examples at once, 2 time(s) a step: what fits into 80% of 10.0 GiB" in plan.why[-1]
    assert sum(needed(plan, WANTED, BASE)) < 0.8 * 10 * GIB
    assert sum(needed(replace(plan, micro_batch=64), WANTED, BASE)) > 0.8 * 10 * GIB


def test_shorter_memory_computes_activations_again() -> None:
    kept = activation_bytes(BASE, 4, 512, "bf16", "sdpa") + state_bytes(110_000_000, "bf16")
    memory = int(kept / 0.8) - GIB // 64
    plan = fitted(BF16, WANTED, BASE, memory)
    assert plan.gradient_checkpointing
    assert plan.micro_batch is not None
    assert plan.micro_batch >= 8, "without what was kept, more examples fit"
    assert "computed again, not kept: memory is short" in plan.why[-1]


@pytest.mark.parametrize("memory", [GIB // 4, 3 * GIB, 100 * GIB])
def test_what_a_person_asked_for_is_done(memory: int) -> None:
    asked = Finetune(batch=64, max_length=512, micro_batch=6, gradient_checkpointing="never")
    plan = fitted(BF16, asked, BASE, memory)
    assert plan.micro_batch == 6
    assert not plan.gradient_checkpointing
    assert "6 examples at once, 11 time(s) a step: asked for" in plan.why[-1]
    again = fitted(BF16, Finetune(gradient_checkpointing="always"), BASE, memory)
    assert again.gradient_checkpointing
    assert "not kept: asked for" in again.why[-1]


def test_with_a_micro_batch_asked_for_memory_still_decides_what_is_kept() -> None:
    asked = Finetune(batch=64, max_length=512, micro_batch=32)
    assert not fitted(BF16, asked, BASE, 10 * GIB).gradient_checkpointing
    short = fitted(BF16, asked, BASE, 5 * GIB)
    assert short.gradient_checkpointing
    assert short.micro_batch == 32


def test_ranks_share_the_batch() -> None:
    plan = fitted(replace(BF16, processes=4), WANTED, BASE, 10 * GIB)
    assert plan.micro_batch is None
    assert "16 examples at once" in plan.why[-1]


def test_of_a_model_that_is_not_known_the_whole_share_is_tried() -> None:
    assert fitted(BF16, WANTED, None, GIB).micro_batch is None


def test_nothing_fits_and_one_example_is_tried() -> None:
    assert fitted(BF16, WANTED, BASE, GIB // 2).micro_batch == 1


def test_processes_of_one_machine_share_its_memory() -> None:
    one = replace(BF16, device="cpu")
    assert memory_of_a_rank(replace(one, processes=2)) == memory_of_a_rank(one) // 2
