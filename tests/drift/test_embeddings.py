from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import AutoConfig, AutoModel, AutoTokenizer

from tasks.drift import embeddings
from tasks.drift.embeddings import embed, encoder_id
from tasks.stage.errors import BadInput
from tests.drift.data import pin_base
from tests.made import SIZES

TEXTS = ["the film is dull", "a brilliant plot from the first minute to the last", "funny"]


@pytest.fixture
def base(workspace: Path, tiny_model: Path) -> Path:
    return pin_base(tiny_model)


def test_a_vector_a_text_in_their_order(base: Path) -> None:
    found = embed(TEXTS, base)
    assert found.shape == (3, 32)
    assert found.dtype == np.float32
    assert embed(TEXTS[::-1], base)[::-1] == pytest.approx(found, abs=0.02)
    assert np.abs(found[0] - found[2]).max() > 0.1


def test_it_is_the_mean_of_the_last_hidden_states(base: Path, tiny_model: Path) -> None:
    inputs = AutoTokenizer.from_pretrained(tiny_model)(TEXTS[1], return_tensors="pt")
    hidden = AutoModel.from_pretrained(tiny_model)(**inputs).last_hidden_state[0]
    wanted = hidden.mean(dim=0).numpy(force=True)
    assert embed(TEXTS, base)[1] == pytest.approx(wanted, abs=0.05)  # bf16 where the CPU has it


def test_twice_the_same_is_the_same_to_the_bit(base: Path) -> None:
    assert (embed(TEXTS, base) == embed(TEXTS, base)).all()


def test_pairs_and_no_texts(base: Path) -> None:
    assert embed([("the film", "is dull")], base).shape == (1, 32)
    assert embed([], base).shape[0] == 0


def test_a_long_text_counts_by_its_beginning(base: Path) -> None:
    long = " ".join(["funny"] * 500)
    assert embed([long], base) == pytest.approx(embed([f"{long} dull"], base))


@pytest.mark.parametrize("kind", ["distilbert", "gpt2", "t5"])
def test_other_families_work_as_well(kind: str, workspace: Path, tiny_model: Path) -> None:
    """An encoder without token types, a decoder, and an encoder with a decoder."""
    known = AutoConfig.for_model(kind).to_dict()
    sizes = {**SIZES, "vocab_size": 400, "n_embd": 16, "n_head": 2, "n_layer": 2, "n_positions": 40,
             "d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 2, "num_heads": 2}  # fmt: skip
    config = AutoConfig.for_model(kind, **{k: v for k, v in sizes.items() if k in known})
    model: Any = AutoModel
    model.from_config(config).save_pretrained(kind)
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(kind)

    assert embed(TEXTS, pin_base(Path(kind))).shape == (3, 16)


def test_a_model_that_cannot_be_loaded_says_why(workspace: Path, tiny_model: Path) -> None:
    folder = workspace / "strange"
    folder.mkdir()
    for path in tiny_model.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "nobody_knows"}))
    with pytest.raises(BadInput, match="the base model can't be loaded to look at texts with: "):
        embed(TEXTS, pin_base(folder))


def test_a_model_too_large_to_look_with(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "LARGEST_BYTES", 1_000)
    with pytest.raises(BadInput, match=r"GB of weights, too many to look at data with on a CPU"):
        embed(TEXTS, base)


def test_without_a_pinned_model_it_says_what_to_run(workspace: Path) -> None:
    with pytest.raises(BadInput, match=r"models/base\.json is not there: run snapshot first"):
        embed(TEXTS)


def test_an_encoder_is_known_by_its_files(base: Path, workspace: Path, tiny_model: Path) -> None:
    first = encoder_id(base)
    assert encoder_id(pin_base(tiny_model)) == first
    pinned = json.loads(base.read_text())
    pinned["files"][0]["sha256"] = "0" * 64
    base.write_text(json.dumps(pinned))
    assert encoder_id(base) != first
