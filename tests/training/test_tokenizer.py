"""What is saved of a tokenizer is the model's, and nothing of the machine it was loaded on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.made import environment

SAVE = """
import sys
from pathlib import Path
from tasks.training.classifier import load_tokenizer
load_tokenizer(Path(sys.argv[1]), 32).save_pretrained(sys.argv[2])
"""


def test_with_a_network_and_without_the_same_files_are_saved(
    tiny_model: Path, tmp_path: Path
) -> None:
    for offline in ("0", "1"):
        variables = environment(HF_HUB_OFFLINE=offline)
        command = [sys.executable, "-c", SAVE, str(tiny_model), str(tmp_path / offline)]
        subprocess.run(command, env=variables, check=True)
    names = sorted(path.name for path in (tmp_path / "0").iterdir())
    assert "tokenizer_config.json" in names
    for name in names:
        assert (tmp_path / "0" / name).read_bytes() == (tmp_path / "1" / name).read_bytes(), name
