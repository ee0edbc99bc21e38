"""export: ONNX variants of the fine-tuned and of every pruned model, each checked.

Every model becomes an fp32 graph with the fusions that measure fastest on this machine, and an
int8 one; each variant is run against PyTorch on real validation text through the very `Predictor`
that will serve it. One that disagrees beyond its limit fails the stage instead of shipping. Several
tasks over one encoder are one graph, with an output for each.
"""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from tasks.compression.vocabulary import Trimmed, trimmed
from tasks.data.dataset import Text, read_examples, read_mask
from tasks.inference.agreement import Agreement, compare
from tasks.inference.exits import as_graph
from tasks.inference.fusion import FUSIONS, fuse, latencies
from tasks.inference.onnx_export import export_onnx, input_names
from tasks.inference.predictor import Predictor
from tasks.inference.quantisation import quantise
from tasks.inference.release import MODEL, TOKENIZER, Release, Session
from tasks.params.export import Export
from tasks.stage.cores import cores
from tasks.stage.errors import BadInput
from tasks.stage.outputs import STATE, read_json, remove, whole
from tasks.stage.run import run_stage
from tasks.training.batches import encode
from tasks.training.classifier import (
    load_finetuned,
    load_tokenizer,
    stride_of_model,
    task_of_model,
)
from tasks.training.plan import make_plan
from tasks.training.scoring import Logits, predict

FINETUNED = Path("models/finetuned")
PRUNED = Path("models/pruned")
VARIANTS = Path("models/onnx")
TEXTS_COMPARED = 256
TEXTS_TIMED = 32


class _Reference:
    """How PyTorch answers here: fp32 on the CPU, what every variant is held against."""

    device, precision = "cpu", "fp32"

    def __init__(self, threads: int | None) -> None:
        self.threads = threads


def export(params: Export) -> dict[str, Any]:
    """The stage: returns the findings for `reports/export.json`."""
    models = {"finetuned": FINETUNED}
    models |= {name: PRUNED / name for name in read_json(PRUNED / "family.json")["levels"]}
    texts = read_examples("validation").texts[:TEXTS_COMPARED]
    torch.set_num_threads(params.threads or cores())
    work = STATE / "export"
    remove(work)
    work.mkdir(parents=True)
    small, vocabulary = _vocabulary(params, texts)
    found: list[dict[str, Any]] = []
    fusions: dict[str, dict[str, float]] = {}
    with whole(VARIANTS) as draft:
        for level, source in models.items():
            print(f"export: {level}: to ONNX, opset {params.opset}", flush=True)
            model = _Model(level, source, work, params, texts, small)
            reference = model.answer()
            for precision in params.variants:
                if precision not in fusions:
                    fusions[precision] = model.time_fusions(precision)
                folder = draft / f"{level}-{precision}"
                model.write(folder, precision, _fastest(fusions[precision]))
                agreement = model.compare(reference, Predictor.load(folder))
                found.append({"variant": folder.name, "level": level, "precision": precision,
                              "megabytes": (folder / MODEL).stat().st_size / 1e6,
                              **asdict(agreement)})  # fmt: skip
                _judge(folder.name, precision, agreement, params, found)
    remove(work)
    return _report(found, fusions, vocabulary)


def _vocabulary(
    params: Export, held_out: list[Text]
) -> tuple[Trimmed | None, dict[str, Any] | None]:
    """The tokenizer of fewer tokens, if one is wished for, and what it comes to on texts held out.

    Raises BadInput where they have more unknown tokens than before.
    """
    if params.vocabulary == "whole":
        return None, None
    small = trimmed(load_tokenizer(FINETUNED), read_examples("train").texts)
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


