"""The parts of a release in memory: tokenizer, masker, session."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import onnxruntime
from tokenizers import Tokenizer

from tasks.inference.release import PROVIDERS, Session
from tasks.masking import Masker
from tasks.stage.errors import BadInput

LEVELS = {
    "none": onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
    "basic": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "extended": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
}
ERRORS_ONLY = 3
CPU = "CPUExecutionProvider"


def load_tokenizer(path: Path, max_length: int, stride: int | None) -> Tokenizer:
    """A tokenizer that cuts at `max_length` tokens.

    With a `stride` what is left makes further windows, which repeat that many tokens each.
    """
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing narrower
        raise BadInput(f"{path} is not a tokenizer: {error}") from None
    side = (tokenizer.truncation or {}).get("direction", "right")
    if stride is None:
        tokenizer.enable_truncation(max_length, direction=side)
    else:
        tokenizer.enable_truncation(max_length, stride=stride, direction="right")
    tokenizer.no_padding()
    return tokenizer


def load_masker(card: Path, kinds: Sequence[str]) -> Masker | None:
    """What masks some kinds of personal data; None when there are none to mask."""
    try:
        return Masker(kinds) if kinds else None
    except BadInput as error:
        raise BadInput(f"{card}: {error}") from None


def load_session(
    path: Path, settings: Session, threads: int, outputs: Collection[str], at_once: int = 1
) -> Any:
    """What runs a graph that has `outputs`, by `run(outputs, feeds)`, with `threads` a run.

    `at_once` callers may run it at a time. Where the execution provider that the release names is
    missing, the CPU's takes over, and a warning says so.
    """
    if settings.runtime == "openvino":
        from tasks.inference.openvino import OpenVino

        session: Any = OpenVino(path, threads, at_once)
        known = session.outputs
    else:
        session = _onnxruntime(path, settings, threads)
        known = [output.name for output in session.get_outputs()]
    missing = ", ".join(name for name in outputs if name not in known)
    if missing:
        raise BadInput(f"{path}: the graph has no output {missing}; it has {', '.join(known)}")
    return session


def _onnxruntime(path: Path, settings: Session, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = LEVELS[settings.optimisation]
    options.log_severity_level = ERRORS_ONLY
    spinning = "1" if settings.spinning else "0"
    options.add_session_config_entry("session.intra_op.allow_spinning", spinning)
    for key, value in settings.config.items():
        options.add_session_config_entry(key, value)
    wanted: list[Any] = [CPU]
    if settings.provider is not None and settings.provider in onnxruntime.get_available_providers():
        wanted.insert(0, (settings.provider, PROVIDERS[settings.provider]))
    try:
        session = onnxruntime.InferenceSession(
            str(path), options, wanted, disabled_optimizers=settings.disabled
        )
    except Exception as error:  # the library's own exceptions share no base class
        why = " ".join(str(error).split())
        raise BadInput(f"{path}: ONNX Runtime can't load it: {why}") from None
    if settings.provider not in (None, session.get_providers()[0]):
        warnings.warn(
            f"{path.parent}: made for {settings.provider}, which ONNX Runtime has not here; "
            "it runs on the CPU, slowly",
            RuntimeWarning,
            stacklevel=2,
        )
    return session
