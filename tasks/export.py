"""export: ONNX variants of the fine-tuned and of every pruned model, each checked.

Every model becomes an fp32 graph with the fusions that measure fastest on this machine, and an
int8 one; each variant is run against PyTorch on real validation text through the very `Predictor`
that will serve it. An int8 that disagrees is mended: what it distorts most stays in fp32, and each
token has a range of its own where that is not enough. What still disagrees beyond its limit fails
the stage instead of shipping. Several tasks over one encoder
are one graph, with an output for each.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from tasks.compression.vocabulary import Trimmed, trimmed
from tasks.data.dataset import Text, read_examples, read_mask
from tasks.inference.quantisation import quantisable
from tasks.inference.release import Precision, Release, megabytes, weights_of
from tasks.inference.targets import TARGETS, Target
from tasks.inference.timing import Speed, fewest, time_threads
from tasks.inference.variants import Exported
from tasks.params.export import Export
from tasks.stage.cores import cores
from tasks.stage.errors import BadInput
from tasks.stage.outputs import STATE, read_json, remove, whole
from tasks.stage.run import run_stage
from tasks.training.classifier import load_tokenizer

FINETUNED = Path("models/finetuned")
PRUNED = Path("models/pruned")
VARIANTS = Path("models/onnx")
TEXTS_COMPARED = 256
TEXTS_SEEN = 256
"""Of the training split, which a static int8 finds its ranges on."""

Fusions = dict[str, Speed | None]
"""How fast each is, of one variant; None: it is pinned. What is fastest for a large model need not
be so for a small one, whose operators are over before a second thread has begun."""


def export(params: Export) -> dict[str, Any]:
    """The stage: returns the findings for `reports/export.json`."""
    family = read_json(PRUNED / "family.json")
    models = {"finetuned": FINETUNED} | {name: PRUNED / name for name in family["levels"]}
    texts, mask = read_examples("validation").texts[:TEXTS_COMPARED], read_mask("validation")
    torch.set_num_threads(params.threads or cores())
    work = STATE / "export"
    remove(work)
    work.mkdir(parents=True)
    train = read_examples("train").texts
    small, vocabulary = _vocabulary(params, train, texts)
    seen = random.Random(0).sample(train, min(TEXTS_SEEN, len(train)))  # noqa: S311 (no secret)
    found: list[dict[str, Any]] = []
    fusions: dict[str, Fusions] = {}
    with whole(VARIANTS) as draft, warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a provider that is not here
        for level, source in models.items():
            print(f"export: {level}: to ONNX, opset {params.opset}", flush=True)
            model = Exported(
                level, source, work, params, texts, seen, mask, small,
                PRUNED / "finetuned" if level == "finetuned" else None,
            )  # fmt: skip
            if level == "finetuned":
                _check_exact(params, model)
            for finding in _variants(model, draft, params, fusions):
                found.append(finding)
                _judge(finding, params, found)
    remove(work)
    return _report(found, fusions, vocabulary)


def _variants(
    model: Exported, draft: Path, params: Export, fusions: dict[str, Fusions]
) -> Iterator[dict[str, Any]]:
    """Write each variant of a model, and say what it came to; `fusions` is filled as they come."""
    for target, precision in wanted(params):
        name = f"{model.level}-{target.kind(precision)}"
        fusions[name] = model.time_fusions(target, precision)
        folder, fusion = draft / name, _fastest(fusions[name])
        agreement, mending = model.variant(folder, target, precision, fusion)
        times = time_threads(folder, model.texts, params)
        how = Release.read(folder).params
        yield {
            "variant": name,
            "level": model.level,
            "precision": precision,
            "target": target.name,
            "latency_threads": fewest(times),
            "thread_times": {str(count): ms for count, ms in times.items()},
            "megabytes": megabytes(weights_of(folder)),
            "bits": how.get("bits"),
            "ranges": how.get("ranges"),
            **asdict(agreement),
            "mended": None if mending is None else asdict(mending),
        }


def wanted(params: Export) -> list[tuple[Target, Precision]]:
    """The variants that each model gets.

    Raises BadInput where `export.variants` leaves a target of `export.targets` without any.
    """
    found: list[tuple[Target, Precision]] = []
    for target in map(TARGETS.__getitem__, params.targets):
        offered = [each for each in target.precisions if each in (params.variants or [each])]
        if not offered:
            raise BadInput(
                f"params.yaml: export.variants: got {', '.join(params.variants or [])}; takes at "
                f"least one of what {target.name} has: {', '.join(target.precisions)}"
            )
        found += [(target, each) for each in offered]
    return found


def _vocabulary(
    params: Export, train: list[Text], held_out: list[Text]
) -> tuple[Trimmed | None, dict[str, Any] | None]:
    """The tokenizer of fewer tokens, if one is wished for, and what it comes to on texts held out.

    Raises BadInput where they have more unknown tokens than before.
    """
    if params.vocabulary == "whole":
        return None, None
    small = trimmed(load_tokenizer(FINETUNED), train)
    found = small.on(held_out)
    print(
        f"export: {found['tokens']:,} of {found['of']:,} tokens; {100 * found['read_alike']:.1f} % "
        f"of {len(held_out)} texts held out are read as before",
        flush=True,
    )
    if found["unknown"] > found["unknown_before"]:
        raise BadInput(
            "params.yaml: export.vocabulary: got 'used'; takes whole: without the tokens that the "
            f"training texts don't use {found['unknown']} pieces of {len(held_out)} texts are "
            f"unknown, where {found['unknown_before']} were"
        )
    return small, found


def _check_exact(params: Export, model: Exported) -> None:
    """Raises BadInput when an operator is to stay in fp32 that the whole model doesn't have."""
    if not params.exact:
        return
    known = quantisable(model.graph())
    unknown = [name for name in params.exact if name not in known]
    if unknown:
        raise BadInput(
            f"params.yaml: export.exact: got {unknown[0]!r}; takes names out of {', '.join(known)}"
        )


