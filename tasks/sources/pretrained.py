"""Pre-trained models: what a folder must hold to be fine-tuned, checked without loading it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.sources.fetch import fetch_all
from tasks.sources.resolve import resolve_model
from tasks.sources.source import Pinned, Source
from tasks.stage.errors import BadInput
from tasks.stage.outputs import STATE, whole

WEIGHTS = ".safetensors"
INDEX = "model.safetensors.index.json"
TOKENIZERS = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "spiece.model",
    "spm.model",
    "sentencepiece.bpe.model",
    "sentencepiece.model",
    "tokenizer.model",
    "tekken.json",
)
"""What `AutoTokenizer` can build a tokenizer from; one of them is enough."""
_KEPT = (WEIGHTS, ".json", ".txt", ".model", ".bpe", ".jinja")
_HEADER_LENGTH = 8  # bytes that hold a safetensors header's size, little-endian


def pin_model(uri: str) -> dict[str, Any]:
    """`{"model", "revision", "files"}` of the model that `uri` names, after a cheap check.

    `revision` is the hub's commit, or a hash over the files' pins. Raises BadInput naming the
    file when weights, configuration or tokenizer are missing or don't fit together.
    """
    source = resolve_model(uri)
    found = source.files()
    _check_complete(uri, [file.path for file in found])
    files = [file for file in found if "/" not in file.path and file.path.endswith(_KEPT)]
    _check_fit(source, {file.path: file for file in files})
    pins = [file.to_json() for file in files]
    digest = hashlib.sha256(json.dumps(pins, sort_keys=True).encode()).hexdigest()
    return {"model": uri, "revision": files[0].revision or digest, "files": pins}


def fetch_model(base: Mapping[str, Any]) -> Path:
    """A local folder that holds exactly the files pinned in `base`, for `from_pretrained`.

    `base` is what `pin_model` gave. Raises Unavailable when a file has changed or can't be had,
    BadInput when the weights are cut off.
    """
    pins = [Pinned.from_json(file) for file in base["files"]]
    fetched = fetch_all(resolve_model(base["model"]), pins)
    for path in fetched:
        if path.name.endswith(WEIGHTS):
            _check_whole(path)
    name = hashlib.sha256(json.dumps(base["files"], sort_keys=True).encode()).hexdigest()[:16]
    target = (STATE / "cache" / f"model-{name}").absolute()
    if not target.is_dir():
        with whole(target) as draft:
            draft.mkdir()
            for pinned, path in zip(pins, fetched, strict=True):
                _link(path.resolve(), draft / pinned.path)
    return target


def _link(path: Path, target: Path) -> None:
    try:
        os.link(path, target)
    except OSError:
        shutil.copyfile(path, target)


def _check_complete(uri: str, names: list[str]) -> None:
    weights = [name for name in names if name.endswith(WEIGHTS) and "/" not in name]
    pickled = [name for name in names if name.endswith((".bin", ".pt", ".pth", ".ckpt"))]
    if not weights and pickled:
        raise BadInput(
            f"{uri} has its weights only as {pickled[0]}, a pickle, which can run code when "
            "opened: convert it once, where you trust it, with transformers: "
            "AutoModel.from_pretrained(OLD).save_pretrained(NEW), and copy the tokenizer's files"
        )
    if not weights:
        raise BadInput(f"{uri} has no weights: no *{WEIGHTS} among {_listed(names)}")
    if "config.json" not in names:
        raise BadInput(f"{uri} has no config.json, which says what the model is")
    if not set(names) & set(TOKENIZERS):
        raise BadInput(f"{uri} has no tokenizer: takes one of {', '.join(TOKENIZERS)}")


def _check_fit(source: Source, files: Mapping[str, Pinned]) -> None:
    config = _read_json(source, files["config.json"])
    if INDEX in files:
        shards = set(_read_json(source, files[INDEX]).get("weight_map", {}).values())
        for missing in sorted(shards - set(files)):
            raise BadInput(f"{source.uri}: {missing} is missing, which {INDEX} names")
    if files["config.json"].sha256 is not None:  # on this machine: a look costs nothing
        for name in sorted(files):
            if name.endswith(WEIGHTS):
                _check_whole(source.fetch(files[name]))
    known = config.get("vocab_size")
    size, name = _vocabulary(source, files)
    if isinstance(known, int) and size > known:
        raise BadInput(
            f"{source.uri}: the tokenizer doesn't fit the model: {name} has token ids up to "
            f"{size - 1:,}, config.json's vocab_size is {known:,}; take both from one model"
        )


def _vocabulary(source: Source, files: Mapping[str, Pinned]) -> tuple[int, str]:
    """One more than the largest token id, and the file that says so; 0 when it can't be told."""
    if "tokenizer.json" in files:
        content = _read_json(source, files["tokenizer.json"])
        entries = (content.get("model") or {}).get("vocab") or {}
        size = len(entries) if isinstance(entries, list) else 1 + max(entries.values(), default=-1)
        added = [token["id"] for token in content.get("added_tokens") or []]
        return max([size, *(at + 1 for at in added)]), "tokenizer.json"
    if "vocab.txt" in files:
        with open(source.fetch(files["vocab.txt"]), "rb") as file:
            return sum(1 for _ in file), "vocab.txt"
    if "vocab.json" in files:
        entries = _read_json(source, files["vocab.json"])
        return 1 + max(entries.values(), default=-1), "vocab.json"
    return 0, ""


def _check_whole(path: Path) -> None:
    """Whether a safetensors file is as long as its header says (a copy may have been cut off)."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(_HEADER_LENGTH), "little")
        try:
            header = json.loads(file.read(length)) if length < size else None
        except ValueError:
            header = None
    if not isinstance(header, dict):
        raise BadInput(f"{path.name} is not a safetensors file, or is cut off: copy it again")
    ends = [value["data_offsets"][1] for key, value in header.items() if key != "__metadata__"]
    expected = _HEADER_LENGTH + length + max(ends, default=0)
    if expected != size:
        raise BadInput(
            f"{path.name} is cut off: its header says {expected:,} bytes, it has {size:,}; "
            "copy it again"
        )


def _read_json(source: Source, pinned: Pinned) -> dict[str, Any]:
    try:
        content = json.loads(source.fetch(pinned).read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadInput(f"{source.uri}: {pinned.path} is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise BadInput(f"{source.uri}: {pinned.path} must hold a JSON object")
    return content


def _listed(names: list[str]) -> str:
    return ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
