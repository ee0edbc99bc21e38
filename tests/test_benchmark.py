from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tasks.benchmark import benchmark
from tasks.data.dataset import SCHEMA, split_path, write_table
from tasks.inference import Predictor
from tasks.inference.quantisation import quantise
from tasks.inference.release import CARD, MODEL, PROFILE, Release, Session, verify
from tasks.params.benchmark import Benchmark
from tasks.stage.errors import BadInput
from tasks.stage.outputs import read_json, sha256, write_json
from tests.inference.made import KINDS, make_release

TEXTS = [f"the {thing} is {word}" for thing in ("film", "plot", "cast", "tone")
         for word in ("dull", "funny", "awful", "tender")]  # fmt: skip
QUICK = Benchmark(rounds=2, texts=3, batch=4, threads=1, max_drop=100, price_per_hour=1)


@pytest.fixture
def measured(workspace: Path, tiny_classifier: Path, tiny_release: Path) -> Path:
    """A workspace as export leaves it: a dataset, a fine-tuned model, two variants of it."""
    shutil.copytree(tiny_classifier, "models/finetuned")
    shutil.copytree(tiny_release, "models/onnx/finetuned-fp32")
    int8 = Path(shutil.copytree(tiny_release, "models/onnx/finetuned-int8"))
    quantise(tiny_release / MODEL, int8 / MODEL)
    Release(("bad", "good"), 32, Release.read(int8).inputs, "int8", "finetuned").write(int8)
    for split in ("train", "validation", "test"):
        columns: dict[str, list[Any]] = {name: [None] * len(TEXTS) for name in SCHEMA.names}
        columns["id"] = [f"{split}-{i}" for i in range(len(TEXTS))]
        columns["text"] = TEXTS
        columns["label"] = ["good" if text.endswith(("funny", "er")) else "bad" for text in TEXTS]
        write_table(pa.table(columns, schema=SCHEMA), split_path(split))
    write_json("data/profile.json", {"version": 1, "newest": "2026-01-29"})
    return workspace


def test_from_variants_to_a_release(measured: Path) -> None:
    found = benchmark(QUICK)

    rows = {row["name"]: row for row in found["contenders"]}
    assert list(rows) == ["transformers.pipeline", "finetuned-fp32", "finetuned-int8"]
    assert rows["finetuned-fp32"]["validation"]["drop"] == 0
    assert rows["finetuned-fp32"]["test"]["figure"] == found["metrics"]["finetuned_accuracy"]
    assert rows["finetuned-int8"]["weights_mb"] < rows["finetuned-fp32"]["weights_mb"]
    assert rows["transformers.pipeline"]["speed"]["speedup"]["median"] == 1
    assert rows["finetuned-fp32"]["speed"]["speedup"]["median"] > 1

    check_release(found)
    check_evidence(found)


def check_release(found: dict[str, Any]) -> None:
    release = verify("models/release")
    chosen = Path("models/onnx") / found["chosen"]
    assert release.files.pop(PROFILE) == sha256(Path("models/release") / PROFILE)
    assert release.files == Release.read(chosen).files
    check_profile(found)
    assert release.facts["latency_ms"] == found["metrics"]["release_latency_ms"]
    assert (release.facts["metric"], release.facts["figure"]) == (
        "accuracy",
        found["metrics"]["release_accuracy"],
    )
    assert release.version is None
    assert sorted(path.name for path in Path("models/release").iterdir()) == sorted(
        [CARD, MODEL, PROFILE, "tokenizer.json"]
    )
    with open("reports/plots/confusion.csv", newline="") as file:
        told = [row["predicted"] for row in csv.DictReader(file)]
    assert told == [each.label for each in Predictor.load("models/release")(TEXTS, batch_size=4)]


def check_profile(found: dict[str, Any]) -> None:
    profile = read_json(Path("models/release") / PROFILE)
    assert profile["newest"] == "2026-01-29"
    right = sum(profile["answers"]["right"])
    assert right + sum(profile["answers"]["wrong"]) == len(TEXTS)
    assert right / len(TEXTS) == found["metrics"]["release_accuracy"]


