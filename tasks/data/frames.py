"""The splits as frames to hold expectations against, with what has to be worked out first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from tasks.data.dataset import FOLDER, SPLITS, split_path
from tasks.data.normalise import text_digest

DERIVED = ("characters", "digest", "also_in", "start")
SHOWN_CHARACTERS = 80


def split_frames(folder: Path = FOLDER) -> dict[str, pd.DataFrame]:
    """Each split with its own columns and four more.

    `characters` (of all texts of the row together), `digest` (of the normalised text), `also_in`
    (the first other split with the same digest, else null) and `start` (of the text, to show).
    """
    frames = {name: pd.read_parquet(split_path(name, folder)) for name in SPLITS}
    digests = {name: _digests(frame) for name, frame in frames.items()}
    owners = {name: set(values) for name, values in digests.items()}
    for name, frame in frames.items():
        frame["characters"] = _characters(frame)
        frame["digest"] = digests[name]
        frame["also_in"] = [_elsewhere(digest, name, owners) for digest in digests[name]]
        frame["start"] = frame["text"].str.slice(0, SHOWN_CHARACTERS)
    return frames


def class_frame(
    frames: Mapping[str, pd.DataFrame], split: str, labels: Sequence[str]
) -> pd.DataFrame:
    """One row a class of `split`: id and label, rows, share, and shift of the share from train.

    The shift is what chance does not explain: the difference of the shares less three standard
    errors, so that a small split is not blamed for being small. Classes are those of `labels` and
    whatever else the split has; a class without rows counts 0.
    """
    counts = frames[split]["label"].value_counts()
    names = sorted({*labels, *counts.index})
    rows = [int(counts.get(name, 0)) for name in names]
    share = [count / max(sum(rows), 1) for count in rows]
    usual = frames["train"]["label"].value_counts(normalize=True)
    shift = [
        _beyond_chance(part, float(usual.get(name, 0.0)), sum(rows))
        for name, part in zip(names, share, strict=True)
    ]
    start = [f"{count:,} rows" for count in rows]
    content = {"id": names, "label": names, "rows": rows, "share": share, "shift": shift}
    return pd.DataFrame({**content, "start": start})


def _beyond_chance(share: float, usual: float, rows: int) -> float:
    error = math.sqrt(usual * (1 - usual) / max(rows, 1))
    return max(0.0, abs(share - usual) - 3 * error)


def _digests(frame: pd.DataFrame) -> list[str]:
    pairs = zip(frame["text"], frame["text_pair"], strict=True)
    return [text_digest([a] if pd.isna(b) else [a, b]).hex() for a, b in pairs]


def _characters(frame: pd.DataFrame) -> list[int]:
    pairs = zip(frame["text"], frame["text_pair"], strict=True)
    return [len(a) + (0 if pd.isna(b) else len(b)) for a, b in pairs]


def _elsewhere(digest: str, split: str, owners: Mapping[str, set[str]]) -> str | None:
    return next((name for name in owners if name != split and digest in owners[name]), None)
