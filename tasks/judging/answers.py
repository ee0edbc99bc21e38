"""A release in a process of its own, asked a list of requests in every way it may be asked.

Started by `tasks.judging.golden` as `python -m tasks.judging.answers PARENT`, with the question as
JSON on its standard input; answers with JSON. What it imports counts as the release's start.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

import psutil

from tasks.stage import parent
from tasks.stage.errors import StageError

if TYPE_CHECKING:
    from tasks.task import Task


def main() -> None:
    """Answer one question; what breaks is an answer too."""
    parent.watch(psutil.Process(int(sys.argv[1])))
    question = json.load(sys.stdin)
    try:
        answer = ask(question["folder"], question["threads"], question["requests"])
    except StageError as error:
        answer = {"broke": str(error)}
    except Exception as error:
        answer = {"broke": f"{type(error).__name__}: {error}"}
    json.dump(answer, sys.stdout)


def ask(folder: str, threads: int, requests: list[Any]) -> dict[str, Any]:
    """The answers to `requests`, texts or lists of two, `plain`.

    `alone`: each in a call of its own. `together`: all in one call; `again`: once more, equally;
    `reversed`: the last one first, given back in the order of the requests. `seconds`: from the
    start of the process to the first answer.
    """
    from tasks.inference.predictor import Predictor

    predictor = Predictor.load(folder, threads)
    texts: list[Any] = [tuple(each) if isinstance(each, list) else each for each in requests]

    def answers(asked: list[Any]) -> list[Any]:
        return [plain(each) for each in predictor(asked)]

    first = answers(texts[:1])
    seconds = time.time() - psutil.Process().create_time()
    return {
        "seconds": seconds,
        "alone": [*first, *(answers([text])[0] for text in texts[1:])],
        "together": answers(texts),
        "again": answers(texts),
        "reversed": answers(texts[::-1])[::-1],
    }


def plain(answer: Any) -> dict[str, Any]:
    """A prediction, or one by the name of each task, as JSON."""
    if isinstance(answer, dict):
        return {name: plain(each) for name, each in answer.items()}
    return {key: value for key, value in answer._asdict().items() if value is not None}


def answer_of(content: dict[str, Any], task: Task) -> Any:
    """What was made `plain`, as it was."""
    from tasks.task.answers import Entity, Prediction

    if task.several:
        return {name: answer_of(content[name], each) for name, each in task.members().items()}
    found = Prediction(**content)
    entities, labels = found.entities, found.labels
    return found._replace(
        entities=None if entities is None else [Entity(*each) for each in entities],
        labels=None if labels is None else tuple(labels),
    )


if __name__ == "__main__":
    main()
