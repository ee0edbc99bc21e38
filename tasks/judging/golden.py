"""Golden requests: what every release must answer, and answer alike however it is asked."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks.data.dataset import Text
from tasks.inference.release import Release
from tasks.judging.answers import answer_of
from tasks.sources.resolve import resolve
from tasks.stage.errors import BadInput, Unavailable
from tasks.task import Task
from tasks.task.labels import Refused

ROOT = Path(__file__).resolve().parents[2]
SECONDS_TO_ANSWER = 300
"""Within which a release that works has answered everything; one that hangs never does."""
NEAR = {"fp32": 1e-3, "fp16": 3e-2, "int8": 0.3}
"""Distance of answers (`Task.apart`) that sharing a batch may make: int8 scales a batch whole."""

ODD = {
    "an empty text": "",
    "one space": " ",
    "10,000 words": "word " * 10_000,
    "emoji": "🙂🎬👍🏽 👩‍👩‍👧",
    "control characters": "\x00a\x01\x07\x1b[0m\tb\x7f\r\n\x00",
    "right to left": "فيلم رائع \u200f סרט נפלא",
    "Chinese": "这部电影非常好看",
    "only punctuation": "?!... -- ;:,()[]{}\"'",
    "a plain sentence": "It was what one would expect, no more and no less.",
}
"""Texts that users send sooner or later."""


@dataclass(frozen=True)
class Request:
    """One request; `label` is what it must be answered with, if anything."""

    name: str
    text: Text
    label: str | None = None
    """As the dataset keeps it."""
    task: str = ""
    """The one of several tasks that the label is of; or the kind of the only one."""
    within: float | None = None
    """How far off a number may be, in its own unit; None: half a deviation of the ratings."""


@dataclass(frozen=True)
class Outcome:
    """What came of the requests."""

    asked: int
    failures: list[str] = field(default_factory=list)
    """What is wrong, a sentence each."""
    seconds: float | None = None
    """From the start of the process to its first answer; None when there was none."""
    broke: str | None = None
    """Why it can't be asked at all."""


def requests(uri: str | None, task: Task, pairs: bool) -> list[Request]:
    """The odd texts, then those of the JSONL file at `uri` (a path or s3://): `text` and `label`.

    Both may be written in any way that the data may; where there are several tasks `task` names
    the label's, and where the label is a number `within` says how far off the answer may be.
    Raises BadInput naming file and row when the file is missing or not like that.
    """
    odd = [Request(name, (text, text) if pairs else text) for name, text in ODD.items()]
    return [*odd, *(_read(_fetched(uri), task, pairs) if uri else ())]


def _fetched(uri: str) -> Path:
    source = resolve(uri)
    try:
        files = source.files()
    except BadInput as error:
        raise BadInput(f"gate.golden: {error}") from None
    if len(files) != 1:
        raise BadInput(f"gate.golden: {uri} holds {len(files)} files; takes one JSONL file")
    return source.fetch(files[0])


def try_out(folder: Path, asked: Sequence[Request], threads: int) -> Outcome:
    """Ask the release in `folder`, in a fresh process.

    Raises Unavailable when the system kills that process.
    """
    release = Release.read(folder)
    task, near = release.answers, NEAR[release.precision]
    answer = _answer(folder, [each.text for each in asked], threads)
    if "broke" in answer:
        return Outcome(len(asked), broke=answer["broke"])
    seconds = answer.pop("seconds")
    failures = [
        f"{request.name}: {failure}"
        for at, request in enumerate(asked)
        for failure in wrong(
            request, task, near, {way: answer_of(rows[at], task) for way, rows in answer.items()}
        )
    ]
    return Outcome(len(asked), failures, seconds)


def wrong(request: Request, task: Task, near: float, answers: dict[str, Any]) -> Iterator[str]:
    """What is wrong with the answers to one request, by the way it was asked."""
    alone, together = answers["alone"], answers["together"]
    faults = [fault for each in answers.values() if (fault := task.fault(each))]
    if faults:
        yield faults[0]
        return
    if not task.agree(alone, together, near):
        yield f"alone it is {_said(task, alone)}, among others {_said(task, together)}"
    if answers["again"] != together:
        yield "the same call gives other scores"
    if task.apart(answers["reversed"], together) > near:
        yield "it gets the answer of another request when the list is turned around"
    if request.label is not None:
        (truth,) = task.truths([request.label], [request.task])
        if not task.meets(alone, truth, request.within):
            yield f"answered {_said(task, alone, request.task)}, must be {request.label}"


def _said(task: Task, answer: Any, only: str = "") -> str:
    """The label that an answer comes to; of several tasks that of one, or all."""
    if not task.several:
        return task.label_of(answer)
    members = task.members()
    if only:
        return members[only].label_of(answer[only])
    return ", ".join(f"{name}: {each.label_of(answer[name])}" for name, each in members.items())


def _answer(folder: Path, texts: list[Text], threads: int) -> dict[str, Any]:
    question = {"folder": str(folder.resolve()), "threads": threads, "requests": texts}
    search = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tasks.judging.answers", str(os.getpid())],
            input=json.dumps(question),
            env={**os.environ, "PYTHONPATH": os.pathsep.join(search), "HF_HUB_OFFLINE": "1"},
            capture_output=True,
            text=True,
            timeout=SECONDS_TO_ANSWER,
        )
    except subprocess.TimeoutExpired:
        return {"broke": f"it has not answered {len(texts)} requests in {SECONDS_TO_ANSWER} s"}
    if done.returncode == -signal.SIGKILL:
        raise Unavailable(
            "the process with the candidate was killed while it answered golden requests: look "
            "whether memory ran out, then run again"
        )
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:]
        return {"broke": ": ".join([f"its process ended with exit code {done.returncode}", *last])}
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _read(path: Path, task: Task, pairs: bool) -> Iterator[Request]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")  # JSON may hold U+2028
    except OSError as error:
        raise BadInput(f"gate.golden: {path} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BadInput(f"gate.golden: {path} is not UTF-8") from None
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield _parsed(line, f"{path}, line {number}", task, pairs)


def _parsed(line: str, where: str, task: Task, pairs: bool) -> Request:
    try:
        content = json.loads(line)
    except ValueError as error:
        raise BadInput(f"gate.golden: {where} is not JSON: {error}") from None
    shape = f'{{"text": {"[text, text]" if pairs else "text"}, "label": label'
    shape += ', "task": name}' if task.several else "}"
    wrong = BadInput(f"gate.golden: {where}: got {line[:80]}; takes {shape}")
    if not isinstance(content, dict) or not {"text", "label"} <= content.keys():
        raise wrong
    members = task.members()
    name = str(content.get("task")) if task.several else task.kind
    if name not in members:
        known = ", ".join(members)
        raise BadInput(f"gate.golden: {where}: task: got {name!r}; takes {known}")
    within = content.get("within")
    if within is not None and (type(within) not in (int, float) or within < 0):
        raise BadInput(f"gate.golden: {where}: within: got {within!r}; takes a number from 0")
    text = content["text"]
    parts = tuple(text) if pairs and isinstance(text, list) else (text,)
    found = members[name].read(parts, content["label"])
    if isinstance(found, Refused):
        raise BadInput(f"gate.golden: {where}: {found.reason}")
    words, label = found
    if len(words) != 1 + pairs or not all(isinstance(word, str) for word in words):
        raise wrong
    return Request(where, (words[0], words[1]) if pairs else words[0], label, name, within)
