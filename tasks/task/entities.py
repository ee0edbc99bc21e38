"""Stretches of a text, each of a type: token classification with BIO tags."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tasks.task.answers import IGNORED, Doubles, Entity, Floats, Ints, Material, Pieces, Prediction
from tasks.task.base import PLAIN, Shaping, Task
from tasks.task.bio import OUTSIDE, Span, chunks, marked
from tasks.task.figures import f_score, hits, overlap, softmax
from tasks.task.labels import Refused, is_missing
from tasks.task.simple import lexicon

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Entities(Task):
    """Named entities and their like. The figure is seqeval's: micro-averaged F1 of whole entities.

    A row is a list of tokens and as many BIO tags (lists, or texts with white space between), or a
    text and its spans `[start, end, type]` (a list, or the same as JSON; characters, end
    excluded). The dataset keeps spans. A word gets the tag of its first piece.
    """

    kind: ClassVar[str] = "entities"
    metric: ClassVar[str] = "f1"
    metric_name: ClassVar[str] = "entity F1"
    per_token: ClassVar[bool] = True
    pairs: ClassVar[bool] = False
    simple: ClassVar[tuple[tuple[str, str], tuple[str, str]]] = (
        ("nothing", "no entity"),
        ("lexicon", "each word's usual tag"),
    )
    unit: ClassVar[str] = "entity"
    silent: ClassVar[bool] = True

    @classmethod
    def read(cls, texts: tuple[Any, ...], label: Any) -> tuple[tuple[Any, ...], str] | Refused:
        if is_missing(label):
            return Refused("no label", "the label is empty")
        found = marked(texts[0], label)
        if isinstance(found, Refused):
            return found
        text, spans = found
        return (text, *texts[1:]), json.dumps(spans, ensure_ascii=False)

    @classmethod
    def names(cls, label: str) -> list[str]:
        return [name for _, _, name in json.loads(label)]

    @classmethod
    def stretches(cls, label: str) -> list[tuple[int, int]]:
        return [(start, end) for start, end, _ in json.loads(label)]

    @classmethod
    def moved(cls, label: str, places: Sequence[tuple[int, int]]) -> str | Refused:
        found: list[Span] = []
        for (start, end), name in zip(places, cls.names(label), strict=True):
            if not found or start >= found[-1][1]:
                found.append((start, end, name))
            elif name == found[-1][2]:
                found[-1] = (found[-1][0], max(end, found[-1][1]), name)
            else:
                return Refused("broken entity", f"masking makes one of {found[-1][2]} and {name}")
        return json.dumps(found, ensure_ascii=False)

    @property
    def outputs(self) -> tuple[str, ...]:
        return (OUTSIDE, *(f"{part}-{name}" for name in self.labels for part in "BI"))

    def targets(self, labels: Sequence[str], pieces: Sequence[Pieces] | None = None) -> Ints:
        assert pieces is not None, "tokens can't be labelled without knowing where they are"
        number = {tag: at for at, tag in enumerate(self.outputs)}
        found = [
            _tags(json.loads(label), place, number)
            for label, place in zip(labels, pieces, strict=True)
        ]
        return np.concatenate(found) if found else np.zeros(0, np.int64)

    def outputs_of(self, label: str) -> tuple[str, ...]:
        return (f"B-{label}", f"I-{label}")

    def loss(
        self, logits: torch.Tensor, targets: torch.Tensor, shaping: Shaping = PLAIN
    ) -> torch.Tensor:
        from tasks.task.losses import cross_entropy

        flat = cross_entropy(logits.flatten(0, 1), targets.flatten(), shaping)
        there = (targets != IGNORED).sum(1).clamp(min=1)
        return flat.view(targets.shape).sum(1) / there

    def divergence(
        self, student: torch.Tensor, teacher: torch.Tensor, temperature: float, mask: torch.Tensor
    ) -> torch.Tensor:
        from tasks.task.losses import softened

        found = softened(student, teacher, temperature) * mask
        return found.sum(1) / mask.sum(1).clamp(min=1)

    def proof(self, logits: Floats, targets: Ints, bounds: Ints) -> Doubles:
        told = logits.argmax(1)
        rows = []
        for start, end in pairwise(bounds):
            there = targets[start:end] != IGNORED
            true, answered = (
                {*chunks([self.outputs[at] for at in tags[start:end][there]])}
                for tags in (targets, told)
            )
            rows.append(hits(true, answered))
        return np.array(rows, np.float64).reshape(-1, 3)

    def evidence(self, truth: Sequence[str], answers: Sequence[Prediction]) -> Doubles:
        rows = [
            hits({(a, b, name) for a, b, name in json.loads(one)}, _spans(answer))
            for one, answer in zip(truth, answers, strict=True)
        ]
        return np.array(rows, np.float64).reshape(-1, 3)

    def figure(self, evidence: Doubles) -> float:
        return f_score(*evidence.sum(0))

    def figures(self, truth: Sequence[str], answers: Sequence[Prediction]) -> dict[str, float]:
        right, wrong, missed = self.evidence(truth, answers).sum(0)
        each = []
        for name in self.labels:
            own = [
                hits(
                    {(a, b, n) for a, b, n in json.loads(one) if n == name},
                    {span for span in _spans(answer) if span[2] == name},
                )
                for one, answer in zip(truth, answers, strict=True)
            ]
            if own and np.sum(own):
                each.append(f_score(*np.sum(own, axis=0)))
        return {
            "f1": f_score(right, wrong, missed),
            "precision": float(right / max(right + wrong, 1)),
            "recall": float(right / max(right + missed, 1)),
            "macro_f1": float(np.mean(each)) if each else 0.0,
        }

    def decode(
        self,
        logits: Floats,
        texts: Sequence[Any] = (),
        pieces: Sequence[Pieces] = (),
        bounds: Ints | None = None,
    ) -> list[Prediction]:
        assert bounds is not None
        probabilities = softmax(logits)
        return [
            Prediction(entities=self._entities(probabilities[bounds[i] : bounds[i + 1]], text, at))
            for i, (text, at) in enumerate(zip(texts, pieces, strict=True))
        ]

    def _entities(self, probabilities: Doubles, text: str, pieces: Pieces) -> list[Entity]:
        words = np.flatnonzero(pieces.first)
        told = probabilities[words].argmax(1)
        sure = probabilities[words, told]
        ends = _word_ends(pieces)
        found = []
        for first, after, name in chunks([self.outputs[at] for at in told]):
            start, end = int(pieces.spans[words[first], 0]), int(ends[after - 1])
            score = float(sure[first:after].mean())
            found.append(Entity(start, end, name, score, text[start:end]))
        return found

    def label_of(self, answer: Prediction) -> str:
        return json.dumps(sorted(_spans(answer)), ensure_ascii=False)

    def said(self, label: str) -> Prediction:
        """The entities' text is left out: a label has none."""
        spans: list[Span] = json.loads(label)
        return Prediction(entities=[Entity(a, b, name, 1.0, "") for a, b, name in spans])

    @property
    def pipeline(self) -> str | None:
        return "token-classification"

    def asked(self, stride: int) -> dict[str, Any]:
        """A word gets the tag of its first piece, a long text is read in windows, as ours."""
        windows = {"stride": stride} if stride else {}
        return {"aggregation_strategy": "first", **windows}

    def heard(self, output: Any) -> Prediction:
        keys = ("start", "end", "entity_group", "score", "word")
        return Prediction(entities=[Entity(*(each[key] for key in keys)) for each in output])

    def usual(self, truth: Sequence[str]) -> Prediction:
        return Prediction(entities=[])

    def learned(
        self, train: Material, validation: Material, test: Material
    ) -> tuple[list[Prediction], list[Prediction]]:
        return lexicon(self, train, validation, test)

    def claims(self, label: str) -> set[tuple[Any, ...]]:
        return {(name, start, end) for start, end, name in json.loads(label)}

    def fault(self, answer: Prediction) -> str | None:
        bounds = [at for each in answer.entities or () for at in (each.start, each.end)]
        ordered = all(a <= b for a, b in pairwise(bounds))
        fine = ordered and all(
            each.start < each.end and each.label in self.labels and 0 <= each.score <= 1
            for each in answer.entities or ()
        )
        return None if fine else f"its entities are none: {[*map(list, answer.entities or ())]}"

    def apart(self, one: Prediction, other: Prediction) -> float:
        """What only one says counts by how much surer it was than of the toss of a coin."""
        scores = [
            {(each.start, each.end, each.label): each.score for each in answer.entities or ()}
            for answer in (one, other)
        ]
        return max(
            (abs(scores[0].get(span, 0.5) - scores[1].get(span, 0.5))
             for span in {*scores[0], *scores[1]}),
            default=0.0,
        )  # fmt: skip

    def alike(self, one: Prediction, other: Prediction) -> float:
        return overlap(_spans(one), _spans(other))

    def lines(self, answer: Prediction) -> list[str]:
        return [
            f"{each.label}\t{each.score:.4f}\t{each.start}-{each.end}\t{each.text}"
            for each in answer.entities or ()
        ]

    def shown(self, answer: Prediction, text: str) -> str:
        return "\n\t".join([text, *self.lines(answer)])


