"""A fresh tiny model and texts for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.made import Parts, make_parts


@pytest.fixture
def parts(tiny_model: Path, workspace: Path) -> Parts:
    """A fresh model with dropout, 128 texts to train on, 64 to choose by."""
    return make_parts(tiny_model)
