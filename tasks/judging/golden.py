"""Golden requests: what every release must answer, and answer alike however it is asked."""

from __future__ import annotations

import json
import math
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
from tasks.judging.answers import Row
from tasks.sources.resolve import resolve
from tasks.stage.errors import BadInput, Unavailable

ROOT = Path(__file__).resolve().parents[2]
SECONDS_TO_ANSWER = 300
"""Within which a release that works has answered everything; one that hangs never does."""
NEAR = {"fp32": 1e-3, "int8": 0.3}
"""Difference of probabilities that may come from sharing a batch: int8 scales a batch together."""
SUM = 1e-6
"""How far from 1 probabilities may sum up to."""

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


def requests(uri: str | None, pairs: bool) -> list[Request]:
    """The odd texts, then those of the JSONL file at `uri` (a path or s3://): `text` and `label`.

    Raises BadInput naming file and row when the file is missing or not like that.
    """
    odd = [Request(name, (text, text) if pairs else text) for name, text in ODD.items()]
    return [*odd, *(_read(_fetched(uri), pairs) if uri else ())]


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
    answer = _answer(folder, [each.text for each in asked], threads)
    if "broke" in answer:
        return Outcome(len(asked), broke=answer["broke"])
    failures = [
        f"{request.name}: {failure}"
        for at, request in enumerate(asked)
        for failure in wrong(request, release, {way: rows[at] for way, rows in _ways(answer)})
    ]
    return Outcome(len(asked), failures, answer["seconds"])


def _ways(answer: dict[str, Any]) -> Iterator[tuple[str, list[Row]]]:
    return ((name, rows) for name, rows in answer.items() if name != "seconds")


def wrong(request: Request, release: Release, rows: dict[str, Row]) -> Iterator[str]:
    """What is wrong with the answers to one request, `rows` by the way it was asked."""
    alone, together = rows["alone"], rows["together"]
    near = NEAR[release.precision]
    if not all(_is_distribution(row, len(release.labels)) for row in rows.values()):
        yield f"its scores are no probabilities: {alone}"
        return
    if together[_best(alone)] < max(together) - near or alone[_best(together)] < max(alone) - near:
        told = (release.labels[_best(row)] for row in (alone, together))
        yield "alone it is {}, among others {}".format(*told)
    if rows["again"] != together:
        yield "the same call gives other scores"
    if max(abs(one - other) for one, other in zip(rows["reversed"], together, strict=True)) > near:
        yield "it gets the answer of another request when the list is turned around"
    given = release.labels[_best(alone)]
    if request.label is not None and given != request.label:
        yield f"answered {given}, must be {request.label}"


def _is_distribution(row: Row, size: int) -> bool:
    return len(row) == size and all(map(math.isfinite, row)) and abs(sum(row) - 1) <= SUM


def _best(row: Row) -> int:
    return max(range(len(row)), key=row.__getitem__)


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


def _read(path: Path, pairs: bool) -> Iterator[Request]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")  # JSON may hold U+2028
    except OSError as error:
        raise BadInput(f"gate.golden: {path} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BadInput(f"gate.golden: {path} is not UTF-8") from None
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield _parsed(line, f"{path}, line {number}", pairs)


def _parsed(line: str, where: str, pairs: bool) -> Request:
    try:
        content = json.loads(line)
    except ValueError as error:
        raise BadInput(f"gate.golden: {where} is not JSON: {error}") from None
    text, label = (
        content.get(key) if isinstance(content, dict) else None for key in ("text", "label")
    )
    parts = text if pairs and isinstance(text, list) else [text]
    words = [part for part in parts if isinstance(part, str)]
    if len(words) != len(parts) or len(parts) != 1 + pairs or not isinstance(label, str):
        shape = "[text, text]" if pairs else "text"
        raise BadInput(
            f'gate.golden: {where}: got {line[:80]}; takes {{"text": {shape}, "label": label}}'
        )
    return Request(where, (words[0], words[1]) if pairs else words[0], label)