def _fastest(found: Fusions) -> str:
    """Of the fusions the fastest for single texts and for many alike."""
    measured = {fusion: speed.both for fusion, speed in found.items() if speed is not None}
    return min(measured, key=measured.__getitem__) if measured else next(iter(found))


def _judge(finding: dict[str, Any], params: Export, found: list[dict[str, Any]]) -> None:
    """Raises BadInput, with all that was found, when a variant must not ship."""
    same, furthest = finding["same_labels"], finding["largest_difference"]
    print(
        f"export: {finding['variant']}: {100 * same:.2f} % equal answers, largest logit difference "
        f"{furthest:.2g}; {finding['latency_threads']} thread(s) for one text",
        flush=True,
    )
    reason = None
    if finding["precision"] == "fp32" and furthest > params.max_difference:
        reason = (
            f"its logits differ by up to {furthest:.3g} from PyTorch's, export.max_difference "
            f"allows {params.max_difference:g}"
        )
    elif same < params.min_agreement:
        reason = (
            f"it agrees with PyTorch on {100 * same:.2f} % of the answers to {finding['texts']} "
            f"texts; export.min_agreement is {100 * params.min_agreement:g} %, and export.variants "
            f"may do without {finding['precision']}"
        )
    if reason:
        raise BadInput(f"{finding['variant']} must not ship: {reason}", {"variants": found})


def _report(
    found: list[dict[str, Any]], fusions: dict[str, Fusions],
    vocabulary: dict[str, Any] | None,
) -> dict[str, Any]:  # fmt: skip
    return {
        "metrics": {
            "variants": len(found),
            "worst_agreement": min(variant["same_labels"] for variant in found),
            "worst_difference": max(variant["largest_difference"] for variant in found),
        },
        "variants": found,
        "vocabulary": vocabulary,
        "fusions": [
            {
                "variant": name,
                "fusion": fusion,
                "milliseconds": None if speed is None else asdict(speed),
                "chosen": fusion == best,
            }
            for name, speeds in fusions.items()
            for best in [_fastest(speeds)]
            for fusion, speed in speeds.items()
        ],
    }


if __name__ == "__main__":
    run_stage("export", Export, export)
