"""The folder that serves: `model.onnx`, `tokenizer.json`, and `release.json` to say what they are.

Everything that serving needs to know beside the two files is in `release.json`, so that whoever has
the folder and ONNX Runtime can serve it. Only the standard library is imported here, until the task
of a release is asked for that is more than a classification.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

from tasks.stage.errors import BadInput

if TYPE_CHECKING:
    from tasks.task import Task

FORMAT = 1
CARD = "release.json"
MANIFEST = "manifest.json"
"""What the registry says about a published release, the card's own checksum among it."""
MODEL = "model.onnx"
COMPILED = "model.ort"
"""The graph in ONNX Runtime's own format, in place of MODEL, where a target wants that."""
TOKENIZER = "tokenizer.json"
PROFILE = "profile.json"
"""What the data were like that the model was trained on; later nights are held against it."""

CLASSIFICATION = "classification"

Optimisation = Literal["none", "basic", "extended", "all"]
Precision = Literal["fp32", "fp16", "int8"]
Runtime = Literal["onnxruntime", "openvino"]

PROVIDERS: dict[str, dict[str, str]] = {
    "CUDAExecutionProvider": {},
    "TensorrtExecutionProvider": {"trt_fp16_enable": "1", "trt_int8_enable": "1"},
    "QNNExecutionProvider": {"backend_type": "htp"},
}
"""ONNX Runtime's execution providers that a card may name, with their options. These stand here and
not on a card: some of them are paths of libraries, and a release is data."""


@dataclass(frozen=True)
class Session:
    """How the graph is to be run, by ONNX Runtime or another runtime that knows ONNX."""

    threads: int | None = None
    """Cores it may use; null takes all that the process may."""
    alone: int | None = None
    """Threads that work on one text when it comes alone; null takes all cores."""
    optimisation: Optimisation = "all"
    """ONNX Runtime's graph optimisation level at load."""
    disabled: tuple[str, ...] = ()
    """Graph optimisers to leave out at load, by ONNX Runtime's names (`SkipLayerNormFusion`)."""
    spinning: bool = True
    """Whether idle threads wait busily for work: lower latency, but it keeps cores warm."""
    config: dict[str, str] = field(default_factory=dict)
    """Further session configuration entries, as ONNX Runtime names them."""
    runtime: Runtime = "onnxruntime"
    provider: str | None = None
    """ONNX Runtime's execution provider, by its name (`CUDAExecutionProvider`); null: the CPU's,
    which also takes over where this one is missing."""


