"""One level of the family: what goes, and how what is left recovers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol

from torch import nn

from tasks.compression.distillation import Distillation
from tasks.compression.exits import ask_early, leave_by_lenses, let_leave
from tasks.compression.families import Family
from tasks.compression.importance import Damage, Worth, layers_to_remove
from tasks.compression.material import Material
from tasks.compression.recovery import Recovery, distil
from tasks.compression.surgery import Parts, cut
from tasks.stage.errors import BadInput
from tasks.training.batches import Encoded
from tasks.training.checkpoints import Checkpoint
from tasks.training.early import Leaving, going_through
from tasks.training.history import History
from tasks.training.scoring import divergence, predict, predict_early

COMEBACK = 4.0
"""Points of the figure that no level has been seen to gain in the second half of its recovery (the
most was 3.6, of accuracy): one further off than that at half time is given up."""


PROBE_TOKENS = 16_384
"""About as many tokens the examples have that importance is measured on: fewer of long ones."""
SHORTLIST = 5
"""Choices of layers that are tried, those that do least damage before any recovery."""
JUDGES = 4
"""Probes' worth of texts that a trial is judged on: differences are a hundredth of a nat."""
TRIAL_STEPS = 32
"""A trial's least: where it has few texts its batches are smaller."""


Shares = float | list[float]
"""What goes at each level, of what there is; of a list a level has the next, and in turns."""


class Cut(Protocol):
    """How much a level removes: the section `prune:` has it."""

    @property
    def layers(self) -> Shares: ...
    @property
    def neurons(self) -> Shares: ...
    @property
    def heads(self) -> Shares: ...
    @property
    def keep(self) -> list[list[int]] | None: ...
    @property
    def probe(self) -> int: ...
    @property
    def trial(self) -> float: ...
    @property
    def batch(self) -> int: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def seed(self) -> int: ...


@dataclass
class Level:
    """A member of the family and why it is what it is; layers carry the fine-tuned's numbers."""

    name: str
    kept_layers: list[int]
    neurons: int
    """Of each layer's feed-forward network."""
    heads: list[int]
    """How many attention heads each layer has."""
    depth: int
    """Layers of the fine-tuned model."""
    removed_layers: list[int] = field(default_factory=list)
    removed_neurons: int = 0
    measured: list[dict[str, Any]] = field(default_factory=list)
    """Each candidate of the choice: layers skipped, divergence, figure (at most 1), and the
    divergence after a trial, if there was one."""
    figure_unrecovered: float = 0.0
    leaving: list[dict[str, Any]] = field(default_factory=list)
    """Where texts get their answer before the last layers, as `tasks.training.early.Leaving`; the
    share is that of the validation split."""
    figure_of_all: float = 0.0
    """The task's, on validation, at most 1, where every text goes through all layers."""
    figure: float = 0.0
    """As texts get their answers."""
    drop: float = 0.0
    """Points of it lost against the fine-tuned model."""
    expected_drop: float = 0.0
    """Points that new texts may be expected to lose."""
    kept: bool = True


