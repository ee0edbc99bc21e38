"""From speeds to shares of layers, heads and neurons in params.yaml."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import pairwise
from statistics import mean
from typing import Any

import torch

from tasks.compression.families import FAMILIES, family_of
from tasks.compression.levels import whole_model
from tasks.compression.material import gather
from tasks.data.dataset import read_examples
from tasks.inference.timing import TEXTS_TIMED
from tasks.params.base import PARAMS, check, read
from tasks.params.schema import Params
from tasks.prune import FINETUNED
from tasks.shaping.search import Search, Tried
from tasks.shaping.table import Shape, Table, looked_at, measured
from tasks.stage.cores import cores
from tasks.stage.errors import BadInput
from tasks.stage.outputs import STATE, write_json
from tasks.training.classifier import load_finetuned, load_tokenizer
from tasks.training.plan import make_plan
from tasks.tuning.editing import edited, write_params

REPORT = "reports/shape.json"
DIGITS = 5
"""Of a share: enough to give the very number of neurons it was made of."""

Say = Callable[[str], None]


def shaped(speedups: Sequence[float], write: bool, say: Say) -> dict[str, Any]:
    """Search a shape for each speed, each within the one before; what reports/shape.json holds.

    Raises BadInput before any work for speeds that don't rise from above 1, for `prune.keep`, which
    leaves nothing to search, without texts for trials or a fine-tuned model, and for a family that
    pruning doesn't know; later for a speed that no shape has.
    """
    params = _checked(speedups)
    torch.set_num_threads(params.prune.threads or cores())
    tokenizer = load_tokenizer(FINETUNED)
    plan = make_plan(params.prune, tokenizer.model_max_length)
    model: Any = load_finetuned(FINETUNED, plan.attention)
    family = family_of(model)
    if family is None:
        kind = model.config.model_type
        raise BadInput(f"{kind} models can't be pruned; pruning knows {', '.join(FAMILIES)}")
    level = whole_model(model, family)
    whole = Shape(len(level.kept_layers), level.heads[0], level.neurons)

    texts = read_examples("validation").texts[:TEXTS_TIMED]
    say(f"what one of {len(texts)} texts takes here, in int8")
    work = STATE / "shape"
    table = Table.of(
        measured(model, family, tokenizer, looked_at(whole), texts, params.export, work, say)
    )
    say(f"of those the fit is off by at most {100 * table.off():.0f} %")

    model.to(plan.device)
    material, objective, _ = gather(model, tokenizer, params.prune, plan, "shape")
    search = Search(model, family, material, params.prune, objective, table, say)
    shapes, levels = [whole], []
    heads, before = dict.fromkeys(level.kept_layers, whole.heads), []
    for speedup in speedups:
        ms = table.ms(whole) / speedup
        say(f"{speedup:g} times as fast is {ms:.3f} ms")
        found = search.found(shapes[-1], ms)
        for each in found:
            say(_told(each))
        shapes.append(found[0].shape)
        before.append(mean([heads[i] for i in found[0].kept if i in heads] or heads.values()))
        heads = search.heads(found[0])
        levels.append({"speedup": speedup, "tried": [asdict(each) for each in found]})
    values = _values(shapes, before)
    if write:
        write_params(values)
    told = ", ".join(f"{key}: {value}" for key, value in values.items())
    say(f"{'params.yaml has' if write else 'for params.yaml:'} {told}")
    report = {
        "table": [{"shape": asdict(shape), "ms": ms} for shape, ms in table.measured.items()],
        "off": table.off(),
        "levels": levels,
        "params": values,
        "written": write,
    }
    write_json(REPORT, report)
    return report


def _checked(speedups: Sequence[float]) -> Params:
    content = read()
    params = check(Params, content)
    if any(fast <= slow for slow, fast in pairwise([1.0, *speedups])):
        told = ", ".join(f"{each:g}" for each in speedups)
        raise BadInput(f"--speedup: got {told}; takes rising numbers above 1")
    if params.prune.keep is not None:
        raise BadInput("params.yaml: prune.keep: takes null where `nightshift shape` is to choose")
    if not params.prune.trial:
        raise BadInput("params.yaml: prune.trial: got 0; `nightshift shape` needs texts to try on")
    # what can't be written is not searched
    edited(PARAMS.read_text(encoding="utf-8"), _values([Shape(1, 1, 1)] * 2, [1.0]))
    if not FINETUNED.is_dir():
        raise BadInput(f"{FINETUNED} is missing: `nightshift run finetune` makes it")
    return params


def _values(shapes: Sequence[Shape], heads: Sequence[float]) -> dict[str, Any]:
    """What params.yaml says of levels of these shapes, each made from the one before; the first is
    the fine-tuned model. `heads` are those that the layers which a level keeps had before, a layer:
    they need not be the mean of all."""
    steps = list(pairwise(shapes))
    shares = {
        f"prune.{part}": [
            round(1 - getattr(below, part) / getattr(above, part), DIGITS) for above, below in steps
        ]
        for part in ("layers", "neurons")
    }
    shares["prune.heads"] = [
        max(0.0, round(1 - below.heads / there, DIGITS))
        for below, there in zip(shapes[1:], heads, strict=True)
    ]
    return {"prune.max_levels": len(steps), **shares}


def _told(tried: Tried) -> str:
    kept = ", ".join(map(str, tried.kept))
    return (
        f"{tried.shape} ({kept}), about {tried.ms:.3f} ms: divergence {tried.divergence:.4f} after "
        f"{tried.texts:,} texts"
    )
