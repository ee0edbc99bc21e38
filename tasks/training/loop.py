"""The training loop: one visible loop for fine-tuning and for recovery by distillation."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from tqdm import tqdm

from tasks.stage.errors import BadInput, StageError
from tasks.training.batches import Batch, Encoded, epoch_batches
from tasks.training.checkpoints import Checkpoint
from tasks.training.plan import Plan
from tasks.training.ranks import data_parallel, over_ranks, rank, world

STEPS_BETWEEN_LOSSES = 10
Logits = npt.NDArray[np.float32]

Objective = Callable[[nn.Module, Batch, npt.NDArray[np.int64]], torch.Tensor]
"""Model, its inputs [b, t] and their rows -> the sum over the batch of each example's loss."""


class Recipe(Protocol):
    """The numbers of a run: the section `finetune:` has them all."""

    @property
    def epochs(self) -> int: ...
    @property
    def batch(self) -> int: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def warmup(self) -> float: ...
    @property
    def weight_decay(self) -> float: ...
    @property
    def max_grad_norm(self) -> float: ...
    @property
    def evaluations(self) -> int: ...
    @property
    def patience(self) -> int: ...
    @property
    def seed(self) -> int: ...


@dataclass
class History:
    """What happened: a row a logged loss, a row an evaluation, and the best of those."""

    losses: list[dict[str, float]] = field(default_factory=list)
    evaluations: list[dict[str, float]] = field(default_factory=list)
    best: int = -1
    """The index in `evaluations` of the weights that were kept."""
    resumed_at: int = 0
    """The step a killed run went on from; 0: from the start."""
    stopped_early: bool = False


def fit(
    model: nn.Module,
    objective: Objective,
    train: Encoded,
    validation: Encoded,
    recipe: Recipe,
    plan: Plan,
    checkpoint: Checkpoint | None = None,
    title: str = "training",
    hopeless_below: float = 0.0,
) -> History:
    """Train in place and leave the weights that were best on `validation`.

    A step is one batch of `recipe.batch` examples, shared out over the ranks; the loss is the mean
    over the whole batch however many ranks there are. With `checkpoint`, a run that was killed goes
    on from its last evaluation and ends with the very weights of an undisturbed one: the order of
    the batches and the dropout of a step depend on the seed and the step alone. It ends at the
    first evaluation whose accuracy (0 to 1) is below `hopeless_below`.
    """
    run = _Run(model, objective, train, validation, recipe, plan, checkpoint, title)
    run.hopeless_below = hopeless_below
    return run.run()


