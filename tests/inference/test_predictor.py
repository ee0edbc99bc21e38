from __future__ import annotations

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.inference import Predictor
from tasks.inference.batching import TOKENS_AT_ONCE, plan_batches
from tasks.inference.release import MODEL, Release, Session
from tasks.stage.errors import BadInput

TEXTS = [
    "the film is wonderful",
    "dull",
    "i found the plot clumsy , and so did everybody else in the room",
    "",
    "a superb cast from the first minute to the last",
    "boring script , what else is there to say",
    "tone tone",
    "gripping " * 40,
] * 7
CLOSE = 1e-4


@pytest.fixture(scope="module")
def predictor(tiny_release: Path) -> Predictor:
    return Predictor.load(tiny_release, threads=2)


def test_it_answers_as_pytorch_does(predictor: Predictor, tiny_classifier: Path) -> None:
    import torch

    from tasks.training.classifier import load_finetuned, load_tokenizer

    tokenizer, model = load_tokenizer(tiny_classifier), load_finetuned(tiny_classifier, "eager")
    with torch.no_grad():
        inputs = tokenizer(TEXTS, padding=True, truncation=True, return_tensors="pt")
        expected = model.eval()(**inputs).logits.numpy()

    np.testing.assert_allclose(predictor.logits(TEXTS), expected, atol=CLOSE)
    assert np.ptp(expected[:, 0]) > 100 * CLOSE  # texts differ, so their order is tested too


@pytest.mark.parametrize("batch_size", [1, 2, 5, 32])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_neither_batches_nor_threads_change_the_answer(
    predictor: Predictor, tiny_release: Path, batch_size: int, threads: int
) -> None:
    one_at_a_time = np.concatenate([predictor.logits([text]) for text in TEXTS])
    other = Predictor.load(tiny_release, threads=threads)

    np.testing.assert_allclose(other.logits(TEXTS, batch_size), one_at_a_time, atol=CLOSE)


@pytest.mark.parametrize(("alone", "threads", "expected"), [(1, 2, 1), (2, 3, 2), (8, 2, 2)])
def test_one_text_has_the_threads_that_the_release_says_and_may_have(
    predictor: Predictor,
    tiny_release: Path,
    tmp_path: Path,
    alone: int,
    threads: int,
    expected: int,
) -> None:
    folder = Path(shutil.copytree(tiny_release, tmp_path / "release"))
    replace(Release.read(folder), session=Session(alone=alone)).write(folder)
    other = Predictor.load(folder, threads=threads)
    assert other._session.get_session_options().intra_op_num_threads == expected
    np.testing.assert_allclose(other.logits(TEXTS, 4), predictor.logits(TEXTS, 4), atol=CLOSE)
    assert other._pool is not None
    assert (other._pool.session is other._session) == (expected == 1), "one less to keep"


def test_a_prediction_has_a_label_and_every_probability(predictor: Predictor) -> None:
    for found in predictor(TEXTS[:3]):
        assert found.scores is not None
        assert set(found.scores) == {"bad", "good"}
        assert sum(found.scores.values()) == pytest.approx(1)
        assert found.label == max(found.scores, key=lambda label: found.scores[label])
        assert found.score == found.scores[found.label]
        assert found.value is None
        assert found.entities is None


def test_a_long_text_is_cut_to_the_length_it_was_trained_on(predictor: Predictor) -> None:
    long = "the film is dull " * 500
    special = 2
    kept = " ".join(long.split()[: 32 - special])

    np.testing.assert_allclose(predictor.logits([long]), predictor.logits([kept]), atol=CLOSE)


