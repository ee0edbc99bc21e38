"""What one would deploy otherwise, for the kinds of task that are asked in another way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.measuring.contender import MODEL, PIPELINE, Contender, Direct, Pipeline
from tasks.task import MultiTask, Task
from tasks.task.classification import Classification
from tasks.task.entities import Entities
from tasks.task.multi_label import MultiLabel
from tasks.task.regression import Regression

TEXTS = ["the film is dull", "a tender plot , and so did everybody", "superb"]
PEOPLE = Entities(("ORG", "PER"))


def saved(tiny_model: Path, folder: Path, task: Task) -> Any:
    """The tiny model with an untrained head for a task, as `finetune` would save it."""
    import torch

    from tasks.training.classifier import load_pretrained, load_tokenizer

    torch.manual_seed(2)
    tokenizer = load_tokenizer(tiny_model, 32)
    model: Any = load_pretrained(tiny_model, tokenizer, task, "eager", 32, None)
    model.classifier.weight.data *= 50  # so that texts differ visibly in their logits
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model.eval()


def logits_of(model: Any, folder: Path, text: str) -> np.ndarray:
    import torch
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    with torch.inference_mode():
        found: np.ndarray = model(**tokenizer(text, return_tensors="pt")).logits.numpy()
    return found


@pytest.mark.parametrize(
    "task",
    [
        MultiLabel(("art", "politics", "war")),
        Regression(mean=3.0, deviation=2.0),
        MultiTask.of_heads({"signs": Classification(("bad", "good")), "stars": Regression()}),
    ],
    ids=lambda task: str(task.kind),
)
def test_the_pipeline_answers_as_the_model_does(
    tiny_model: Path, tmp_path: Path, task: Task
) -> None:
    model = saved(tiny_model, tmp_path, task)
    contender = Contender.baseline(tmp_path, 1, task, stride=0)

    loaded = Pipeline(contender, task)

    assert contender.name == PIPELINE
    both = loaded.many(TEXTS, batch=2)
    for text, answer in zip(TEXTS, both, strict=True):
        (expected,) = task.decode(logits_of(model, tmp_path, text))
        assert task.apart(answer, expected) < 1e-4
        assert task.apart(loaded.one(text), expected) < 1e-4


def test_the_baseline_is_judged_by_what_it_says_of_every_class(
    tiny_model: Path, tmp_path: Path
) -> None:
    task = Classification(("bad", "good", "neither"))
    model = saved(tiny_model, tmp_path, task)
    loaded = Contender.baseline(tmp_path, 1, task, stride=0).load()

    assert loaded.many(TEXTS, batch=2)[0].scores is None, "what is timed is the usual call"
    for text, answer in zip(TEXTS, loaded.answers(TEXTS, batch=2), strict=True):
        (expected,) = task.decode(logits_of(model, tmp_path, text))
        assert answer.label == expected.label
        assert answer.scores == pytest.approx(expected.scores, abs=1e-5)


def test_the_pipelines_entities_are_those_of_the_model(tiny_model: Path, tmp_path: Path) -> None:
    saved(tiny_model, tmp_path, PEOPLE)
    contender = Contender.baseline(tmp_path, 1, PEOPLE, stride=8)

    piped, direct = Pipeline(contender, PEOPLE), Direct(contender, PEOPLE)

    told = [PEOPLE.label_of(answer) for answer in piped.many(TEXTS, batch=2)]
    assert told == [PEOPLE.label_of(answer) for answer in direct.many(TEXTS, batch=2)]
    assert told[1] == PEOPLE.label_of(piped.one(TEXTS[1]))
    assert any(label != "[]" for label in told)


def test_tokens_and_texts_together_are_asked_of_the_model_itself(
    tiny_model: Path, tmp_path: Path
) -> None:
    task = MultiTask.of_heads({"people": PEOPLE, "signs": Classification(("bad", "good"))})
    model = saved(tiny_model, tmp_path, task)
    contender = Contender.baseline(tmp_path, 1, task, stride=8)

    answers = contender.load().many(TEXTS, batch=3)

    assert contender.name == MODEL
    for text, answer in zip(TEXTS, answers, strict=True):
        signs = task.parts["signs"]
        first = logits_of(model, tmp_path, text)[:, 0, signs]
        expected = task.heads["signs"].decode(first)[0]
        assert task.heads["signs"].apart(answer["signs"], expected) < 1e-4
        assert PEOPLE.fault(answer["people"]) is None


def test_the_pipeline_reads_the_mean_where_the_model_was_trained_so(
    tiny_model: Path, tmp_path: Path
) -> None:
    from tasks.training.pooling import pooled

    task = Classification(("bad", "good"))
    model = pooled(saved(tiny_model, tmp_path, task), "mean")
    model.save_pretrained(tmp_path)  # type: ignore[operator]
    loaded = Contender.baseline(tmp_path, 1, task, stride=0).load()
    expected = task.decode(logits_of(model, tmp_path, TEXTS[0]))[0]
    answer = loaded.one(TEXTS[0])
    assert answer.label == expected.label
    assert answer.score == pytest.approx(expected.score, abs=1e-5)