class _Model:
    """One trained model on its way to its variants."""

    def __init__(
        self, level: str, source: Path, work: Path, params: Export, texts: list[Text],
        small: Trimmed | None = None,
    ) -> None:  # fmt: skip
        self.level, self.work, self.params, self.texts = level, work, params, texts
        self.tokenizer = load_tokenizer(source)
        self.model: Any = load_finetuned(source, "eager")
        self.task = task_of_model(self.model)
        self.stride = stride_of_model(self.model)
        if small is not None:
            self.tokenizer, self.model = small.tokenizer, small.cut(self.model)
        self.names = input_names(self.tokenizer, self.model)
        self.plain = work / f"{level}.onnx"
        export_onnx(self.model, self.names, self.plain, params.opset, self.task.exits)

    def answer(self) -> Logits:
        """PyTorch's logits, fp32, as `Predictor.logits` gives them."""
        length = self.tokenizer.model_max_length
        encoded = encode(self.tokenizer, self.texts, None, self.task, length, self.stride)
        found = predict(self.model, encoded, make_plan(_Reference(self.params.threads), length))
        if not self.task.per_token:
            return found
        return as_graph(found, self.task.exits, encoded.offsets)

    def compare(self, reference: Logits, predictor: Predictor) -> Agreement:
        """How far a variant answers as PyTorch does."""
        return compare(
            self.task,
            reference,
            predictor.logits(self.texts),
            lambda logits: predictor.meaning(self.texts, logits),
        )

    def time_fusions(self, precision: str) -> dict[str, float]:
        """Median latency in ms of each fusion at one text at a time; one entry when pinned."""
        if self.params.fusion is not None:
            return {self.params.fusion: 0.0}
        folders = {fusion: self.work / f"{precision}-{fusion}" for fusion in FUSIONS}
        for fusion, folder in folders.items():
            self.write(folder, precision, fusion)
        found = latencies(
            {name: Predictor.load(folder) for name, folder in folders.items()},
            self.texts[:TEXTS_TIMED],
        )
        told = ", ".join(f"{name} {ms:.2f} ms" for name, ms in found.items())
        print(f"export: fusions for {precision}: {told}", flush=True)
        return found

    def write(self, folder: Path, precision: Any, fusion: str) -> None:
        """A folder that serves: graph, tokenizer, and the card that says how."""
        folder.mkdir(parents=True)
        config = self.model.config
        fused = self.work / "fused.onnx"
        fuse(self.plain, fused, fusion, config.num_attention_heads, config.hidden_size)
        if precision == "int8":
            quantise(fused, folder / MODEL)
        else:
            shutil.copyfile(fused, folder / MODEL)
        self.tokenizer.backend_tokenizer.save(str(folder / TOKENIZER))
        pad = getattr(config, "pad_token_id", None)
        Release(
            labels=self.task.labels,
            max_length=self.tokenizer.model_max_length,
            inputs=tuple(self.names),
            precision=precision,
            level=self.level,
            pad_id=(self.tokenizer.pad_token_id or 0) if pad is None else pad,
            pad_side="right",  # as in training, whatever the tokenizer prefers
            pairs=isinstance(self.texts[0], tuple),
            mask=read_mask("validation"),
            stride=self.stride if self.task.per_token else 0,
            session=Session(threads=self.params.threads),
            params={"fusion": fusion, "opset": self.params.opset},
        ).answering(self.task).write(folder)


def _fastest(times: dict[str, float]) -> str:
    return min(times, key=lambda fusion: times[fusion])


def _judge(
    variant: str, precision: str, agreement: Agreement, params: Export, found: list[dict[str, Any]]
) -> None:
    print(
        f"export: {variant}: {100 * agreement.same_labels:.2f} % equal answers, largest logit "
        f"difference {agreement.largest_difference:.2g}",
        flush=True,
    )
    reason = None
    if precision == "fp32" and agreement.largest_difference > params.max_difference:
        reason = (
            f"its logits differ by up to {agreement.largest_difference:.3g} from PyTorch's, "
            f"export.max_difference allows {params.max_difference:g}"
        )
    elif agreement.same_labels < params.min_agreement:
        reason = (
            f"it agrees with PyTorch on {100 * agreement.same_labels:.2f} % of the answers to "
            f"{agreement.texts} texts; export.min_agreement is {100 * params.min_agreement:g} %"
        )
    if reason:
        raise BadInput(f"{variant} must not ship: {reason}", {"variants": found})


def _report(
    found: list[dict[str, Any]], fusions: dict[str, dict[str, float]],
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
            {"precision": precision, "fusion": fusion, "milliseconds": ms, "chosen": fusion == best}
            for precision, times in fusions.items()
            for best in [_fastest(times)]
            for fusion, ms in times.items()
        ],
    }


if __name__ == "__main__":
    run_stage("export", Export, export)
