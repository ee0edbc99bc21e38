"""Everything wrong with params.yaml is said in one line that names the key."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from tasks.params.base import load_section
from tasks.params.finetune import Adapter, Finetune
from tasks.params.ingest import Ingest, Kind
from tasks.params.schema import Params
from tasks.stage.errors import BadInput
from tasks.task import KINDS

ROOT = Path(__file__).parents[2]


def load(tmp_path: Path, content: Any) -> Params:
    path = tmp_path / "params.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return Params.load(path)


def test_the_file_in_the_project_holds_every_knob_at_its_default() -> None:
    assert Params.load(ROOT / "params.yaml") == Params()
    written = yaml.safe_load((ROOT / "params.yaml").read_text())
    for section, model in Params.model_fields.items():
        kind = model.annotation
        assert kind is not None
        assert set(written[model.alias or section]) == set(kind.model_fields)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"finetune": {"epoch": 3}}, "finetune.epoch: unknown key; known are model, epochs, "),
        ({"finetun": {}}, "finetun: unknown key; known are snapshot, ingest, validate, finetune"),
        ({"finetune": {"epochs": "three"}}, "finetune.epochs: got 'three'; takes a valid integer"),
        ({"finetune": {"epochs": 0}}, "finetune.epochs: got 0; takes 1 or more"),
        ({"finetune": {"warmup": 1.5}}, "finetune.warmup: got 1.5; takes less than 1"),
        ({"finetune": {"precision": "int4"}}, "takes 'auto', 'fp32', 'tf32', 'bf16' or 'fp16'"),
        ({"finetune": {"learning_rate": "fast"}}, "finetune.learning_rate: got 'fast'; takes a"),
        ({"finetune": {"batch": True}}, "finetune.batch: got True; takes a valid integer"),
        (
            {"finetune": {"adapter": "lorra"}},
            "finetune.adapter.method: got 'lorra'; takes 'lora', ",
        ),
        ({"finetune": {"adapter": {"rank": 8}}}, "finetune.adapter.method: is missing"),
        (
            {"finetune": {"adversarial": "fgmm"}},
            "finetune.adversarial.method: got 'fgmm'; takes 'f",
        ),
        (
            {"finetune": {"adversarial": {"method": "pgd", "radius": 0}}},
            "radius: got 0.0; takes more",
        ),
        (
            {"finetune": {"adapter": "adalora", "sharding": "fsdp"}},
            "finetune.sharding: got 'fsdp' with adalora; takes ddp: what each singular value",
        ),
        ({"finetune": {"ema": 1}}, "finetune.ema: got 1; takes less than 1"),
        ({"snapshot": {"data_date": "today"}}, "got 'today'; takes a date as YYYY-MM-DD"),
        ({"ingest": {"split": {"train": "a.csv"}}}, "ingest.split.test: is missing"),
        ({"ingest": {"validation": 0.5, "test": 0.5}}, "takes at most 0.8 together"),
        ({"ingest": {"source": None}}, "ingest.source: got None; takes a source"),
        ({"ingest": {"task": "tags"}}, "ingest.task: got 'tags'; takes 'classification', 'multi-"),
        ({"ingest": {"task": {"a": "tags", "b": "entities"}}}, "; takes 'classification', 'multi-"),
        ({"ingest": {"task": {"a": "entities"}}}, "takes a kind, or two names or more"),
        ({"ingest": {"task": {"a": "entities", "A": "entities"}}}, "that differ in more than case"),
        ({"ingest": {"task": {"a": "entities", "b/c": "entities"}}}, "letters, digits, _ and -"),
        (
            {"export": {"variants": ["int4"]}},
            "export.variants.0: got 'int4'; takes 'fp32', 'fp16' or 'int8'",
        ),
        ({"benchmark": 3}, "benchmark: got 3; takes a section of keys"),
        ("- a\n- b\n", "must hold sections"),
        ("finetune: {", "is not YAML"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(BadInput) as caught:
        load(tmp_path, content)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value), "one line a problem"


def test_two_problems_are_two_lines(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        load(tmp_path, {"finetune": {"epochs": 0, "batch": 0}})
    assert len(str(caught.value).splitlines()) == 2


def test_a_method_may_be_given_by_its_name_alone(tmp_path: Path) -> None:
    adapter = load(tmp_path, {"finetune": {"adapter": "lora"}}).finetune.adapter
    assert adapter == Adapter(method="lora", rank=8)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is missing"):
        Params.load(tmp_path / "params.yaml")


def test_numbers_that_yaml_takes_for_text_are_numbers(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("finetune:\n  learning_rate: 3e-5\n")
    assert load_section(Finetune, path).learning_rate == 3e-5


def test_dates_and_pairs_may_be_written_either_way(tmp_path: Path) -> None:
    plain = load(tmp_path, "snapshot:\n  data_date: 2026-01-31\ningest:\n  text: [a, b]\n")
    assert plain.snapshot.data_date is not None
    assert plain.snapshot.data_date.isoformat() == "2026-01-31"
    assert plain.ingest.text == ("a", "b")


def test_every_kind_of_task_can_be_named_and_no_other() -> None:
    assert get_args(Kind) == tuple(KINDS)
    assert Ingest(task="regression").tasks == {"regression": "regression"}
    assert Ingest(task={"a": "entities", "b": "regression"}).tasks == {
        "a": "entities",
        "b": "regression",
    }