def check_evidence(found: dict[str, Any]) -> None:
    samples = read_json("reports/benchmark.samples.json")
    assert [len(one) for one in samples["latency_us"]["finetuned-int8"]] == [3, 3]
    assert set(read_json("reports/metrics.json")) >= {"finetuned", "baseline", "release"}
    with open("reports/plots/frontier.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == 3
    environment = found["environment"]
    assert environment["baseline"]["dtype"] == "float32"
    assert environment["baseline"]["threads"] == environment["variants"]["threads"] == 1
    honest = {row["name"]: row["test"]["figure"] for row in found["honest"]}
    assert honest == {"majority class": 0.5, "TF-IDF + logistic regression": 1.0}
    assert any("does not beat TF-IDF" in warning for warning in found["warnings"])
    wrong = round(len(TEXTS) * (1 - found["metrics"]["release_accuracy"]))
    assert len(found["worst"]) == min(20, wrong)
    million = next(cost for cost in found["costs"] if cost.get("contender") == found["chosen"])
    assert million["cost"] == pytest.approx(
        1e6 / found["metrics"]["release_throughput"] / 3600, rel=0.01
    )


def test_what_is_for_hardware_that_is_not_here_ships_only_where_nothing_else_can(
    measured: Path,
) -> None:
    for level, of in (("finetuned", "finetuned-fp32"), ("level1", "finetuned-int8")):
        folder = Path(shutil.copytree(f"models/onnx/{of}", f"models/onnx/{level}-cuda-fp16"))
        card = replace(Release.read(folder), level=level, params={"target": "cuda"})
        replace(card, session=Session(provider="CUDAExecutionProvider")).write(folder)

    found = benchmark(QUICK)

    rows = {row["name"]: row for row in found["contenders"]}
    told = "CPUExecutionProvider in place of CUDAExecutionProvider"
    assert [rows[f"{level}-cuda-fp16"]["stand_in"] for level in ("finetuned", "level1")] == [
        told,
        told,
    ]
    assert rows["finetuned-fp32"]["stand_in"] is None
    assert "cuda" not in found["chosen"]
    warning = f"finetuned-cuda-fp16, level1-cuda-fp16: measured on {told}"
    assert any(each.startswith(warning) for each in found["warnings"])
    for kind in ("fp32", "int8"):
        shutil.rmtree(f"models/onnx/finetuned-{kind}")
    assert benchmark(QUICK)["chosen"] == "level1-cuda-fp16", "the smaller"
    assert verify("models/release").session.provider == "CUDAExecutionProvider"


def test_several_tasks_entities_among_them(workspace: Path, tiny_model: Path) -> None:
    """Untrained heads: what is true for texts is what the release says, but for one text."""
    made = make_release(tiny_model, Path("models/onnx/finetuned-fp32"), KINDS["with entities"])
    made.model.save_pretrained("models/finetuned")
    made.tokenizer.save_pretrained("models/finetuned")
    members = made.task.members()
    for split in ("train", "validation", "test"):
        columns: dict[str, list[Any]] = {name: [None] * len(TEXTS) for name in SCHEMA.names}
        columns |= {"id": TEXTS, "text": TEXTS, "task": ["mood", "names"] * (len(TEXTS) // 2)}
        answers = Predictor.load(made.folder, 1)(TEXTS)
        asked = zip(columns["task"], answers, strict=True)
        columns["label"] = [members[name].label_of(answer[name]) for name, answer in asked]
        wrong = {"bad": "good", "good": "bad"}[columns["label"][0]]
        columns["label"][0] = wrong if split == "test" else columns["label"][0]
        write_table(pa.table(columns, schema=SCHEMA), split_path(split))
    write_json("data/profile.json", {"version": 1})

    found = benchmark(QUICK)

    assert [row["name"] for row in found["contenders"]] == ["PyTorch model", "finetuned-fp32"]
    (baseline, release) = (row["test"] for row in found["contenders"])
    assert baseline["heads"]["mood"]["figure"] == release["heads"]["mood"]["figure"] == 7 / 8
    assert release["heads"]["names"]["figure"] == 1
    assert release["figure"] == pytest.approx((7 / 8 + 1) / 2)
    assert found["metrics"]["release_mood_accuracy"] == 7 / 8
    (mistake,) = found["heads"]["mood"]["worst"]
    assert (mistake["text"], mistake["truth"]) == (TEXTS[0], wrong)
    assert found["heads"]["names"]["confusion"] is found["confusion"] is None
    assert [row["key"] for row in found["honest"]] == ["constant", "simple"]
    assert Path("reports/plots/confusion.csv").read_text().split() == ["actual,predicted"]
    assert "answers" not in read_json(Path("models/release") / PROFILE)


def test_without_variants_it_says_what_to_run(measured: Path) -> None:
    shutil.rmtree("models/onnx")

    with pytest.raises(BadInput, match="models/onnx holds no variant: run export first"):
        benchmark(QUICK)
