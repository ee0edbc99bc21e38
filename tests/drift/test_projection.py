from __future__ import annotations

import json

import numpy as np
import pytest

from tasks.drift.projection import DIMENSIONS, on_scale_of, pack, project, unpack


def vectors(rows: int, size: int = 384) -> np.ndarray:
    return np.random.default_rng(rows).normal(size=(rows, size)).astype(np.float32)


def test_distances_survive() -> None:
    found, whole = project(vectors(40)), vectors(40)
    whole /= np.linalg.norm(whole, axis=1, keepdims=True)
    assert found.shape == (40, DIMENSIONS)
    ratios = np.linalg.norm(found[1:] - found[0], axis=1) / np.linalg.norm(
        whole[1:] - whole[0], axis=1
    )
    assert ratios.std() / ratios.mean() < 0.2


def test_the_directions_never_change() -> None:
    assert project(np.eye(384)[:1])[0, :3].round(4).tolist() == [0.2763, -1.8546, 0.6239]


def test_packed_vectors_are_json_of_a_byte_a_figure() -> None:
    packed = pack(project(vectors(1000)))
    assert len(json.dumps(packed)) < 100_000
    assert json.loads(json.dumps(packed)) == packed


def test_what_is_packed_comes_back_on_one_scale() -> None:
    projected = project(vectors(500))
    packed = pack(projected)
    found = unpack(packed)
    assert found == pytest.approx(on_scale_of(projected, packed))
    assert found.mean() == pytest.approx(0, abs=0.01)
    assert found.std() == pytest.approx(1, abs=0.02)


def test_small_models_and_equal_vectors_are_no_error() -> None:
    assert project(vectors(4, size=32)).shape == (4, 32)
    assert np.isfinite(unpack(pack(project(np.zeros((5, 32)))))).all()
