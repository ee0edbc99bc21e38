"""One step of the optimiser: a whole batch, in as many passes as memory asks for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from tasks.stage.errors import StageError
from tasks.training.adversarial import Adversary, attacked, shifted
from tasks.training.batches import Batch, Encoded
from tasks.training.parts import embedding_of
from tasks.training.plan import Plan
from tasks.training.ranks import over_ranks, rank, world

BAD_STEPS_IN_A_ROW = {"fp16": 20}
"""Skipped steps after which the run stops: fp16 begins with a scale of 2^16, and when 20 halvings
have brought that below 1, no scale will mend it. The other precisions have no scale to lower."""
BAD_STEPS_OTHERWISE = 5
ROWS_NAMED = 8

Rows = npt.NDArray[np.int64]
Objective = Callable[[nn.Module, Batch, Rows], torch.Tensor]
"""Model, its inputs [b, t] and their rows -> the sum over the batch of each example's loss."""


class Stepper:
    """Takes the steps of a run, and skips those whose loss or gradient is not finite.

    Skipping follows mixed precision's own rule (Micikevicius et al. 2018): the weights stay, and
    fp16 halves its loss scale; it is done in every precision, and on all ranks together.
    """

    def __init__(
        self,
        parallel: nn.Module,
        objective: Objective,
        optimizer: torch.optim.Optimizer,
        max_grad_norm: float,
        plan: Plan,
        adversary: Adversary | None = None,
        after_step: Sequence[Callable[[], None]] = (),
    ) -> None:
        self.parallel, self.objective, self.optimizer = parallel, objective, optimizer
        self.plan, self.max_grad_norm = plan, max_grad_norm
        self.adversary, self.after_step = adversary, after_step
        self.trained = [p for group in optimizer.param_groups for p in group["params"]]
        self.peaks = [group["lr"] for group in optimizer.param_groups]
        self.scaler = torch.amp.GradScaler(plan.device, enabled=plan.precision == "fp16")
        self.bad_in_a_row = 0

    def take(self, train: Encoded, batch: Rows, rate: float) -> float:
        """Learn from the rows of `batch` at `rate` times each group's peak learning rate.

        Returns the mean loss over the whole batch, the same on every rank. When that or the norm
        of the gradient is not finite, nothing is learnt and `bad_in_a_row` goes up.
        """
        for group, peak in zip(self.optimizer.param_groups, self.peaks, strict=True):
            group["lr"] = peak * rate
        self.parallel.train()
        total = torch.zeros((), device=self.plan.device)
        passes = list(self._passes(batch))
        for place, (rows, weight) in enumerate(passes):
            last = place == len(passes) - 1
            total += self._backward(train, rows, weight / len(batch), last)
        loss = float(over_ranks(total))
        self._update(loss)
        return loss

    def too_many(self) -> bool:
        """Whether steps have been skipped in a row for so long that going on is no use."""
        limit = BAD_STEPS_IN_A_ROW.get(self.plan.precision, BAD_STEPS_OTHERWISE)
        return self.bad_in_a_row >= limit

    def state_dict(self) -> dict[str, object]:
        """What a run that goes on needs to know; the optimiser's state is kept beside it."""
        return {"scaler": self.scaler.state_dict(), "bad_in_a_row": self.bad_in_a_row}

    def load_state_dict(self, state: dict[str, object]) -> None:
        if state["scaler"]:  # in another precision there was none: this run begins with its own
            self.scaler.load_state_dict(state["scaler"])  # type: ignore[arg-type]
        self.bad_in_a_row = int(state["bad_in_a_row"])  # type: ignore[call-overload]

    def _passes(self, batch: Rows) -> Iterator[tuple[Rows, float]]:
        """This rank's rows, a micro-batch at a time, and whether they count.

        Every rank makes as many passes as any other, since ranks meet in them to exchange weights
        and gradients: one without rows left goes through with a row that counts for nothing.
        """
        mine = batch[rank() :: world()]
        share = math.ceil(len(batch) / world())
        size = self.plan.micro_batch or share
        for start in range(0, share, size):
            rows = mine[start : start + size]
            yield (rows, 1.0) if len(rows) else (batch[:1], 0.0)

    def _backward(self, train: Encoded, rows: Rows, weight: float, last: bool) -> torch.Tensor:
        """Add the gradients of some rows; returns this rank's part of the mean loss."""
        inputs = to_device(train.collate(rows), self.plan)

        def loss(model: nn.Module) -> torch.Tensor:
            with self.plan.autocast():
                return self.objective(model, inputs, rows) * weight

        if self.adversary is None:
            with exchange(self.parallel, last):
                total = loss(self.parallel)
                self._scaled(total).backward()  # type: ignore[no-untyped-call]
            return total.detach()
        return self._backward_twice(self.adversary, loss, last)

    def _backward_twice(
        self, adversary: Adversary, loss: Callable[[nn.Module], torch.Tensor], last: bool
    ) -> torch.Tensor:
        """Learn from the mean of the loss as it is and at the embeddings' worst shift."""
        model = self.parallel
        if isinstance(model, nn.parallel.DistributedDataParallel):
            model = model.module
        embedding = embedding_of(model)
        with exchange(self.parallel, False), shifted(embedding) as shift:
            total = loss(self.parallel)
            self._scaled(total / 2).backward()  # type: ignore[no-untyped-call]
        assert shift.delta is not None
        assert shift.delta.grad is not None
        # the attack is a rank's own affair: it goes past what averages gradients over the ranks
        worst = attacked(
            adversary, embedding, shift.embedded, shift.delta.grad,
            lambda: self._scaled(loss(model)),
        )  # fmt: skip
        with exchange(self.parallel, last), shifted(embedding, worst):
            self._scaled(loss(self.parallel) / 2).backward()  # type: ignore[no-untyped-call]
        return total.detach()

    def _scaled(self, loss: torch.Tensor) -> torch.Tensor:
        """Ranks average their gradients, so that of a sum over all takes `world` times as much."""
        return self.scaler.scale(loss * world())

    def _update(self, loss: float) -> None:
        self.scaler.unscale_(self.optimizer)
        norm = whole_tensor(nn.utils.clip_grad_norm_(self.trained, self.max_grad_norm))
        good = math.isfinite(loss) and math.isfinite(float(norm))
        if good:
            self.optimizer.step()
            for act in self.after_step:
                act()
        self.bad_in_a_row = 0 if good else self.bad_in_a_row + 1
        if self.scaler.is_enabled():
            # a rank's share of a sharded gradient may be finite when another's is not: all back off
            lower = self.scaler.get_scale() * self.scaler.get_backoff_factor()
            self.scaler.update(None if good else lower)
        self.optimizer.zero_grad(set_to_none=True)


