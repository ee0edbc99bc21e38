"""What the long proofs of `tests.kinds` stand on, small."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from tests import kinds
from tests.characters import make_encoder

TEXTS = ["北京的film很好", "北京，very dull", "好２０"]


@pytest.fixture(scope="module")
def encoder(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_encoder(tiny_model, TEXTS, tmp_path_factory.mktemp("model") / "characters")


def test_characters_that_stand_twice_are_tokens(encoder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(encoder)

    found = tokenizer("北京很FILM", return_offsets_mapping=True)

    tokens = ["[CLS]", "北", "京", "[UNK]", "film", "[SEP]"]  # 很 stands once
    assert tokenizer.convert_ids_to_tokens(found["input_ids"]) == tokens
    assert found["offset_mapping"][1:5] == [(0, 1), (1, 2), (2, 3), (3, 7)]


def test_full_width_is_read_as_the_old_tokens(encoder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(encoder)

    assert tokenizer.tokenize("ｆｉｌｍ，") == tokenizer.tokenize("film,")


def test_old_tokens_keep_their_embeddings_and_layers_stay(encoder: Path, tiny_model: Path) -> None:
    new, old = AutoModel.from_pretrained(encoder), AutoModel.from_pretrained(tiny_model)
    places = AutoTokenizer.from_pretrained(encoder).vocab
    before = AutoTokenizer.from_pretrained(tiny_model).vocab
    rows = new.get_input_embeddings().weight

    assert len(rows) == len(places)
    kept = old.get_input_embeddings().weight[before["film"]]
    assert torch.equal(rows[places["film"]], kept)
    assert torch.equal(new.encoder.layer[3].output.dense.weight,
                       old.encoder.layer[3].output.dense.weight)  # fmt: skip
    assert rows[places["北"]].std() < 10 * kept.std()


def test_the_encoder_is_the_same_each_time(encoder: Path, tiny_model: Path, tmp_path: Path) -> None:
    again = make_encoder(tiny_model, TEXTS, tmp_path / "again")

    for name in ("model.safetensors", "tokenizer.json"):
        assert (again / name).read_bytes() == (encoder / name).read_bytes()


def test_four_models_weigh_and_take_what_they_do_together(
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = {"weights_mb": 17.5}

    kinds.print_row("four models", {"movies": 0.845, "nyt": 0.75}, [model, model], [0.6, 0.6])

    assert capsys.readouterr().out.split()[1:] == ["four", "models", "84.50%", "75.00%",
                                                   "35.0", "1.20"]  # fmt: skip


def test_releases_race_on_the_same_texts(tmp_path: Path, tiny_release: Path) -> None:
    (tmp_path / "data" / "dataset").mkdir(parents=True)
    texts = pd.DataFrame({"text": [f"the film is {word}" for word in ("dull", "superb")] * 100})
    texts.to_parquet(tmp_path / "data" / "dataset" / "test.parquet")

    took = kinds.race({"one": tiny_release, "other": tiny_release}, tmp_path)

    assert list(took) == ["one", "other"]
    assert all(0 < ms < 100 for ms in took.values())


def test_a_proof_says_figures_drops_sizes_and_speeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_reports(tmp_path)
    monkeypatch.setattr(kinds, "clone", lambda *_: tmp_path)
    monkeypatch.setattr(kinds, "run", lambda *_: 61.0)

    kinds.finish("ratings", {})

    assert capsys.readouterr().out.splitlines() == [
        "PROOF ratings: spearman, fine-tuned 0.7000 validation, 0.6900 test; release level1-int8 "
        "0.6950 validation, 0.6880 test; points lost +0.50 validation, +0.20 test; 7.5x, batches "
        "9.0x; 17.2 MB for 91.0; 61 s",
        "PROOF ratings: on test spearman 0.6880, pearson 0.7000; without a transformer the mean "
        "0.0000",
        "PROOF ratings: careful: nothing is within its drop",
        "PROOF ratings: fast: level1-int8, 7.5x, batches 9.0x, 17.2 MB, +0.20 points lost on test",
    ]


def write_reports(folder: Path) -> None:
    """What `finish` reads of a benchmark's reports."""

    def score(figure: float, drop: float = 0.0) -> dict[str, Any]:
        return {"figure": figure, "drop": drop, "others": {"spearman": figure, "pearson": 0.7}}

    def contender(name: str, megabytes: float, *scores: dict[str, Any]) -> dict[str, Any]:
        splits = dict(zip(("validation", "test"), scores, strict=True))
        speed = {"speedup": {"median": 7.5}, "throughput_speedup": {"median": 9.0}}
        return {"name": name, "weights_mb": megabytes, "speed": speed, **splits}

    rows = [
        contender("transformers.pipeline", 91.0, score(0.7), score(0.69)),
        contender("level1-int8", 17.2, score(0.695, 0.5), score(0.688, 0.2)),
    ]
    honest = [{"key": "mean", "name": "the mean", "test": score(0.0)}]
    report = {
        "metric": "spearman",
        "chosen": rows[1]["name"],
        "contenders": rows,
        "honest": honest,
        "presets": {"careful": None, "fast": rows[1]["name"]},
    }
    speeds = {"speedup": 7.5, "throughput_speedup": 9.0}
    (folder / "reports").mkdir()
    for name, content in {"benchmark": report, "metrics": {"release": speeds}}.items():
        (folder / "reports" / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
