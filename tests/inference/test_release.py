from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tasks.inference.release import (
    CARD,
    MANIFEST,
    MODEL,
    PROFILE,
    TOKENIZER,
    Release,
    Session,
    verify,
)
from tasks.stage.errors import BadInput
from tasks.task import Classification, task_of

RELEASE = Release(
    labels=("bad", "good"),
    max_length=32,
    inputs=("input_ids", "attention_mask"),
    precision="int8",
    level="layers-3",
    session=Session(threads=2, disabled=("SkipLayerNormFusion",), config={"key": "1"}),
    facts={"accuracy": 0.84},
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / MODEL).write_bytes(b"a graph")
    (tmp_path / TOKENIZER).write_text("{}")
    return tmp_path


def change(folder: Path, **keys: Any) -> None:
    card = folder / CARD
    card.write_text(json.dumps({**json.loads(card.read_text()), **keys}))


def test_what_is_written_is_read(folder: Path) -> None:
    written = RELEASE.write(folder)

    assert Release.read(folder) == written == verify(folder)
    assert sorted(written.files) == [MODEL, TOKENIZER]
    assert replace(written, files={}) == RELEASE


def test_writing_again_changes_nothing(folder: Path) -> None:
    RELEASE.write(folder)
    before = (folder / CARD).read_bytes()
    Release.read(folder).write(folder)

    assert (folder / CARD).read_bytes() == before


def test_a_digest_says_what_a_release_is_not_what_was_measured_on_it(folder: Path) -> None:
    written = RELEASE.write(folder)

    assert len(written.digest) == 64
    assert Release.read(folder).digest == written.digest
    assert replace(written, facts={"accuracy": 0.9}, version="v1.0.0").digest == written.digest
    assert replace(written, labels=("good", "bad")).digest != written.digest
    (folder / MODEL).write_bytes(b"another graph")
    assert RELEASE.write(folder).digest != written.digest


def test_the_profile_of_the_data_is_vouched_for_but_no_part_of_the_digest(folder: Path) -> None:
    without = RELEASE.write(folder)
    (folder / PROFILE).write_text("{}")
    written = RELEASE.write(folder)

    assert written.digest == without.digest
    (folder / PROFILE).write_text('{"rows": 7}')
    with pytest.raises(BadInput, match=r"profile\.json is not the file that was released"):
        verify(folder)


def test_what_is_masked_is_part_of_what_a_release_is(folder: Path) -> None:
    written = RELEASE.write(folder)
    card = json.loads((folder / CARD).read_text())
    del card["mask"]  # as on a card from before there was masking

    assert Release.of(card).digest == written.digest
    assert replace(written, mask=("email",)).digest != written.digest


def test_a_classification_keeps_the_digest_that_it_had_before_there_were_other_tasks() -> None:
    written = replace(RELEASE, files={MODEL: "0" * 64, TOKENIZER: "1" * 64})
    before = "b328de1ea1b8ea171a5d61fc3f75d7d1f506f0a67f1b0e2651cd37f09b2368b4"

    assert written.digest == before
    assert replace(written, stride=8).digest != before
    assert written.answering(task_of({"kind": "regression", "mean": 3.0})).digest != before
    assert written.answering(Classification(("bad", "good"))) == written


def test_a_manifest_vouches_for_the_card(folder: Path) -> None:
    RELEASE.write(folder)
    digest = hashlib.sha256((folder / CARD).read_bytes()).hexdigest()
    manifest = folder / MANIFEST
    manifest.write_text(json.dumps({"files": {CARD: {"sha256": digest}}}))
    verify(folder)

    change(folder, max_length=64)
    with pytest.raises(BadInput, match=r"release\.json is not the card that was published"):
        verify(folder)
    manifest.write_text("{}")
    with pytest.raises(BadInput, match=r"manifest\.json is not a manifest"):
        verify(folder)


def test_a_card_vouches_for_files_that_are_there(folder: Path) -> None:
    (folder / TOKENIZER).unlink()

    with pytest.raises(BadInput, match=TOKENIZER):
        RELEASE.write(folder)


@pytest.mark.parametrize("name", [CARD, MODEL, TOKENIZER])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    RELEASE.write(folder)
    (folder / name).unlink()

    with pytest.raises(BadInput, match=f"{name} is missing"):
        Release.read(folder)


@pytest.mark.parametrize("name", [MODEL, TOKENIZER])
def test_a_changed_file_is_named(folder: Path, name: str) -> None:
    RELEASE.write(folder)
    (folder / name).write_bytes(b"another")

    with pytest.raises(BadInput, match=f"{name} is not the file that was released"):
        verify(folder)


def test_a_file_of_the_release_that_went_missing_is_named(folder: Path) -> None:
    (folder / "model.onnx.data").write_bytes(b"weights")
    RELEASE.write(folder)
    (folder / "model.onnx.data").unlink()

    with pytest.raises(BadInput, match=r"model\.onnx\.data is missing"):
        verify(folder)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"format": 99}, "format: got 99; this version of nightshift reads 1"),
        ({"colour": "red"}, "colour: unknown key; known are labels, max_length"),
        ({"labels": "bad"}, "labels: got 'bad'; takes list or tuple"),
        ({"mask": "email"}, "mask: got 'email'; takes list or tuple"),
        ({"precision": "int2"}, "precision: got 'int2'; takes fp32, fp16, int8"),
        ({"session": {"runtime": "tvm"}}, "session: runtime: got 'tvm'; takes onnxruntime, openv"),
        (
            {"session": {"provider": "mine.so"}},
            "session: provider: got 'mine.so'; takes None, CUDAExecutionProvider",
        ),
        ({"session": {"options": {"backend_path": "mine.so"}}}, "options: unknown key"),
        ({"session": {"speed": 11}}, "session: speed: unknown key; known are threads"),
        ({"session": None}, "session: got None; takes keys and values"),
        ({"files": {}}, "it has no checksum for model.onnx"),
    ],
)
def test_a_wrong_card_is_one_clear_line(folder: Path, keys: Any, message: str) -> None:
    RELEASE.write(folder)
    change(folder, **keys)

    with pytest.raises(BadInput) as error:
        verify(folder)
    assert message in str(error.value)


def test_a_missing_key_is_named(folder: Path) -> None:
    RELEASE.write(folder)
    content = json.loads((folder / CARD).read_text())
    del content["labels"]
    (folder / CARD).write_text(json.dumps(content))

    with pytest.raises(BadInput, match="labels: the key is missing"):
        Release.read(folder)


def test_reading_a_card_needs_the_standard_library_alone() -> None:
    code = (
        "import sys; import tasks.inference.release; "
        "print({'numpy', 'onnxruntime', 'psutil', 'torch'} & set(sys.modules))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "set()"
