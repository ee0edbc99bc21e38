"""Several ranks, on one machine, over Gloo."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from tasks.stage.errors import BadInput, StageError
from tasks.training.adversarial import Adversary
from tasks.training.batches import Encoded
from tasks.training.checkpoints import Checkpoint
from tasks.training.classifier import task_of_model
from tasks.training.history import History
from tasks.training.layouts import whole_weights
from tasks.training.loop import fit
from tasks.training.methods import PLAIN, Methods
from tasks.training.objective import TaskLoss
from tasks.training.plan import Plan
from tasks.training.ranks import launch, over_ranks, rank
from tests.made import ROOT
from tests.training.made import PLAN, RECIPE, cross_entropy, make_parts

DDP = replace(PLAN, processes=2)
FSDP = replace(DDP, sharding="fsdp")
Weights = dict[str, npt.NDArray[np.float32]]
TOLERANCE = 1e-4
"""Relative, of every logged loss: ranks sum in another order than one process does."""


def learn(
    plan: Plan, tiny_model: Path, methods: Methods = PLAIN, checkpoint: Checkpoint | None = None,
    dies_at: int = 0, infinite_at: int = 0, epochs: int = 2, kind: str = "classification",
) -> tuple[History, Weights]:  # fmt: skip
    """A run on each rank, without dropout; the weights whole, as rank 0 has them."""
    model, train, validation = make_parts(tiny_model, dropout=0.0, kind=kind)
    task_loss = TaskLoss(task_of_model(model))
    calls = 0

    def objective(*arguments: Any) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if calls == dies_at:
            raise StageError("the test ends it here")
        loss = task_loss(*arguments)
        return loss * float("inf") if calls == infinite_at and rank() == 1 else loss

    # a batch of 25 leaves the second rank less, and 128 texts leave a last batch of 3
    recipe = replace(RECIPE, batch=25, epochs=epochs)
    history = fit(model, objective, train, validation, recipe, plan, checkpoint, methods=methods)
    return history, {name: tensor.numpy() for name, tensor in whole_weights(model).items()}


def losses(history: History) -> list[float]:
    return [row["loss"] for row in history.losses + history.evaluations]


METHODS = {
    "plain": PLAIN,
    "average": Methods(ema=0.9, layer_decay=0.8),
    "pgd": Methods(adversary=Adversary(0.3, steps=2)),
}
AVERAGE = METHODS["average"]
LAYOUTS = {"ddp": DDP, "fsdp": FSDP, "fsdp, gathered": replace(FSDP, hosts=2, processes=1)}
"""The last is as on two hosts, none of which would have all shards: rank 0 writes the whole."""
SAVED_AT, DIES_AT = 6, 8
Outcomes = dict[tuple[str, str], tuple[History, Weights]]


def everything(_plan: Plan, tiny_model: Path, folder: Path) -> Outcomes:
    """What two ranks do, in one launch: starting them takes longer than all that."""
    found: Outcomes = {}
    for name, plan in LAYOUTS.items():
        checkpoint = Checkpoint(folder / name / "state.pt")
        killed(plan, tiny_model, checkpoint)
        if rank() == 0:
            shutil.copytree(folder / name, folder / f"{name}, left")
        found[name, "resumed"] = learn(plan, tiny_model, AVERAGE, checkpoint)
    for name, plan in (("ddp", DDP), ("fsdp", FSDP)):
        found[name, "average"] = learn(plan, tiny_model, AVERAGE)
        found[name, "plain"] = learn(plan, tiny_model, PLAIN)
        found[name, "several"] = learn(plan, tiny_model, kind="several")
        found[name, "pgd"] = learn(plan, tiny_model, METHODS["pgd"])
        found[name, "micro-batches"] = learn(replace(plan, micro_batch=5), tiny_model)
        fp16 = replace(plan, precision="fp16")
        found[name, "infinity"] = learn(fp16, tiny_model, infinite_at=5, epochs=1)
        checkpoint = Checkpoint(folder / f"one to {name}" / "state.pt")
        found[name, "from one"] = learn(plan, tiny_model, AVERAGE, checkpoint)
    checkpoint = Checkpoint(folder / "ddp, left" / "state.pt")
    found["fsdp", "from ddp"] = learn(FSDP, tiny_model, AVERAGE, checkpoint)
    return found


def killed(plan: Plan, tiny_model: Path, checkpoint: Checkpoint) -> None:
    with pytest.raises(StageError, match="the test ends it here"):
        learn(plan, tiny_model, AVERAGE, checkpoint, dies_at=DIES_AT)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the checkpoints of this module lie; the working directory of every rank."""
    found = tmp_path_factory.mktemp("ranks")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(found)
        patch.setenv("PYTHONPATH", str(ROOT))
        yield found


@pytest.fixture(scope="module")
def alone(tiny_model: Path, folder: Path) -> dict[str, tuple[History, Weights]]:
    """What one process does; two runs of it are killed for two ranks to go on with."""
    for name in ("ddp", "fsdp"):
        killed(PLAN, tiny_model, Checkpoint(folder / f"one to {name}" / "state.pt"))
    return {name: learn(PLAN, tiny_model, methods) for name, methods in METHODS.items()}


@pytest.fixture(scope="module")
def together(tiny_model: Path, folder: Path, alone: Any) -> Outcomes:
    """What two ranks do; a run of each layout is killed at the end."""
    return launch(DDP, everything, tiny_model, folder)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("layout", ["ddp", "fsdp"])
