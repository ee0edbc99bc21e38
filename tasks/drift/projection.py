"""Vectors in few dimensions and few bytes, to be kept with a release."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

DIMENSIONS = 64
"""Distances survive a random projection (Johnson and Lindenstrauss, 1984), so do differences."""
SEED = 17
STEPS = 32
"""Of int8 for a standard deviation: it reaches four of them to either side."""
DIGITS = 4


def project(vectors: npt.NDArray[Any]) -> Floats:
    """Unit vectors in at most DIMENSIONS random directions, always the same ones, float64."""
    size = vectors.shape[1]
    # of NumPy's generators the one whose numbers never change
    directions = np.random.RandomState(SEED).standard_normal((size, min(size, DIMENSIONS)))
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12) @ directions, np.float64)


def pack(projected: Floats) -> dict[str, Any]:
    """Projected vectors as JSON: a byte a figure, with each dimension's mean and spread."""
    middle, spread = projected.mean(axis=0), projected.std(axis=0)
    scale = {"mean": _rounded(middle), "spread": _rounded(np.maximum(spread, 10.0**-DIGITS))}
    values = base64.b64encode(_quantised(projected, scale).tobytes()).decode()
    return {**scale, "rows": len(projected), "values": values}


def unpack(packed: Mapping[str, Any]) -> Floats:
    """The vectors in standard deviations from the mean, float64 [rows, dimensions]."""
    flat = np.frombuffer(base64.b64decode(packed["values"]), np.int8)
    return flat.reshape(packed["rows"], len(packed["mean"])) / STEPS


def on_scale_of(projected: Floats, packed: Mapping[str, Any]) -> Floats:
    """Other vectors as `unpack` would give them, had they been packed together with those."""
    return _quantised(projected, packed) / STEPS


def _quantised(projected: Floats, scale: Mapping[str, Any]) -> npt.NDArray[np.int8]:
    steps = (projected - np.array(scale["mean"])) / np.array(scale["spread"]) * STEPS
    return np.asarray(np.clip(np.rint(steps), -127, 127), np.int8)


def _rounded(values: Floats) -> list[float]:
    return [round(float(value), DIGITS) for value in values]
