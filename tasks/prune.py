"""prune: a family of ever smaller models, each made from the one before.

A level takes out the layers that are missed least after a short recovery, and the FFN neurons and
attention heads worth least, and recovers by distillation from the fine-tuned model. Levels go on
until one may be expected to lose more than `prune.max_drop` points on new texts; what came before
is kept. Every level is a plain folder, for
`AutoModelForSequenceClassification.from_pretrained("models/pruned/level1")`, or
`AutoModelForTokenClassification` where the task labels tokens.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from tasks.compression.distillation import Distillation
from tasks.compression.exits import leave_by_lenses
from tasks.compression.families import FAMILIES, Family, family_of
from tasks.compression.levels import Level, recover, smaller, whole_model
from tasks.compression.material import Material, gather
from tasks.compression.recovery import Recovery
from tasks.compression.surgery import compact, plain
from tasks.data.dataset import UNLABELLED_TEXTS, split_path
from tasks.params.prune import Prune
from tasks.stage.outputs import read_json, sha256, whole
from tasks.stage.run import run_stage
from tasks.task import Task
from tasks.training.checkpoints import FOLDER, Checkpoint, checkpoint_key, forget
from tasks.training.classifier import load_finetuned, load_tokenizer
from tasks.training.early import Leaving, as_plain, going_through, read_exits, write_exits
from tasks.training.history import History, write_curves
from tasks.training.plan import Plan, make_plan
from tasks.training.ranks import launch
from tasks.training.vocabulary import Vocabulary

FINETUNED = Path("models/finetuned")
MODELS = Path("models/pruned")
CURVES = Path("reports/plots/prune.csv")
RISK = 0.25
"""Of `prune.early`, the share that the fine-tuned model itself is allowed."""


def prune(params: Prune) -> dict[str, Any]:
    """The stage: returns the findings for `reports/prune.json`."""
    tokenizer = load_tokenizer(FINETUNED)
    plan = make_plan(params, tokenizer.model_max_length)
    print(f"prune: on {plan.device}, {'; '.join(plan.why)}", flush=True)
    return launch(plan, _prune, params, tokenizer)


def _prune(plan: Plan, params: Prune, tokenizer: Any) -> dict[str, Any]:
    teacher = load_finetuned(FINETUNED, plan.attention).to(plan.device)
    family = family_of(teacher)
    reason = _why_not(teacher, family, params)
    if family is None or reason:
        _save(FOLDER, [])
        write_curves(CURVES)
        print(f"prune: {reason}", flush=True)
        return {"metrics": {"levels": 0}, "levels": [], "passed_through": reason}
    folder = FOLDER / f"prune-{_key(params, plan)}"
    material, objective, vocabulary = gather(teacher, tokenizer, params, plan, "prune")
    leaving = _leaving(folder / "finetuned", teacher, params, material, objective)
    told = _told(leaving) or "all texts go through all layers"
    print(f"prune: the fine-tuned model as it is: {told}", flush=True)
    levels, histories = _family(
        folder, teacher, family, params, material, objective, tokenizer, vocabulary
    )
    kept = [each.name for each in levels if each.kept]
    _save(folder, kept, besides=("finetuned",))
    forget("prune")
    write_curves(CURVES, *histories, names=tuple(level.name for level in levels))
    return _report(levels, leaving, material.figure_of(material.answers), material.task, plan)


def _leaving(
    done: Path, teacher: nn.Module, params: Prune, material: Material, objective: Distillation
) -> list[Leaving]:
    """Where texts may leave the fine-tuned model itself, which stays as it is: by a part of the
    risk, since who ships it wants to lose nothing. What it takes lies in the folder `done`."""
    if done.is_dir():
        leaving = read_exits(teacher, done)
    else:
        leaving = leave_by_lenses(
            teacher, material.answers, material, RISK * params.early, _recovery(params), objective,
            "prune finetuned",
        )  # fmt: skip
        with whole(done) as draft:
            draft.mkdir()
            write_exits(teacher, leaving, draft)
    going_through(teacher)
    return leaving


def _family(
    folder: Path, teacher: nn.Module, family: Family, params: Prune, material: Material,
    objective: Distillation, tokenizer: Any, vocabulary: Vocabulary,
) -> tuple[list[Level], list[History]]:  # fmt: skip
    """Makes and recovers levels until one loses too much; it comes last, and isn't kept. They lie
    in `folder`, so that none is made again by a run that goes on."""
    recovery = _recovery(params)
    model, level = teacher, whole_model(teacher, family)
    levels: list[Level] = []
    histories: list[History] = []
    while len(levels) < params.max_levels and level.kept:
        done = folder / f"level{len(levels) + 1}"
        if done.is_dir():
            model, level, history = _read(done, family, material.plan, vocabulary)
        else:
            step = smaller(model, family, level, material, params, objective)
            if step is None:
                break
            model, level = step
            checkpoint = Checkpoint(folder / f"{level.name}.pt")
            history = recover(
                model, level, material, recovery, objective, checkpoint, params.max_drop,
                params.early,
            )  # fmt: skip
            with vocabulary.whole(model), plain(model, family):
                _write(done, model, tokenizer, level, history)
        _tell(level, material.task, params)
        levels.append(level)
        histories.append(history)
    return levels, histories


def _recovery(params: Prune) -> Recovery:
    return Recovery(params.epochs, params.batch, params.learning_rate, params.seed)


def _why_not(model: nn.Module, family: Family | None, params: Prune) -> str | None:
    """Why a model goes through as it is, or None."""
    if family is None:
        kind = model.config.model_type  # type: ignore[union-attr]
        return f"{kind} models pass through whole; pruning knows {', '.join(FAMILIES)}"
    removes = any(map(np.any, (params.layers, params.neurons, params.heads))) or params.keep
    if params.max_levels == 0 or not removes:
        return "switched off by prune.max_levels, or by prune.layers, prune.neurons and prune.heads"
    return None


def _key(params: Prune, plan: Plan) -> str:
    """The same for a run that was killed, another when anything it depends on has changed."""
    data = [split_path("train"), split_path("validation"), UNLABELLED_TEXTS]
    inputs = [*data, *sorted(FINETUNED.iterdir())]
    hashes = {str(path): sha256(path) for path in inputs}
    return checkpoint_key(params=params.model_dump(), inputs=hashes, plan=asdict(plan))


def _write(folder: Path, model: Any, tokenizer: Any, level: Level, history: History) -> None:
    with whole(folder) as draft:
        with as_plain(model):
            model.save_pretrained(draft)
        write_exits(model, [Leaving(**each) for each in level.leaving], draft)
        tokenizer.save_pretrained(draft)
        found = {"level": asdict(level), "history": asdict(history)}
        (draft / "level.json").write_text(json.dumps(found), encoding="utf-8")


def _read(
    folder: Path, family: Family, plan: Plan, vocabulary: Vocabulary
) -> tuple[nn.Module, Level, History]:
    found = read_json(folder / "level.json")
    whole = compact(load_finetuned(folder, plan.attention), family)
    model = vocabulary.narrow(whole.to(plan.device))
    return model, Level(**found["level"]), History(**found["history"])


def _save(folder: Path, levels: list[str], besides: tuple[str, ...] = ()) -> None:
    """What `export` takes: the levels, and how texts leave the fine-tuned model."""
    with whole(MODELS) as draft:
        draft.mkdir()
        for name in (*besides, *levels):
            shutil.copytree(
                folder / name, draft / name, ignore=shutil.ignore_patterns("level.json")
            )
        told = json.dumps({"levels": levels})
        (draft / "family.json").write_text(told + "\n", encoding="utf-8")


def _tell(level: Level, task: Task, params: Prune) -> None:
    told = _told([Leaving(**each) for each in level.leaving])
    verdict = "kept" if level.kept else f"more than prune.max_drop ({params.max_drop}): stops here"
    print(
        f"prune: {level.name}: layers {level.kept_layers} of {level.neurons} neurons and "
        f"{sum(level.heads)} heads in all, "
        f"{task.metric} {task.told(level.figure_unrecovered)} before recovery, "
        f"{task.told(level.figure)} after{f' ({told})' if told else ''}, "
        f"{level.drop:.2f} points lost, {level.expected_drop:.2f} expected: {verdict}",
        flush=True,
    )


def _told(leaving: list[Leaving]) -> str:
    """Where texts leave before the last layers, for people."""
    shares = ", ".join(f"{100 * each.share:.0f} % after {each.after}" for each in leaving)
    return f"answered early: {shares} layers" if shares else ""


def _report(
    levels: list[Level], leaving: list[Leaving], reference: float, task: Task, plan: Plan
) -> dict[str, Any]:
    kept = [level for level in levels if level.kept]
    return {
        "metrics": {
            "levels": len(kept),
            f"finetuned_{task.metric}": reference,
            "smallest_layers": len(kept[-1].kept_layers) if kept else None,
            "smallest_drop": kept[-1].drop if kept else None,
        },
        "metric": task.metric,
        "finetuned_leaving": [asdict(each) for each in leaving],
        "levels": [asdict(level) for level in levels],
        "passed_through": None,
        "plan": plan.describe(),
    }


if __name__ == "__main__":
    run_stage("prune", Prune, prune)
