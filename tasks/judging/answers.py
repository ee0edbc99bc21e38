"""A release in a process of its own, asked a list of requests in every way it may be asked.

Started by `tasks.judging.golden` as `python -m tasks.judging.answers PARENT`, with the question as
JSON on its standard input; answers with JSON. What it imports counts as the release's start.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import psutil

from tasks.stage import parent
from tasks.stage.errors import StageError

Row = list[float]
"""A request's probabilities, in the order of the release's labels."""


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
    """The answers to `requests`, texts or lists of two, as lists of `Row`.

    `alone`: each in a call of its own. `together`: all in one call; `again`: once more, equally;
    `reversed`: the last one first, given back in the order of the requests. `seconds`: from the
    start of the process to the first answer.
    """
    from tasks.inference.predictor import Predictor

    predictor = Predictor.load(folder, threads)
    texts: list[Any] = [tuple(each) if isinstance(each, list) else each for each in requests]

    def scores(asked: list[Any]) -> list[Row]:
        return [list((each.scores or {}).values()) for each in predictor(asked)]

    first = scores(texts[:1])
    seconds = time.time() - psutil.Process().create_time()
    return {
        "seconds": seconds,
        "alone": [*first, *(scores([text])[0] for text in texts[1:])],
        "together": scores(texts),
        "again": scores(texts),
        "reversed": scores(texts[::-1])[::-1],
    }


if __name__ == "__main__":
    main()