def test_nothing_in_nothing_out(predictor: Predictor) -> None:
    assert predictor([]) == []
    assert predictor.logits([]).shape == (0, 2)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["fine", None], r"texts\[1\]: got None; this release takes a text"),
        (["fine", b"bytes"], r"texts\[1\]: got bytes"),
        ([("a", "pair")], r"texts\[0\]: got tuple; this release takes a text"),
        ("a text", "takes a list of texts, got one text"),
    ],
)
def test_what_is_not_a_text_is_named(predictor: Predictor, texts: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        predictor(texts)


def test_pairs(tiny_release: Path, tiny_classifier: Path, tmp_path: Path) -> None:
    import torch

    from tasks.training.classifier import load_finetuned, load_tokenizer

    folder = shutil.copytree(tiny_release, tmp_path / "pairs")
    replace(Release.read(folder), pairs=True).write(folder)
    predictor = Predictor.load(folder)
    pairs = [("the film is dull", "a superb cast"), ("funny", ""), ("awful " * 40, "tone " * 3)]
    tokenizer, model = load_tokenizer(tiny_classifier), load_finetuned(tiny_classifier, "eager")
    first, second = (list(column) for column in zip(*pairs, strict=True))
    with torch.no_grad():
        inputs = tokenizer(first, second, padding=True, truncation=True, return_tensors="pt")
        expected = model.eval()(**inputs).logits.numpy()

    np.testing.assert_allclose(predictor.logits(pairs), expected, atol=CLOSE)
    np.testing.assert_allclose(predictor.logits(pairs[:1]), expected[:1], atol=CLOSE)
    with pytest.raises(TypeError, match=r"texts\[1\]: got str; this release takes a pair"):
        predictor([pairs[0], "single"])


def test_a_release_that_says_so_never_sees_personal_data(
    tiny_release: Path, tmp_path: Path, predictor: Predictor
) -> None:
    folder = shutil.copytree(tiny_release, tmp_path / "masked")
    replace(Release.read(folder), mask=("email", "phone")).write(folder)
    masked = Predictor.load(folder, threads=2)
    texts = ["the plot is dull , write to ann@example.com", "call 206-269-0743 , a superb cast"]
    hidden = ["the plot is dull , write to [EMAIL]", "call [PHONE] , a superb cast"]

    np.testing.assert_array_equal(masked.logits(texts), predictor.logits(hidden))
    np.testing.assert_array_equal(masked.logits(texts[:1]), predictor.logits(hidden[:1]))
    assert not np.array_equal(predictor.logits(texts), predictor.logits(hidden))


def test_both_texts_of_a_pair_are_masked(tiny_release: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_release, tmp_path / "masked")
    replace(Release.read(folder), mask=("email",), pairs=True).write(folder)
    predictor = Predictor.load(folder)

    found = predictor.logits([("a dull film", "ask ann@example.com"), ("ann@example.com", "dull")])
    expected = predictor.logits([("a dull film", "ask [EMAIL]"), ("[EMAIL]", "dull")])
    np.testing.assert_array_equal(found, expected)


def test_a_kind_that_nobody_can_mask_is_named(tiny_release: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_release, tmp_path / "unknown")
    replace(Release.read(folder), mask=("email", "face")).write(folder)

    with pytest.raises(BadInput, match=r"release\.json: mask: got 'face'; known kinds are email"):
        Predictor.load(folder)


def test_many_threads_may_share_it(tiny_release: Path) -> None:
    predictor = Predictor.load(tiny_release, threads=2)
    lists = [TEXTS[start : start + 1 + start % 5] for start in range(30)]
    expected = [predictor.logits(texts) for texts in lists]

    fresh = Predictor.load(tiny_release, threads=2)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(fresh.logits, lists))

    for mine, alone in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, alone, atol=CLOSE)


def test_batches_hold_their_limits_and_every_row_once() -> None:
    lengths = [3, 500, 40, 40, 1, 700, 2, 900] * 9
    batches = plan_batches(lengths, batch_size=4)

    assert sorted(row for rows in batches for row in rows) == list(range(len(lengths)))
    for rows in batches:
        tokens = len(rows) * max(lengths[row] for row in rows)
        assert len(rows) <= 4
        assert len(rows) == 1 or tokens <= TOKENS_AT_ONCE


def test_a_damaged_model_is_refused(tiny_release: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_release, tmp_path / "damaged")
    with open(folder / MODEL, "r+b") as model:
        model.seek(-1, 2)
        model.write(b"?")

    with pytest.raises(BadInput, match=r"model\.onnx is not the file that was released"):
        Predictor.load(folder)


def test_a_graph_that_is_none_is_a_clear_error(tiny_release: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_release, tmp_path / "none")
    (folder / MODEL).write_bytes(b"not a graph")
    Release.read(folder).write(folder)

    with pytest.raises(BadInput, match="ONNX Runtime can't load it"):
        Predictor.load(folder)


def test_serving_imports_onnxruntime_and_tokenizers_and_nothing_else_that_is_big(
    tiny_release: Path,
) -> None:
    code = (
        "import sys; from tasks.inference import Predictor; "
        f"print(len(Predictor.load({str(tiny_release)!r})(['one', 'two', 'three']))); "
        "big = {'torch', 'transformers', 'pandas', 'pydantic', 'pyarrow', 'onnx', 'sklearn', "
        "'boto3', 'psutil', 'yaml'}; print(big & set(sys.modules))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert told.stdout.split() == ["3", "set()"]