@dataclass(frozen=True)
class Release:
    """What `release.json` holds. `files` is filled in by `write`, `facts` by the benchmark."""

    labels: tuple[str, ...]
    """The classes, in the order of the logits; those of several tasks are named `TASK/CLASS`."""
    max_length: int
    """Tokens, special ones included, that a text (or pair) is cut to, or each of its windows."""
    inputs: tuple[str, ...]
    """The graph's inputs, out of input_ids, attention_mask and token_type_ids."""
    precision: Precision
    level: str
    """The model it was made from: `finetuned`, or the name of a pruned level."""
    pad_id: int = 0
    pad_side: Literal["right", "left"] = "right"
    pairs: bool = False
    """Whether an input is a pair of texts."""
    mask: tuple[str, ...] = ()
    """Kinds of personal data masked in what it learned from, and in what it is asked."""
    stride: int = 0
    """Tokens that neighbouring windows of a long text share, where a task labels tokens."""
    fixed: bool = False
    """Whether the graph takes one input at a time, of exactly `max_length` tokens."""
    task: str = CLASSIFICATION
    """Its kind."""
    head: dict[str, Any] = field(default_factory=dict)
    """The task in full (`tasks.task.task_of`); a classification is told by its labels alone."""
    session: Session = field(default_factory=Session)
    base: dict[str, Any] = field(default_factory=dict)
    """The pre-trained model it comes from."""
    params: dict[str, Any] = field(default_factory=dict)
    """The parameters that made it, as far as a reader would ask for them."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What was measured: accuracy, latency and so on, with the machine it was measured on."""
    version: str | None = None
    files: dict[str, str] = field(default_factory=dict)
    """The sha256 of every other file in the folder."""
    format: int = FORMAT

    @classmethod
    def read(cls, folder: str | Path) -> Release:
        """The release in `folder`.

        Raises BadInput when a file is missing, or the card is not one that this version reads.
        """
        folder = Path(folder)
        for name in (CARD, graph_of(folder).name, TOKENIZER):
            if not (folder / name).is_file():
                raise BadInput(
                    f"{folder} is not a release: {name} is missing; "
                    f"takes a folder with {MODEL}, {TOKENIZER} and {CARD}"
                )
        card = folder / CARD
        try:
            content = json.loads(card.read_text(encoding="utf-8"))
        except ValueError as error:
            raise BadInput(f"{card} is not JSON: {error}") from None
        return cls.of(content, card)

    @classmethod
    def of(cls, content: Any, card: str | Path = CARD) -> Release:
        """The release that a card's content describes; raises BadInput naming the key."""
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            found = content.get("format") if isinstance(content, dict) else content
            raise BadInput(
                f"{card}: format: got {found!r}; this version of nightshift reads {FORMAT}"
            )
        session = _checked(Session, content.get("session", {}), f"{card}: session")
        found = _checked(cls, {**content, "session": session}, str(card))
        if found.task != CLASSIFICATION or found.head:
            _check_head(found, f"{card}: head")
        if not 0 <= found.stride < max(found.max_length / 2, 1):
            raise BadInput(
                f"{card}: stride: got {found.stride}; takes less than half of max_length, "
                f"which is {found.max_length}"
            )
        return found

    @property
    def answers(self) -> Task:
        """What it answers: the task that it learned."""
        from tasks.task import Classification, task_of

        return task_of(self.head, "head") if self.head else Classification(self.labels)

    def answering(self, task: Task) -> Release:
        """The same release of a task."""
        plain = task.kind == CLASSIFICATION
        head = {} if plain else json.loads(json.dumps(task.describe()))
        return replace(self, labels=task.labels, task=task.kind, head=head)

    @property
    def digest(self) -> str:
        """The sha256 of what the release is, whatever was measured on it and however it is called.

        Of a release as written or read: it rests on the checksums of the files that serve.
        """
        files = {name: digest for name, digest in self.files.items() if name != PROFILE}
        card = asdict(replace(self, facts={}, version=None, files=files))
        # releases from before there was such a key keep their digests
        for name in ("mask", "stride", "head", "fixed"):
            if not card[name]:
                del card[name]
        usual = asdict(Session())
        for name in ("alone", "runtime", "provider"):
            if card["session"][name] == usual[name]:
                del card["session"][name]
        text = json.dumps(card, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def text(self) -> str:
        """The card: canonical JSON."""
        return json.dumps(asdict(self), sort_keys=True, indent=2, ensure_ascii=False) + "\n"

    def write(self, folder: str | Path) -> Release:
        """Write the card into `folder`, beside the files it is to vouch for, checksums computed.

        Returns the release as written. Raises BadInput when the model or tokenizer isn't there.
        """
        folder = Path(folder)
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        files = {path.relative_to(folder).as_posix(): path for path in paths}
        for name in (CARD, MANIFEST):
            files.pop(name, None)
        for name in (graph_of(folder).name, TOKENIZER):
            if name not in files:
                raise BadInput(f"{folder}: {name} is missing; put it there before {CARD}")
        written = replace(self, files={name: _sha256(path) for name, path in files.items()})
        draft = folder / f"{CARD}.draft"
        draft.write_text(written.text, encoding="utf-8")
        os.replace(draft, folder / CARD)
        return written


def graph_of(folder: Path) -> Path:
    """The file of a release's graph: `model.ort` where there is one, or else `model.onnx`."""
    compiled = folder / COMPILED
    return compiled if compiled.is_file() else folder / MODEL


def weights_of(folder: Path) -> list[Path]:
    """The files that hold weights, in a release or a `save_pretrained` folder."""
    kinds = (".safetensors", ".bin", ".onnx", ".ort", ".data")
    return [path for path in folder.rglob("*") if path.suffix in kinds]


def megabytes(paths: Iterable[Path]) -> float:
    """The files' size in MB of 10^6 bytes."""
    return sum(path.stat().st_size for path in paths) / 1e6


def verify(folder: str | Path) -> Release:
    """Read the release in `folder` and compare every file with its checksum.

    The card vouches for the other files; for the card, if the release was published, the manifest
    beside it. Raises BadInput naming the first file that is missing or is not the one that was
    released.
    """
    folder = Path(folder)
    release = Release.read(folder)
    _verify_card(folder)
    for name in (graph_of(folder).name, TOKENIZER):
        if name not in release.files:
            raise BadInput(f"{folder / CARD}: files: it has no checksum for {name}")
    for name, digest in release.files.items():
        path = folder / name
        if not path.is_file():
            raise BadInput(f"{folder}: {name} is missing, though {CARD} lists it")
        if _sha256(path) != digest:
            raise BadInput(
                f"{path} is not the file that was released: its sha256 is not the one in {CARD}; "
                "fetch the release again"
            )
    return release


def _verify_card(folder: Path) -> None:
    path = folder / MANIFEST
    if not path.is_file():
        return
    try:
        digest = json.loads(path.read_text(encoding="utf-8"))["files"][CARD]["sha256"]
    except (ValueError, KeyError, TypeError):
        raise BadInput(f"{path} is not a manifest: it has no checksum for {CARD}") from None
    if _sha256(folder / CARD) != digest:
        raise BadInput(
            f"{folder / CARD} is not the card that was published: its sha256 is not the one in "
            f"{MANIFEST}; fetch the release again"
        )


_KINDS: dict[str, tuple[type, ...]] = {
    "labels": (list, tuple), "inputs": (list, tuple), "disabled": (list, tuple),
    "mask": (list, tuple),
    "max_length": (int,), "pad_id": (int,), "threads": (int, type(None)),
    "alone": (int, type(None)),
    "stride": (int,), "head": (dict,),
    "precision": (str,), "level": (str,), "pad_side": (str,), "task": (str,),
    "optimisation": (str,), "version": (str, type(None)),
    "runtime": (str,), "provider": (str, type(None)),
    "pairs": (bool,), "spinning": (bool,), "fixed": (bool,),
    "config": (dict,), "base": (dict,), "params": (dict,), "facts": (dict,), "files": (dict,),
}  # fmt: skip
_CHOICES = {
    "precision": get_args(Precision),
    "pad_side": ("right", "left"),
    "optimisation": get_args(Optimisation),
    "runtime": get_args(Runtime),
    "provider": (None, *PROVIDERS),
}

T = TypeVar("T", Session, Release)


def _check_head(release: Release, where: str) -> None:
    """Raises BadInput when a card's `task`, `labels` and `head` don't make a task."""
    from tasks.task import task_of

    if not release.head:
        raise BadInput(f"{where}: it is missing, and the task is {release.task!r}")
    try:
        task = task_of(release.head, where)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInput(f"{where}: got {release.head!r}; it describes no task: {error}") from None
    if (task.kind, task.labels) != (release.task, release.labels):
        raise BadInput(
            f"{where}: it is of {task.kind!r} with the labels {', '.join(task.labels) or 'none'}; "
            "the card's task and labels are others"
        )


def _checked(kind: type[T], content: Any, where: str) -> T:
    if not isinstance(content, dict):
        raise BadInput(f"{where}: got {content!r}; takes keys and values")
    known = {key.name: key for key in fields(kind)}
    for name, value in content.items():
        if name not in known:
            raise BadInput(f"{where}: {name}: unknown key; known are {', '.join(known)}")
        if not isinstance(value, _KINDS.get(name, (object,))):
            takes = " or ".join(each.__name__ for each in _KINDS[name])
            raise BadInput(f"{where}: {name}: got {value!r}; takes {takes}")
        if name in _CHOICES and value not in _CHOICES[name]:
            raise BadInput(
                f"{where}: {name}: got {value!r}; takes {', '.join(map(str, _CHOICES[name]))}"
            )
    for name, key in known.items():
        required = key.default is MISSING and key.default_factory is MISSING
        if required and name not in content:
            raise BadInput(f"{where}: {name}: the key is missing")
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in content.items()}
    return kind(**values)


def _sha256(path: Path) -> str:
    """As `tasks.stage.outputs.sha256`, without what that module imports."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