class _Run:
    def __init__(
        self,
        model: nn.Module,
        objective: Objective,
        train: Encoded,
        validation: Encoded,
        recipe: Recipe,
        plan: Plan,
        checkpoint: Checkpoint | None,
        title: str,
    ) -> None:
        self.model, self.objective, self.plan, self.recipe = model, objective, plan, recipe
        self.train, self.validation = train, validation
        self.checkpoint, self.title = checkpoint, title
        self.steps_an_epoch = math.ceil(len(train) / recipe.batch)
        self.steps = self.steps_an_epoch * recipe.epochs
        self.parallel = data_parallel(model, plan)
        self.optimizer = make_optimizer(model, recipe)
        self.scaler = torch.amp.GradScaler(plan.device, enabled=plan.precision == "fp16")
        self.history = History()
        self.best_weights: dict[str, torch.Tensor] = {}
        self.step = 0
        self.running = 0.0
        self.hopeless_below = 0.0

    def run(self) -> History:
        self._resume()
        bar = tqdm(
            total=self.steps, initial=self.step, desc=self.title, unit="step",
            disable=rank() > 0, mininterval=1.0, dynamic_ncols=True,
        )  # fmt: skip
        looks = self._steps_to_look_at()
        while self.step < self.steps and not self.history.stopped_early:
            self.running += self._take_step()
            self.step += 1
            bar.update()
            if self.step % STEPS_BETWEEN_LOSSES == 0:
                self._log_loss(bar)
            if self.step in looks:
                self._look(bar)
        bar.close()
        self.model.load_state_dict(self.best_weights)
        return self.history

    def _take_step(self) -> float:
        epoch, place = divmod(self.step, self.steps_an_epoch)
        if place == 0 or not hasattr(self, "_batches"):
            self._batches = epoch_batches(
                self.train.lengths, self.recipe.batch, self.recipe.seed, epoch
            )
        batch = self._batches[place]
        rows = batch[rank() :: world()]
        torch.manual_seed(hash((self.recipe.seed, self.step, rank())))
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.learning_rate * self._rate(self.step)
        self.parallel.train()
        # a rank without a row of a small last batch still takes part in the exchange of gradients
        share = rows if len(rows) else batch[:1]
        inputs = to_device(self.train.collate(share), self.plan)
        with self.plan.autocast():
            total = self.objective(self.parallel, inputs, share)
        total = total * (1.0 if len(rows) else 0.0)
        self.scaler.scale(total * (world() / len(batch))).backward()  # type: ignore[no-untyped-call]
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.max_grad_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        return float(total.detach()) / len(batch)

    def _rate(self, step: int) -> float:
        """Linear warm-up, then linear decay to zero at the end."""
        warm = max(1, round(self.recipe.warmup * self.steps))
        return min((step + 1) / warm, (self.steps - step) / max(1, self.steps - warm))

    def _steps_to_look_at(self) -> set[int]:
        each = self.recipe.evaluations * self.recipe.epochs
        return {round(self.steps * (look + 1) / each) for look in range(each)}

    def _log_loss(self, bar: tqdm[Any]) -> None:
        total = over_ranks(torch.tensor(self.running, dtype=torch.float64))
        loss, self.running = float(total) / STEPS_BETWEEN_LOSSES, 0.0
        if not math.isfinite(loss):
            raise StageError(
                f"{self.title}: the loss is {loss} around step {self.step}: lower the learning "
                "rate, or train in fp32 (finetune.precision)"
            )
        self.history.losses.append(
            {
                "step": self.step,
                "epoch": round(self.step / self.steps_an_epoch, 4),
                "loss": loss,
                "learning_rate": self.recipe.learning_rate * self._rate(self.step - 1),
            }
        )
        bar.set_postfix_str(f"loss {loss:.3f}", refresh=False)

    def _look(self, bar: tqdm[Any]) -> None:
        logits = predict(self.model, self.validation, self.plan)
        found = {
            "step": self.step,
            "epoch": round(self.step / self.steps_an_epoch, 4),
            **score(logits, self.validation.labels),
        }
        looks = self.history.evaluations
        looks.append(found)
        if self.history.best < 0 or _better(found, looks[self.history.best]):
            self.history.best = len(looks) - 1
            self.best_weights = {k: v.cpu().clone() for k, v in self.model.state_dict().items()}
        since = len(looks) - 1 - self.history.best
        enough = since >= self.recipe.patience or found["accuracy"] < self.hopeless_below
        self.history.stopped_early = enough and self.step < self.steps
        if rank() == 0:
            bar.write(
                f"{self.title}: epoch {found['epoch']:.1f}, validation accuracy "
                f"{100 * found['accuracy']:.2f} %, loss {found['loss']:.3f}"
            )
            self._save()

    def _save(self) -> None:
        if self.checkpoint is not None and self.step < self.steps:
            self.checkpoint.save(
                {
                    "step": self.step,
                    "running": self.running,
                    "model": self.model.state_dict(),
                    "best": self.best_weights,
                    "optimizer": self.optimizer.state_dict(),
                    "scaler": self.scaler.state_dict(),
                    "history": asdict(self.history),
                }
            )

    def _resume(self) -> None:
        state = self.checkpoint.load() if self.checkpoint else None
        if state is None:
            return
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        self.history, self.best_weights = History(**state["history"]), state["best"]
        self.step = self.history.resumed_at = state["step"]
        self.running = state["running"]
        if rank() == 0:
            tqdm.write(f"{self.title}: going on from step {self.step} of {self.steps}")


def make_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Fused AdamW; biases and normalisation weights (all vectors) are not decayed."""
    trained = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, fused=True)


def to_device(batch: Batch, plan: Plan) -> Batch:
    """The batch where the plan computes."""
    return {name: tensor.to(plan.device, non_blocking=True) for name, tensor in batch.items()}


@torch.no_grad()
def forward(
    model: nn.Module, encoded: Encoded, plan: Plan, batch: int = 64, **options: bool
) -> Iterator[tuple[npt.NDArray[np.int64], Any]]:
    """Rows and the model's output for them, batch after batch, without gradients or dropout.

    Sorted by length, so not in the order of the texts; shared out over the ranks.
    """
    model.eval()
    order = np.argsort(encoded.lengths, kind="stable")[rank() :: world()]
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        inputs = to_device(encoded.collate(rows), plan)
        inputs.pop("labels")
        with plan.autocast():
            output = model(**inputs, **options)
        yield rows, output


def predict(model: nn.Module, encoded: Encoded, plan: Plan, batch: int = 64) -> Logits:
    """Logits of every text in order, float32 [texts, classes], the same on every rank."""
    classes = int(model.config.num_labels)  # type: ignore[union-attr,arg-type]
    logits = torch.zeros(len(encoded), classes, device=plan.device)
    for rows, output in forward(model, encoded, plan, batch):
        logits[torch.from_numpy(rows)] = output.logits.float()
    found: Logits = over_ranks(logits).cpu().numpy()
    return found


def score(logits: Logits, labels: npt.NDArray[np.int64]) -> dict[str, float]:
    """Accuracy (0 to 1) and mean cross-entropy of logits [n, classes] against class numbers [n]."""
    if len(labels) == 0:
        raise BadInput("the validation split is empty: nothing to choose the best weights by")
    losses = nn.functional.cross_entropy(torch.from_numpy(logits), torch.from_numpy(labels))
    return {"accuracy": float((logits.argmax(1) == labels).mean()), "loss": float(losses)}


def _better(one: dict[str, float], other: dict[str, float]) -> bool:
    """By accuracy; at equal accuracy by loss."""
    return (one["accuracy"], -one["loss"]) > (other["accuracy"], -other["loss"])
