"""A trained model as ONNX, and the folders that serve it: its variants."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnx

from tasks.compression.families import family_of
from tasks.compression.surgery import compact
from tasks.compression.vocabulary import Trimmed
from tasks.data.dataset import Text
from tasks.inference.agreement import Agreement, compare
from tasks.inference.calibration import Feeds, calibrate
from tasks.inference.early import leave_early
from tasks.inference.exits import as_graph
from tasks.inference.fusion import FUSIONS, fusable, left_out
from tasks.inference.harm import Harm, Ranges, harms
from tasks.inference.lowering import compiled, fix_shape, halve
from tasks.inference.onnx_export import export_onnx, input_names, save
from tasks.inference.predictor import Predictor
from tasks.inference.quantisation import (
    Mending,
    Recipe,
    Way,
    mend,
    quantisable,
    quantise,
    without,
)
from tasks.inference.release import COMPILED, MODEL, TOKENIZER, Precision, Release, Session
from tasks.inference.tables import added_up, needed_inputs
from tasks.inference.targets import TARGETS, Target
from tasks.inference.timing import TEXTS_TIMED, Speed, speeds
from tasks.stage.outputs import remove
from tasks.training.batches import Encoded, encode
from tasks.training.classifier import (
    load_finetuned,
    load_tokenizer,
    stride_of_model,
    task_of_model,
)
from tasks.training.early import as_plain, at_the_edge, certainties_of, read_exits
from tasks.training.plan import OnCpu, Plan, make_plan
from tasks.training.scoring import Logits, predict, predict_early

TEXTS_TOGETHER = 16
"""In a batch that activations are looked at on."""
WHOLE = Recipe()
"""Everything in int8."""
FEW = 8
"""One operator of so many may stay in fp32 before each token has a range of its own: an operator in
fp32 takes three times as long, such ranges up to a fifth longer."""


class Wishes(Protocol):
    """What is asked of the variants: the section `export:` has it."""

    @property
    def opset(self) -> int: ...
    @property
    def fusion(self) -> str | None: ...
    @property
    def exact(self) -> Sequence[str] | None: ...
    @property
    def threads(self) -> int | None: ...
    @property
    def min_agreement(self) -> float: ...


class Exported:
    """One trained model on its way to its variants, in the folder `work`.

    Variants are compared on `texts`; the ranges of a static int8 are those of `seen`. `exits` is a
    folder that says how texts leave a model whose own does not.
    """

    def __init__(
        self, level: str, source: Path, work: Path, wishes: Wishes, texts: list[Text],
        seen: list[Text], mask: tuple[str, ...] = (), small: Trimmed | None = None,
        exits: Path | None = None,
    ) -> None:  # fmt: skip
        self.level, self.work, self.wishes = level, work, wishes
        self.texts, self.seen, self.mask = texts, seen, mask
        self.tokenizer = load_tokenizer(source)
        self.model: Any = load_finetuned(source, "eager")
        family = family_of(self.model)
        if family is not None:
            compact(self.model, family)
        self.task = task_of_model(self.model)
        self.stride = stride_of_model(self.model)
        if exits is not None:
            read_exits(self.model, exits)
        if small is not None:
            self.tokenizer, self.model = small.tokenizer, small.cut(self.model)
        known = input_names(self.tokenizer, self.model)
        self.names = needed_inputs(self.model, known, pairs=isinstance(texts[0], tuple))
        self.certainties = certainties_of(self.model)
        self._answers: dict[bool, Logits] = {}
        self._timed: dict[tuple[str, Precision, str], Path] = {}
        if self.certainties:
            edge = at_the_edge(self.model, predict_early(self.model, *self._asked()))
            self.texts = [text for text, at in zip(texts, edge, strict=True) if not at]

    def answer(self, target: Target = TARGETS["cpu"]) -> Logits:
        """PyTorch's logits, fp32, as the `Predictor.logits` of such a target gives them.

        Of a model that answers early, texts that are as sure as they have to be, to a
        ten-thousandth, are not among `texts`: whether they leave is a matter of rounding.
        """
        early = self.leaves_early(target)
        if early not in self._answers:
            with contextlib.nullcontext() if early else as_plain(self.model):
                self._answers[early] = self._predict()
        return self._answers[early]

    def leaves_early(self, target: Target) -> bool:
        """Whether texts get their answer before the last layers on such a target."""
        return target.early and bool(self.certainties)

    def _predict(self) -> Logits:
        encoded, plan = self._asked()
        found = predict(self.model, encoded, plan)
        if not self.task.per_token:
            return found
        return as_graph(found, self.task.exits, encoded.offsets)

    def _asked(self) -> tuple[Encoded, Plan]:
        """The texts as the model reads them, and how it is asked."""
        length = self.tokenizer.model_max_length
        encoded = encode(self.tokenizer, self.texts, None, self.task, length, self.stride)
        return encoded, make_plan(OnCpu(self.wishes.threads), length)

    def variant(
        self, folder: Path, target: Target, precision: Precision, fusion: str
    ) -> tuple[Agreement, Mending | None]:
        """Write one into `folder`; how far it answers as PyTorch does, and how int8 was mended."""
        reference, exact = self.answer(target), self.wishes.exact
        found = self.harms(target, fusion) if precision == "int8" else {}
        recipe = without(exact or (), found)
        predictor = self.served(folder, target, precision, fusion, recipe)
        agreement = self.compare(reference, predictor)
        if precision != "int8" or exact is not None or self._enough(agreement):
            return agreement, None
        mending = self.mend(target, fusion, reference, predictor, found)
        predictor = self.served(folder, target, precision, fusion, mending.recipe)
        return self.compare(reference, predictor), mending

    def harms(self, target: Target, fusion: str, ranges: Ranges = "tensor") -> dict[str, Harm]:
        """What int8 does to each operator, by a few texts."""
        length, few = self.tokenizer.model_max_length, self.texts[:TEXTS_TOGETHER]
        encoded = encode(self.tokenizer, few, None, self.task, length, self.stride)
        batch = encoded.collate(np.arange(len(encoded)))
        feeds = {name: batch[name].numpy() for name in self.names}
        return harms(self.graph(fusion), feeds, target.overflows, ranges)

    def mend(
        self, target: Target, fusion: str, reference: Logits, whole: Predictor,
        found: Mapping[str, Harm],
    ) -> Mending:  # fmt: skip
        """Find what int8 must be like, by trying; the trials go through the Predictor as well.

        `whole` is that of everything in int8: all read the texts alike.
        """
        name = f"{self.level}-{target.kind('int8')}"
        print(f"export: {name} disagrees with PyTorch: finding out why", flush=True)

        def answer(recipe: Recipe) -> Logits:
            trial = self.served(self.work / "trial", target, "int8", fusion, recipe)
            return trial.logits(self.texts)

        def enough(logits: Logits) -> bool:
            return self._enough(self._compare(reference, logits, whole))

        mending = mend(self._ways(target, fusion, found), answer, reference, enough)
        print(f"export: {name}: answers best with {mending}", flush=True)
        return mending

    def _ways(self, target: Target, fusion: str, found: Mapping[str, Harm]) -> Iterator[Way]:
        """Ranges that are found beforehand are everybody's; else each token may have one."""
        if target.static is not None:
            yield Way("tensor", found, len(found) - 1)
            return
        yield Way("tensor", found, len(found) // FEW)
        theirs = self.harms(target, fusion, "token")
        yield Way("token", theirs, len(theirs) - 1)

    def served(
        self, folder: Path, target: Target, precision: Precision, fusion: str, recipe: Recipe
    ) -> Predictor:
        """A variant written into `folder`, in place of what may be there, and loaded. One that was
        timed is copied."""
        remove(folder)
        timed = self._timed.get((target.name, precision, fusion))
        if timed is not None and recipe == WHOLE:
            shutil.copytree(timed, folder)
        else:
            self.write(folder, target, precision, fusion, recipe)
        return Predictor.load(folder)

    def _enough(self, agreement: Agreement) -> bool:
        return agreement.same_labels >= self.wishes.min_agreement

    def compare(self, reference: Logits, predictor: Predictor) -> Agreement:
        """How far a variant answers as PyTorch does."""
        return self._compare(reference, predictor.logits(self.texts), predictor)

    def _compare(self, reference: Logits, logits: Logits, predictor: Predictor) -> Agreement:
        return compare(
            self.task, reference, logits, lambda found: predictor.meaning(self.texts, found)
        )

    def fusions(self, target: Target) -> list[str]:
        """Those that the model can have on such a target; a single one when it is pinned."""
        pinned = target.fusion or self.wishes.fusion
        if pinned is not None:
            return [pinned]
        return [each for each in FUSIONS if "attention" not in each or fusable(self.model)]

    def time_fusions(self, target: Target, precision: Precision) -> dict[str, Speed | None]:
        """How fast each fusion is, on one core, where nothing waits for another thread; a single
        entry, unmeasured, when it is pinned."""
        choices = self.fusions(target)
        if len(choices) == 1:
            return {choices[0]: None}
        kind = f"{self.level}-{target.kind(precision)}"
        folders = {fusion: self.work / f"{kind}-{fusion}" for fusion in choices}
        for fusion, folder in folders.items():
            self.write(folder, target, precision, fusion)
            self._timed[target.name, precision, fusion] = folder
        found = speeds(
            {name: Predictor.load(folder, 1) for name, folder in folders.items()},
            self.texts[:TEXTS_TIMED],
        )
        told = (f"{name} {ms.alone:.2f} ms, {ms.together:.2f}" for name, ms in found.items())
        print(f"export: fusions for {kind}, one text, of many: {'; '.join(told)}", flush=True)
        return dict(found)

    def graph(self, fusion: str = "none", early: bool = False) -> Path:
        """The fp32 graph, exported once for each kind of attention, all texts through all layers.

        Where the joined one is asked for and the model can't have it, it is the plain one. With
        `early` it has the answers and states on the way as well, for `leave_early`.
        """
        joined = "attention" in fusion and fusable(self.model)
        kind = f"{'-attention' if joined else ''}{'-early' if early else ''}"
        path = self.work / f"{self.level}{kind}.onnx"
        if not path.is_file():
            with added_up(self.model, self.names, self.tokenizer.model_max_length):
                export_onnx(
                    self.model, self.names, path, self.wishes.opset, self.task.exits,
                    attention=joined, early=early,
                )  # fmt: skip
        return path

    def write(
        self, folder: Path, target: Target, precision: Precision, fusion: str,
        recipe: Recipe = WHOLE,
    ) -> None:  # fmt: skip
        """A folder that serves: graph, tokenizer, and the card that says how."""
        folder.mkdir(parents=True)
        how: dict[str, Any] = {"target": target.name, "fusion": fusion, "opset": self.wishes.opset}
        if self.leaves_early(target):
            how["early"] = {str(place): each for place, each in self.certainties.items()}
        if precision == "int8":
            how |= {"exact": [*recipe.exact], "bits": recipe.bits, "ranges": recipe.ranges}
        self._write_graph(folder / MODEL, target, precision, fusion, recipe)
        if target.compiled:
            compiled(folder / MODEL, folder / COMPILED, left_out(fusion))
            (folder / MODEL).unlink()
        self.tokenizer.backend_tokenizer.save(str(folder / TOKENIZER))
        pad = getattr(self.model.config, "pad_token_id", None)
        Release(
            labels=self.task.labels,
            max_length=self.tokenizer.model_max_length,
            inputs=tuple(self.names),
            precision=precision,
            level=self.level,
            pad_id=(self.tokenizer.pad_token_id or 0) if pad is None else pad,
            pad_side="right",  # as in training, whatever the tokenizer prefers
            pairs=isinstance(self.texts[0], tuple),
            mask=self.mask,
            stride=self.stride if self.task.per_token else 0,
            fixed=target.fixed,
            session=Session(
                threads=self.wishes.threads,
                disabled=left_out(fusion),
                runtime=target.runtime,
                provider=target.provider,
            ),
            params=how,
        ).answering(self.task).write(folder)

    def _write_graph(
        self, path: Path, target: Target, precision: Precision, fusion: str, recipe: Recipe
    ) -> None:
        early = self.leaves_early(target)
        source = self.graph(fusion, early)
        if early:
            # a module that is asked again is a node with a number
            again = [each for each in quantisable(source) if each.partition("#")[0] in recipe.exact]
            recipe = replace(recipe, exact=(*recipe.exact, *again))
        if target.fixed:
            source = self.work / f"{self.level}-fixed.onnx"
            if not source.is_file():
                fix_shape(self.graph(fusion), source, self.tokenizer.model_max_length)
        if precision == "int8" and target.static is None:
            quantise(source, path, recipe)
        elif precision == "int8":
            assert target.static is not None
            calibrate(source, path, recipe, target.static, self._batches(target, fusion))
        elif precision == "fp16":
            halve(source, path)
        else:
            save(onnx.load(source), path)
        if early:
            save(leave_early(onnx.load(path), self.certainties), path)

    def _batches(self, target: Target, fusion: str) -> Iterator[Feeds]:
        """What the graph is given for the texts of the training split, as the Predictor does."""
        folder = self.work / f"{self.level}-{target.name}-calibration"
        if not folder.is_dir():
            self.write(folder, target, "fp32", fusion)
        predictor = Predictor.load(folder)
        texts = sorted(self.seen, key=_length)
        for start in range(0, len(texts), TEXTS_TOGETHER):
            feeds = predictor.feeds(texts[start : start + TEXTS_TOGETHER])
            if not target.fixed:
                yield feeds
                continue
            for row in range(len(next(iter(feeds.values())))):
                yield {name: ids[row : row + 1] for name, ids in feeds.items()}


def _length(text: Text) -> int:
    return len("".join(text))
