"""prune: a family of ever smaller models, each made from the one before.

A level takes out the layers that are missed least after a short recovery, and the FFN neurons and
attention heads worth least, and recovers by distillation from the fine-tuned model. Levels
go on until one loses more than `prune.max_drop` points; what came before is kept. Every level is a
plain folder: `AutoModelForSequenceClassification.from_pretrained("models/pruned/level1")`, or
`AutoModelForTokenClassification` where the task labels tokens.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from tasks.compression.augmentation import augmented
from tasks.compression.distillation import Distillation, ask
from tasks.compression.families import FAMILIES, Family, family_of
from tasks.compression.levels import Level, Material, Recovery, recover, smaller, whole_model
from tasks.compression.surgery import compact, plain
from tasks.data.dataset import UNLABELLED_TEXTS, read_examples, read_unlabelled, split_path
from tasks.params.prune import Prune
from tasks.stage.outputs import read_json, sha256, whole
from tasks.stage.run import run_stage
from tasks.task import Task
from tasks.training.batches import Encoded, encode, join
from tasks.training.checkpoints import FOLDER, Checkpoint, checkpoint_key, forget
from tasks.training.classifier import (
    load_finetuned,
    load_tokenizer,
    stride_of_model,
    task_of_model,
)
from tasks.training.early import as_plain
from tasks.training.history import History, write_curves
from tasks.training.plan import Plan, make_plan
from tasks.training.ranks import launch
from tasks.training.vocabulary import Vocabulary

FINETUNED = Path("models/finetuned")
MODELS = Path("models/pruned")
CURVES = Path("reports/plots/prune.csv")
FEWEST_TOKENS = 3
"""Of a text: with those around it."""


def prune(params: Prune) -> dict[str, Any]:
    """The stage: returns the findings for `reports/prune.json`."""
    tokenizer = load_tokenizer(FINETUNED)
    plan = make_plan(params, tokenizer.model_max_length)
    print(f"prune: on {plan.device}, {'; '.join(plan.why)}", flush=True)
    return launch(plan, _prune, params, tokenizer)


def _prune(plan: Plan, params: Prune, tokenizer: Any) -> dict[str, Any]:
    teacher = load_finetuned(FINETUNED, plan.attention).to(plan.device)
    family, task = family_of(teacher), task_of_model(teacher)
    reason = _why_not(teacher, family, params)
    if family is None or reason:
        _save([])
        write_curves(CURVES)
        print(f"prune: {reason}", flush=True)
        return {"metrics": {"levels": 0}, "levels": [], "passed_through": reason}
    train, validation = (_encoded(split, tokenizer, teacher) for split in ("train", "validation"))
    more = _unlabelled(train, tokenizer, teacher, params)
    room, originals = params.max_tokens - len(more.ids), len(train)
    train = augmented(train, tokenizer.all_special_ids, params.augment, room, params.seed)
    taught = join([train, more])
    print(f"prune: the fine-tuned model answers {len(taught):,} texts, to teach by", flush=True)
    vocabulary = Vocabulary(teacher, [taught, validation])
    vocabulary.narrow(teacher)
    train, taught, validation = map(vocabulary.renumbered, (train, taught, validation))
    lessons = ask(teacher, taught, plan)
    objective = Distillation(lessons, task, params.temperature, params.hidden_weight)
    material = Material(train, originals, validation, plan)
    reference = material.figure_of(teacher)
    levels, histories = _family(
        teacher, family, params, material, reference, objective, tokenizer, vocabulary
    )
    write_curves(CURVES, *histories, names=tuple(level.name for level in levels))
    return _report(levels, reference, task, plan)


def _family(
    teacher: nn.Module, family: Family, params: Prune, material: Material, reference: float,
    objective: Distillation, tokenizer: Any, vocabulary: Vocabulary,
) -> tuple[list[Level], list[History]]:  # fmt: skip
    """Makes, recovers and saves levels until one loses too much; it comes last, and isn't kept."""
    folder = FOLDER / f"prune-{_key(params, material.plan)}"
    recovery = Recovery(params.epochs, params.batch, params.learning_rate, params.seed)
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
                model, level, reference, material, recovery, objective, checkpoint,
                params.max_drop, params.early,
            )  # fmt: skip
            level.kept = level.drop <= params.max_drop
            with vocabulary.whole(model), plain(model, family), as_plain(model):
                _write(done, model, tokenizer, level, history)
        _tell(level, task_of_model(teacher), params)
        levels.append(level)
        histories.append(history)
    _save([folder / level.name for level in levels if level.kept])
    forget("prune")
    return levels, histories


