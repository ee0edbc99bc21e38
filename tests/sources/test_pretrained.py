from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from tasks.sources.pretrained import fetch_model, pin_model
from tasks.stage.errors import BadInput, Unavailable


@pytest.fixture
def model(workspace: Path) -> Path:
    """A folder that looks like a pre-trained model with five tokens."""
    folder = workspace / "model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", "vocab_size": 5}))
    vocabulary = {f"token{at}": at for at in range(5)}
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": vocabulary}}))
    save_file({"w": np.zeros((5, 2), np.float32)}, folder / "model.safetensors")
    (folder / "README.md").write_text("not needed")
    return folder


def test_a_whole_model_is_pinned_and_fetched(model: Path) -> None:
    base = pin_model(str(model))

    names = ["config.json", "model.safetensors", "tokenizer.json"]
    assert [file["path"] for file in base["files"]] == names
    assert base == pin_model(str(model))
    assert sorted(path.name for path in fetch_model(base).iterdir()) == names


def test_the_same_model_in_a_bucket(model: Path, s3: Any, bucket: str) -> None:
    for path in model.iterdir():
        s3.upload_file(str(path), bucket, f"models/tiny/{path.name}")

    base = pin_model(f"s3://{bucket}/models/tiny")

    fetched = fetch_model(base) / "model.safetensors"
    assert fetched.read_bytes() == (model / "model.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("model.safetensors", r"has no weights: no \*\.safetensors among README\.md, config"),
        ("config.json", r"has no config\.json"),
        ("tokenizer.json", r"has no tokenizer: takes one of tokenizer\.json, vocab\.txt"),
    ],
)
def test_a_missing_file_is_named(model: Path, missing: str, message: str) -> None:
    (model / missing).unlink()
    with pytest.raises(BadInput, match=message):
        pin_model(str(model))


def test_pickled_weights_are_refused_with_the_way_out(model: Path) -> None:
    (model / "model.safetensors").rename(model / "pytorch_model.bin")
    with pytest.raises(BadInput, match=r"only as pytorch_model\.bin, a pickle.*save_pretrained"):
        pin_model(str(model))


@pytest.mark.parametrize("kind", ["tokenizer.json", "added", "unigram", "vocab.txt", "vocab.json"])
def test_a_tokenizer_larger_than_the_model_is_refused(model: Path, kind: str) -> None:
    six = {f"token{at}": at for at in range(6)}
    contents: dict[str, Any] = {
        "tokenizer.json": {"model": {"vocab": six}},
        "added": {"model": {"vocab": {}}, "added_tokens": [{"id": 5, "content": "[NEW]"}]},
        "unigram": {"model": {"vocab": [[token, 0.0] for token in six]}},
        "vocab.json": six,
    }
    (model / "tokenizer.json").unlink()
    if kind == "vocab.txt":
        (model / kind).write_text("\n".join(six) + "\n")
    else:
        name = "vocab.json" if kind == "vocab.json" else "tokenizer.json"
        (model / name).write_text(json.dumps(contents[kind]))

    with pytest.raises(BadInput, match=r"doesn't fit the model: .* up to 5, .* vocab_size is 5"):
        pin_model(str(model))


def test_weights_that_were_cut_off(model: Path) -> None:
    path = model / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(BadInput, match=r"model\.safetensors is cut off: its header says"):
        pin_model(str(model))


def test_a_shard_that_is_missing(model: Path) -> None:
    index = {"weight_map": {"w": "model-00001-of-00002.safetensors"}}
    (model / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(BadInput, match=r"model-00001-of-00002\.safetensors is missing"):
        pin_model(str(model))


def test_a_model_that_changed_after_the_snapshot(model: Path) -> None:
    base = pin_model(str(model))
    (model / "config.json").write_text("{}")
    with pytest.raises(Unavailable, match=r"config\.json has changed"):
        fetch_model(base)


def test_a_hub_id_without_network_names_both_possibilities() -> None:
    code = (
        "from tasks.sources.pretrained import pin_model\n"
        "from tasks.stage.errors import Unavailable\n"
        "try: pin_model('org/name')\n"
        "except Unavailable as error: print(error)\n"
    )
    environment = {"HF_HUB_OFFLINE": "1", "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert "org/name: there is no such folder here, and as a hub id it can't be" in done.stdout


def test_a_path_is_never_taken_for_a_hub_id(workspace: Path) -> None:
    with pytest.raises(BadInput, match=r"\./models/mine does not exist"):
        pin_model("./models/mine")