def whole_model(model: nn.Module, family: Family) -> Level:
    """The fine-tuned model itself, as the level that the first cut starts from."""
    layers = family.layers_of(model)
    width = family.feed_forward(layers[0])[0].out_features
    heads = [family.attention(layer)[1].in_features // family.head_size(layer) for layer in layers]
    return Level("finetuned", list(range(len(layers))), width, heads, len(layers))


def smaller(
    model: nn.Module, family: Family, above: Level, material: Material, how: Cut,
    objective: Distillation,
) -> tuple[nn.Module, Level] | None:  # fmt: skip
    """The next smaller model, not yet recovered, or None when there is nothing left to remove.

    Which layers can be missed best is told by what a short recovery makes of it, among the choices
    that do least damage without one: damage alone misleads, since an upper layer's work is learnt
    again and a lower layer's is not.
    """
    going_through(model)
    number = int(above.name.removeprefix("level")) + 1 if above.name != "finetuned" else 1
    plan, probe = material.plan, probe_of(material.validation, how.probe)
    measured: list[Damage] = []
    if how.keep is not None:
        if number > len(how.keep):
            return None
        removed = _given(how.keep[number - 1], above)
    else:
        depth = len(above.kept_layers)
        gone = share(how.layers, number)
        count = min(depth - 1, max(1, round(gone * depth))) if gone else 0
        removed, measured = layers_to_remove(model, family, count, probe, plan)
    neurons = max(1, round(above.neurons * (1 - share(how.neurons, number))))

    def heads_of(layers: Sequence[int]) -> tuple[int, int]:
        """How many heads these have, and how many are left to them."""
        there = sum(above.heads[i] for i in layers)
        return there, max(len(layers), round(there * (1 - share(how.heads, number))))

    there, few = heads_of(range(len(above.heads)))
    if not removed and neurons == above.neurons and few == there:
        return None
    texts = probe_of(material.train, how.probe)
    worth = Worth.of(model, family, texts, plan, how.batch)
    best = worth.best_neurons(neurons)
    if how.trial and measured:
        count = len(removed)
        removed, measured = _tried(model, family, measured, count, best, material, how, objective)
    kept = [i for i in range(len(above.kept_layers)) if i not in removed]
    there, few = heads_of(kept)
    heads = worth.best_heads(kept, few) if few < there else None
    student = cut(model, family, kept, [best[i] for i in kept], heads)
    level = Level(
        name=f"level{number}",
        kept_layers=[above.kept_layers[i] for i in kept],
        neurons=neurons,
        heads=[len(each) for each in heads] if heads else [above.heads[i] for i in kept],
        depth=above.depth,
        removed_layers=[above.kept_layers[i] for i in removed],
        removed_neurons=above.neurons - neurons,
        measured=[_named(damage, above) for damage in measured],
    )
    level.figure_unrecovered = material.figure_of(predict(student, material.validation, plan))
    return student, level


class Trial:
    """A recovery on a few texts; and how far from a model, on others, that leaves a smaller one."""

    def __init__(
        self, model: nn.Module, material: Material, how: Cut, objective: Distillation, part: float
    ) -> None:
        """`part` of the texts of recovery: fewer than all are of those with labels alone."""
        lessons, self.plan, self.task = objective.lessons, material.plan, material.task
        if part < 1:
            rows = max(TRIAL_STEPS, round(part * len(lessons.texts)))
            lessons = lessons.sample(rows, material.originals)
        self.objective = replace(objective, lessons=lessons)
        batch = min(how.batch, max(1, len(self.objective.lessons.texts) // TRIAL_STEPS))
        self.recovery = Recovery(1, batch, how.learning_rate, how.seed, evaluations=1)
        self.judges = probe_of(material.validation, JUDGES * how.probe)
        self.few = probe_of(material.validation, how.probe)
        self.answers = predict(model, self.judges, self.plan)

    def __call__(self, student: nn.Module, title: str) -> float:
        """What is left of the divergence once `student` has recovered so, in place."""
        distil(student, self.objective, self.few, self.recovery, self.plan, title)
        found = predict(student, self.judges, self.plan)
        return divergence(self.task, self.answers, found, self.judges)


def _tried(
    model: nn.Module, family: Family, measured: Sequence[Damage], count: int,
    best: Sequence[Parts], material: Material, how: Cut, objective: Distillation,
) -> tuple[list[int], list[Damage]]:  # fmt: skip
    """The `count` layers that are missed least after a trial; and `measured`, with what the trials
    of the shortlist came to."""
    trial = Trial(model, material, how, objective, how.trial)
    found: dict[tuple[int, ...], float] = {}
    for each in shortlist(measured, count, SHORTLIST):
        kept = [i for i in range(len(best)) if i not in each.removed]
        student = cut(model, family, kept, [best[i] for i in kept])
        found[each.removed] = trial(student, f"prune, trial without {each.removed}")
    told = [replace(each, recovered=found.get(each.removed)) for each in measured]
    least = min(found, key=found.__getitem__)
    return list(least), told


def shortlist(measured: Sequence[Damage], count: int, most: int) -> list[Damage]:
    """Of the choices of `count` layers that were measured the `most` that do least damage."""
    choices = (each for each in measured if len(each.removed) == count)
    return sorted(choices, key=lambda each: each.divergence)[:most]


def share(shares: Shares, number: int) -> float:
    """What goes at the level of this number, from 1."""
    return shares[(number - 1) % len(shares)] if isinstance(shares, list) else shares


def recover(
    student: nn.Module, level: Level, material: Material, recovery: Recovery,
    objective: Distillation, checkpoint: Checkpoint, max_drop: float, early: float = 0.0,
) -> History:  # fmt: skip
    """Distil in place; fills in the level's figures, and whether it is kept.

    With `early`, texts may leave before the last layers (`tasks.compression.exits`); so many of 100
    may be expected to get another answer by it. A level that has fewer layers than the fine-tuned
    model learns to answer early while it recovers, since its layers have to change in any case. One
    that has all of them would lose by it what it need not lose: it has lenses.
    """
    shallow = len(level.kept_layers) < level.depth
    asked = shallow and ask_early(student, material, early)
    reference = material.figure_of(material.answers)
    title = f"prune {level.name} ({len(level.kept_layers)} layers)"
    history = distil(
        student, objective, material.validation, recovery, material.plan, title, checkpoint,
        reference - (max_drop + COMEBACK) / 100,
    )  # fmt: skip
    answers = predict(student, material.validation, material.plan)
    level.figure_of_all = material.figure_of(answers)
    leaving: list[Leaving] = []
    if asked:
        on_the_way = predict_early(student, material.validation, material.plan)
        leaving = let_leave(student, answers, on_the_way, early)
    elif not shallow:
        leaving = leave_by_lenses(student, answers, material, early, recovery, objective, title)
    if leaving:
        level.leaving = [asdict(each) for each in leaving]
        answers = predict(student, material.validation, material.plan)
    level.figure = material.figure_of(answers)
    level.drop = 100 * (reference - level.figure)
    level.expected_drop = material.expected_drop(answers)
    level.kept = level.expected_drop <= max_drop
    return history


def probe_of(texts: Encoded, count: int) -> Encoded:
    """So many of the texts, drawn by lot, or as many as have PROBE_TOKENS tokens in the mean."""
    fitting = PROBE_TOKENS * len(texts) // max(1, len(texts.ids))
    return texts.sample(max(1, min(count, fitting)))


def _given(keep: Sequence[int], above: Level) -> list[int]:
    unknown = sorted(set(keep) - set(above.kept_layers))
    if unknown or not keep:
        raise BadInput(
            f"params.yaml: prune.keep: got {list(keep)}; takes layers that the level above still "
            f"has: {above.kept_layers}"
        )
    return [i for i, layer in enumerate(above.kept_layers) if layer not in keep]


def _named(damage: Damage, above: Level) -> dict[str, Any]:
    layers = [above.kept_layers[i] for i in damage.removed]
    return {**asdict(damage), "removed": layers}