def _why_not(model: nn.Module, family: Family | None, params: Prune) -> str | None:
    """Why a model goes through as it is, or None."""
    if family is None:
        kind = model.config.model_type  # type: ignore[union-attr]
        return f"{kind} models pass through whole; pruning knows {', '.join(FAMILIES)}"
    removes = any(map(np.any, (params.layers, params.neurons, params.heads))) or params.keep
    if params.max_levels == 0 or not removes:
        return "switched off by prune.max_levels, or by prune.layers, prune.neurons and prune.heads"
    return None


def _encoded(split: str, tokenizer: Any, model: nn.Module) -> Encoded:
    examples, task = read_examples(split), task_of_model(model)
    truth = task.truths(examples.labels, examples.tasks)
    length = tokenizer.model_max_length
    return encode(tokenizer, examples.texts, truth, task, length, stride_of_model(model))


def _unlabelled(train: Encoded, tokenizer: Any, model: nn.Module, params: Prune) -> Encoded:
    """The texts without labels that there is room for beside `train`; their targets are 0."""
    texts = read_unlabelled() if params.texts == "both" else []
    room = params.max_tokens - len(train.ids)
    order = np.random.default_rng(params.seed).permutation(len(texts))
    drawn = [texts[at] for at in order[: max(0, room // FEWEST_TOKENS)]]
    if not drawn:
        return train.taking([], np.zeros(0, np.int64))
    task, length = task_of_model(model), tokenizer.model_max_length
    found = encode(tokenizer, drawn, None, task, length, stride_of_model(model))
    blank = np.zeros((len(found.labels), *train.labels.shape[1:]), train.labels.dtype)
    found = replace(found, labels=blank)
    rows = np.flatnonzero(np.cumsum(found.lengths) <= room)
    return found.only(rows)


def _key(params: Prune, plan: Plan) -> str:
    """The same for a run that was killed, another when anything it depends on has changed."""
    data = [split_path("train"), split_path("validation"), UNLABELLED_TEXTS]
    inputs = [*data, *sorted(FINETUNED.iterdir())]
    hashes = {str(path): sha256(path) for path in inputs}
    return checkpoint_key(params=params.model_dump(), inputs=hashes, plan=asdict(plan))


def _write(folder: Path, model: Any, tokenizer: Any, level: Level, history: History) -> None:
    with whole(folder) as draft:
        model.save_pretrained(draft)
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


def _save(levels: list[Path]) -> None:
    with whole(MODELS) as draft:
        draft.mkdir()
        for folder in levels:
            shutil.copytree(
                folder, draft / folder.name, ignore=shutil.ignore_patterns("level.json")
            )
        names = [folder.name for folder in levels]
        (draft / "family.json").write_text(json.dumps({"levels": names}) + "\n", encoding="utf-8")


def _tell(level: Level, task: Task, params: Prune) -> None:
    verdict = "kept" if level.kept else f"more than prune.max_drop ({params.max_drop}): stops here"
    print(
        f"prune: {level.name}: layers {level.kept_layers} of {level.neurons} neurons and "
        f"{sum(level.heads)} heads in all, "
        f"{task.metric} {task.told(level.figure_unrecovered)} before recovery, "
        f"{task.told(level.figure)} after{_leaving(level)}, "
        f"{level.drop:.2f} points lost: {verdict}",
        flush=True,
    )


def _leaving(level: Level) -> str:
    """Where texts leave before the last layers, for people."""
    shares = [f"{100 * each['share']:.0f} % after {each['after']}" for each in level.leaving]
    return f" (answered early: {', '.join(shares)} layers)" if shares else ""


def _report(levels: list[Level], reference: float, task: Task, plan: Plan) -> dict[str, Any]:
    kept = [level for level in levels if level.kept]
    return {
        "metrics": {
            "levels": len(kept),
            f"finetuned_{task.metric}": reference,
            "smallest_layers": len(kept[-1].kept_layers) if kept else None,
            "smallest_drop": kept[-1].drop if kept else None,
        },
        "metric": task.metric,
        "levels": [asdict(level) for level in levels],
        "passed_through": None,
        "plan": plan.describe(),
    }


if __name__ == "__main__":
    run_stage("prune", Prune, prune)