def stopped_by_bad_steps(
    title: str, step: int, stepper: Stepper, batch: Rows, names: Sequence[str] | None
) -> StageError:
    """What to tell when steps were skipped too often in a row: the step and the rows of its batch.

    `names` holds the id of each row; without it the rows' numbers are told.
    """
    rows = [str(row) if names is None else names[row] for row in batch[:ROWS_NAMED]]
    more = f" and {len(batch) - ROWS_NAMED} more" if len(batch) > ROWS_NAMED else ""
    scale = (
        f", at a loss scale of {stepper.scaler.get_scale():g}"
        if stepper.scaler.is_enabled()
        else ""
    )
    return StageError(
        f"{title}: the loss or its gradient was not finite {stepper.bad_in_a_row} steps in a row, "
        f"last at step {step}{scale}, rows {', '.join(rows)}{more}: lower the learning rate, or "
        "train in fp32 (finetune.precision)"
    )


@contextmanager
def exchange(parallel: nn.Module, wanted: bool) -> Iterator[None]:
    """Keep gradients on this rank until the last pass of a step, where ranks hold whole models."""
    if wanted or not isinstance(parallel, nn.parallel.DistributedDataParallel):
        yield
        return
    with parallel.no_sync():
        yield


def rate_at(step: int, steps: int, warm: int) -> float:
    """The share of the peak rate: up over `warm` steps, then down to zero at the end, linearly."""
    return min((step + 1) / warm, (steps - step) / max(1, steps - warm))


def seed_step(seed: int, step: int) -> None:
    """Have what a step draws depend on the seed, the step and the rank alone."""
    torch.manual_seed(hash((seed, step, rank())))


def to_device(batch: Batch, plan: Plan) -> Batch:
    """The batch where the plan computes."""
    return {name: tensor.to(plan.device, non_blocking=True) for name, tensor in batch.items()}


def whole_tensor(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor, or the whole of one that is shared out over the ranks (every rank takes part)."""
    whole: torch.Tensor = tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor
    return whole