def test_two_ranks_learn_what_one_process_does(
    alone: dict[str, tuple[History, Weights]], together: Outcomes, layout: str, method: str
) -> None:
    history, weights = together[layout, method]
    expected, tensors = alone[method]
    assert losses(history) == pytest.approx(losses(expected), rel=TOLERANCE)
    for name, tensor in tensors.items():
        np.testing.assert_allclose(weights[name], tensor, atol=2e-3, rtol=1e-2)


@pytest.mark.parametrize("layout", ["ddp", "fsdp"])
def test_two_ranks_learn_several_tasks_as_one_process_does(
    tiny_model: Path, together: Outcomes, layout: str
) -> None:
    """A rank may have no example of a task in a step, and takes part in its head all the same."""
    history, weights = together[layout, "several"]
    expected, tensors = learn(PLAN, tiny_model, kind="several")
    assert losses(history) == pytest.approx(losses(expected), rel=TOLERANCE)
    for name, tensor in tensors.items():
        np.testing.assert_allclose(weights[name], tensor, atol=2e-3, rtol=1e-2)


@pytest.mark.parametrize("layout", ["ddp", "fsdp"])
def test_micro_batches_of_two_ranks_add_up(alone: Any, together: Outcomes, layout: str) -> None:
    history, _ = together[layout, "micro-batches"]
    assert losses(history) == pytest.approx(losses(alone["plain"][0]), rel=TOLERANCE)


@pytest.mark.parametrize("layout", ["ddp", "fsdp"])
def test_an_infinity_on_one_rank_is_skipped_by_all(together: Outcomes, layout: str) -> None:
    history, weights = together[layout, "infinity"]
    assert [(bad["step"], bad["scale"]) for bad in history.skipped] == [(5, 2**15)]
    assert all(np.isfinite(tensor).all() for tensor in weights.values())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_killed_job_ends_with_the_very_weights_of_an_undisturbed_one(
    together: Outcomes, folder: Path, layout: str
) -> None:
    undisturbed, expected = together[layout.partition(",")[0], "average"]
    resumed, weights = together[layout, "resumed"]
    assert resumed.resumed_at == SAVED_AT
    assert losses(resumed) == losses(undisturbed)
    assert all((weights[key] == expected[key]).all() for key in expected)
    saved = "shards" if layout == "fsdp" else "state.pt"
    assert [path.name for path in (folder / layout).iterdir()] == [saved]


@pytest.mark.parametrize(
    "case", [("ddp", "from one"), ("fsdp", "from one"), ("fsdp", "from ddp")], ids=" ".join
)
def test_another_layout_goes_on_with_the_same_curve(
    alone: Any, together: Outcomes, case: tuple[str, str]
) -> None:
    history, _ = together[case]
    assert history.resumed_at == SAVED_AT
    assert losses(history) == pytest.approx(losses(alone["average"][0]), rel=TOLERANCE)


def test_one_process_goes_on_with_what_two_have_begun(
    alone: Any, together: Outcomes, tiny_model: Path, folder: Path
) -> None:
    checkpoint = Checkpoint(folder / "fsdp, gathered, left" / "state.pt")
    history, _ = learn(PLAN, tiny_model, AVERAGE, checkpoint)
    assert history.resumed_at == SAVED_AT
    assert losses(history) == pytest.approx(losses(alone["average"][0]), rel=TOLERANCE)


@pytest.mark.slow
def test_three_ranks_go_on_with_the_shards_of_two(
    alone: Any, together: Outcomes, tiny_model: Path, folder: Path
) -> None:
    copy = shutil.copytree(folder / "fsdp, left", folder / "for three")
    three, checkpoint = replace(FSDP, processes=3), Checkpoint(copy / "state.pt")
    history, _ = launch(three, learn, tiny_model, AVERAGE, checkpoint)
    assert history.resumed_at == SAVED_AT
    assert losses(history) == pytest.approx(losses(alone["average"][0]), rel=TOLERANCE)


def test_shards_are_nothing_for_one_process_and_it_says_so(
    together: Outcomes, tiny_model: Path, folder: Path
) -> None:
    checkpoint = Checkpoint(folder / "fsdp, left" / "state.pt")
    with pytest.raises(BadInput, match="is in shards of several processes: go on with finetune"):
        learn(PLAN, tiny_model, AVERAGE, checkpoint)


def memory_of_a_few_steps(plan: Plan) -> list[int]:
    """Bytes of each rank at its highest, beyond what it had before there was a model."""
    from transformers import BertConfig, BertForSequenceClassification

    train = large_texts()
    before = peak()
    shape = BertConfig(
        vocab_size=400, hidden_size=768, num_hidden_layers=8, num_attention_heads=8,
        intermediate_size=3072, max_position_embeddings=64,
    )  # fmt: skip
    torch.manual_seed(0)
    recipe = replace(RECIPE, epochs=1, batch=4, evaluations=1)
    fit(BertForSequenceClassification(shape), cross_entropy, train, train, recipe, plan)
    each = torch.zeros(2, dtype=torch.int64)
    each[rank()] = peak() - before
    return [int(value) for value in over_ranks(each)]


def peak() -> int:
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def large_texts() -> Encoded:
    """Eight texts of eight tokens: the memory is the model's."""
    ids = np.arange(64, dtype=np.int32) % 400
    return Encoded(ids, None, np.arange(0, 65, 8), np.arange(8) % 2, 0)


@pytest.mark.slow
def test_a_rank_of_fsdp_needs_less_memory_than_one_of_ddp(workspace: Path) -> None:
    ddp, fsdp = (launch(plan, memory_of_a_few_steps) for plan in (DDP, FSDP))
    assert max(fsdp) < 0.75 * max(ddp), (ddp, fsdp)
