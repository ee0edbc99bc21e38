"""A model to make smaller."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.finetune import finetune
from tasks.params.finetune import Finetune
from tests.training.made import SMALL_STAGE, approve


@pytest.fixture
def finetuned(tiny_model: Path, workspace: Path) -> Path:
    """A workspace with a fine-tuned model of four layers with four heads each."""
    approve(workspace, tiny_model)
    finetune(Finetune(**{**SMALL_STAGE, "epochs": 2}))
    return workspace