def _spans(answer: Prediction) -> set[Span]:
    return {(each.start, each.end, each.label) for each in answer.entities or ()}


def _word_ends(pieces: Pieces) -> Ints:
    """Where each word ends, int64 [words]: where its last piece does."""
    word = np.cumsum(pieces.first) - 1
    inside = (word >= 0) & (pieces.spans[:, 1] > pieces.spans[:, 0])
    ends = np.zeros(int(pieces.first.sum()), np.int64)
    np.maximum.at(ends, word[inside], pieces.spans[inside, 1])
    return ends


def _tags(spans: Sequence[Span], pieces: Pieces, number: dict[str, int]) -> Ints:
    """The number of each token's tag; the words that a span touches are its own."""
    found = np.full(len(pieces.first), IGNORED, np.int64)
    words = np.flatnonzero(pieces.first)
    found[words] = number[OUTSIDE]
    starts, ends = pieces.spans[words, 0], _word_ends(pieces)
    for start, end, name in spans:
        touched = words[(starts < end) & (ends > start)]
        if len(touched):
            begins = starts[words.searchsorted(touched[0])] >= start
            found[touched] = number[f"I-{name}"]
            # in a window that begins within an entity, its first word there is no beginning
            if begins or touched[0] != words[0]:
                found[touched[0]] = number[f"B-{name}"]
    return found
