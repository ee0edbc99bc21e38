"""The training loop: one visible loop for fine-tuning and for recovery by distillation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from typing import Any, Literal

from torch import nn
from tqdm import tqdm

from tasks.measuring.paired import compare
from tasks.measuring.statistics import Array
from tasks.stage.errors import BadInput
from tasks.training import progress
from tasks.training.averaging import Average
from tasks.training.batches import MIXED, Encoded, epoch_batches
from tasks.training.checkpoints import Checkpoint
from tasks.training.classifier import task_of_model
from tasks.training.history import History
from tasks.training.layouts import Tensors, copied, spread
from tasks.training.methods import PLAIN, Methods, Recipe, make_optimizer
from tasks.training.parts import trained_share
from tasks.training.plan import Plan
from tasks.training.ranks import rank
from tasks.training.scoring import predict, score
from tasks.training.steps import Objective, Rows, Stepper, rate_at, seed_step, stopped_by_bad_steps
from tasks.training.watching import Watcher

STEPS_BETWEEN_LOSSES = 10
LUCK = 0.05
"""An earlier look is better than the last when chance alone makes it seem so no more often."""

Draws = Callable[[int, int], Rows]
"""Seed and epoch -> the rows of the training split that make up that epoch, as many as it has."""


def steps_of(examples: int, recipe: Recipe) -> int:
    """The length of a run that does not stop early; the last batch of an epoch may be smaller."""
    return math.ceil(examples / recipe.batch) * recipe.epochs


def fit(
    model: nn.Module,
    objective: Objective,
    train: Encoded,
    validation: Encoded,
    recipe: Recipe,
    plan: Plan,
    checkpoint: Checkpoint | None = None,
    title: str = "training",
    hopeless_below: float = -math.inf,
    names: Sequence[str] | None = None,
    methods: Methods = PLAIN,
    watchers: Sequence[Watcher] = (),
    draws: Draws | None = None,
    keep: Literal["best", "last"] = "best",
    together: int = MIXED,
) -> History:
    """Train in place and leave the last weights, or earlier ones that were better on `validation`.

    Better by the task's figure, and by more than luck, text by text (McNemar's test, or a paired
    bootstrap). Of looks alike the highest is the luckiest: keeping it makes the split promise more
    than new texts will hold, and all that is held against it there later, such as a smaller model,
    look worse than it is. With `keep` the last stay whatever the looks say: where many texts have
    been answered by a teacher, a few labelled ones say less than that the rate has gone to zero.

    A step is one batch of `recipe.batch` examples, shared out over the ranks, each of which may
    take its share in several passes; the loss is the mean over the whole batch however many there
    are. So many batches are sorted by length `together`. With `checkpoint`, a run that was killed
    goes on from its last evaluation and ends with the very weights of an undisturbed one: the order
    of the batches and the dropout of a step depend on the seed and the step alone, and so must
    `draws`. It ends at the first evaluation whose figure (at most 1) is below `hopeless_below`.

    A step whose loss or gradient is not finite is skipped. Raises StageError when that happens too
    often in a row, with the step and the rows of its batch, by their `names` if they are given.

    Under fsdp the model stays shared out over the ranks: `tasks.training.layouts` gathers it.
    """
    if plan.gradient_checkpointing:
        recompute(model)
    run = _Run(model, objective, train, validation, recipe, plan, checkpoint, title, methods)
    run.hopeless_below, run.names, run.draws, run.keep = hopeless_below, names, draws, keep
    run.together = together
    run.watchers = watchers if rank() == 0 else ()
    try:
        return run.run()
    finally:
        for watcher in run.watchers:
            watcher.finish()


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
        methods: Methods,
    ) -> None:
        self.model, self.plan, self.recipe = model, plan, recipe
        self.task = task_of_model(model)
        self.train, self.validation = train, validation
        self.checkpoint, self.title = checkpoint, title
        self.steps = steps_of(len(train), recipe)
        self.steps_an_epoch = self.steps // recipe.epochs
        share = trained_share(model)
        parallel = spread(model, plan)
        self.optimizer = make_optimizer(model, recipe, methods.layer_decay)
        self.companion = methods.companion
        self.average = None if methods.ema is None else Average(model, methods.ema)
        self.stepper = Stepper(
            parallel, objective, self.optimizer, recipe.max_grad_norm, plan, methods.adversary,
            [each.after_step for each in (self.companion, self.average) if each is not None],
        )  # fmt: skip
        self.history = History(trained_share=share)
        self.best_weights: Tensors = {}
        self.step = 0
        self.running: list[float] = []
        """The losses of the steps since the last one logged."""
        self.hopeless_below = -math.inf
        self.names: Sequence[str] | None = None
        self.watchers: Sequence[Watcher] = ()
        self.draws: Draws | None = None
        self.keep = "best"
        self.together = MIXED

    def run(self) -> History:
        self._resume()
        bar = tqdm(
            total=self.steps, initial=self.step, desc=self.title, unit="step",
            disable=rank() > 0, mininterval=1.0, dynamic_ncols=True,
        )  # fmt: skip
        looks = self._steps_to_look_at()
        while self.step < self.steps and not self.history.stopped_early:
            self._take_step()
            self.step += 1
            bar.update()
            if self.step % STEPS_BETWEEN_LOSSES == 0:
                self._log_loss(bar)
            if self.step in looks:
                self._look(bar)
        bar.close()
        self._settle()
        return self.history

    def _settle(self) -> None:
        """Leave in the model what is kept of the best look's weights and the last's."""
        last = len(self.history.evaluations) - 1
        if self.history.best < last:
            with self._averaged():
                weights, evidence = copied(self.model), self._evidence()
            self.model.load_state_dict(self.best_weights)
            if compare(self.task, evidence, self._evidence(), self.recipe.seed).p_value > LUCK:
                self.history.best, self.best_weights = last, weights
        self.model.load_state_dict(self.best_weights)

    def _evidence(self) -> Array:
        logits = predict(self.model, self.validation, self.plan)
        return self.task.proof(logits, self.validation.labels, self.validation.bounds)

    def _averaged(self) -> AbstractContextManager[None]:
        """The model has the weights that are looked at inside this block."""
        return self.average.in_place() if self.average else nullcontext()

    def _take_step(self) -> None:
        batch = self._batch()
        seed_step(self.recipe.seed, self.step)
        loss = self.stepper.take(self.train, batch, self._rate(self.step))
        if self.stepper.bad_in_a_row == 0:
            self.running.append(loss)
            return
        scale = self.stepper.scaler.get_scale()
        self.history.skipped.append({"step": self.step + 1, "loss": loss, "scale": scale})
        nothing_learnt = len(self.history.skipped) == self.steps
        if self.stepper.too_many() or nothing_learnt:
            raise stopped_by_bad_steps(self.title, self.step + 1, self.stepper, batch, self.names)

    def _batch(self) -> Rows:
        epoch, place = divmod(self.step, self.steps_an_epoch)
        if place == 0 or not hasattr(self, "_batches"):
            seed = self.recipe.seed
            rows = None if self.draws is None else self.draws(seed, epoch)
            self._batches = epoch_batches(
                self.train.lengths, self.recipe.batch, seed, epoch, rows, self.together
            )
        return self._batches[place]

    def _rate(self, step: int) -> float:
        return rate_at(step, self.steps, max(1, round(self.recipe.warmup * self.steps)))

    def _steps_to_look_at(self) -> set[int]:
        each = self.recipe.evaluations * self.recipe.epochs
        return {round(self.steps * (look + 1) / each) for look in range(each)}

    def _log_loss(self, bar: tqdm[Any]) -> None:
        if not self.running:
            return
        loss = sum(self.running) / len(self.running)
        self.running.clear()
        rate = self.recipe.learning_rate * self._rate(self.step - 1)
        epoch = round(self.step / self.steps_an_epoch, 4)
        self.history.losses.append(
            {"step": self.step, "epoch": epoch, "loss": loss, "learning_rate": rate}
        )
        for watcher in self.watchers:
            watcher.losses(self.step, {"loss": loss, "learning_rate": rate})
        bar.set_postfix_str(f"loss {loss:.3f}", refresh=False)

    def _look(self, bar: tqdm[Any]) -> None:
        with self._averaged():
            self._judge(bar)
        self._save()

    def _judge(self, bar: tqdm[Any]) -> None:
        logits = predict(self.model, self.validation, self.plan)
        found = {
            "step": self.step,
            "epoch": round(self.step / self.steps_an_epoch, 4),
            **score(self.task, logits, self.validation),
        }
        looks = self.history.evaluations
        looks.append(found)
        best = self.history.best
        if best < 0 or self.keep == "last" or _better(found, looks[best]):
            self.history.best = len(looks) - 1
            self.best_weights = copied(self.model)
        since = len(looks) - 1 - self.history.best
        enough = since >= self.recipe.patience or found["figure"] < self.hopeless_below
        self.history.stopped_early = enough and self.step < self.steps
        if rank() == 0:
            bar.write(
                f"{self.title}: epoch {found['epoch']:.1f}, validation {self.task.metric} "
                f"{self.task.told(found['figure'])}, loss {found['loss']:.3f}"
            )
        for watcher in self.watchers:
            watcher.evaluation(self.step, found)

    def _save(self) -> None:
        if self.checkpoint is None or self.step == self.steps:
            return
        run = {
            "step": self.step,
            "running": self.running,
            "history": asdict(self.history),
            "stepper": self.stepper.state_dict(),
            "companion": self.companion.state_dict() if self.companion else None,
            "averaged": self.average.steps if self.average else 0,
        }
        tensors = {
            "model": self.model.state_dict(),
            "best": self.best_weights,
            "average": self.average.average if self.average else {},
            "optimizer": progress.optimizer_tensors(self.optimizer),
        }
        progress.save(self.checkpoint, self.plan, run, tensors)

    def _resume(self) -> None:
        if self.checkpoint is None:
            return
        average = self.average.average if self.average else {}
        state = progress.load(
            self.checkpoint, self.plan, self.model.state_dict(), average, self.optimizer
        )
        if state is None:
            return
        self.model.load_state_dict(state["model"])
        progress.restore_optimizer(self.optimizer, state["optimizer"])
        self.stepper.load_state_dict(state["stepper"])
        if self.average is not None:
            self.average.restore(state["average"], state["averaged"])
        if self.companion is not None:
            self.companion.load_state_dict(state["companion"])
        self.history, self.best_weights = History(**state["history"]), state["best"]
        self.step = self.history.resumed_at = state["step"]
        self.running = state["running"]
        if rank() == 0:
            began, now = state["made"]["precision"], self.plan.precision
            how = f", in {now} what began in {began}" if began != now else ""
            tqdm.write(f"{self.title}: going on from step {self.step} of {self.steps}{how}")


def _better(one: dict[str, float], other: dict[str, float]) -> bool:
    """By the figure; at equal figures by loss."""
    return (one["figure"], -one["loss"]) > (other["figure"], -other["loss"])


def recompute(model: nn.Module) -> None:
    """Keep a layer's input alone, and compute the rest again in the backward pass."""
    if not getattr(model, "supports_gradient_checkpointing", False):
        raise BadInput(
            f"params.yaml: finetune.gradient_checkpointing: {type(model).__name__} has no support "
            "for it: set it to never, and lower finetune.micro_batch where memory is short"
        )
    model.activation_checkpointing_enable({"use_reentrant": False})  # type: ignore[operator]
