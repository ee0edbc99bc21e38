from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.sdk import Param
from airflow.sdk.exceptions import ParamValidationError

from dags.form import EVERYDAY, changes, form
from tasks.params.base import check
from tasks.params.knobs import flat
from tasks.params.schema import Params
from tasks.stage.errors import BadInput
from tests.made import ROOT

FORM = form(ROOT)


def schema(key: str) -> dict[str, Any]:
    found: dict[str, Any] = FORM[key].schema
    return found


def test_the_everyday_fields_come_first_in_the_section_that_airflow_opens() -> None:
    assert tuple(FORM)[: len(EVERYDAY)] == EVERYDAY
    sections = list(dict.fromkeys(field.schema.get("section") for field in FORM.values()))
    assert sections[:5] == [None, "snapshot", "ingest", "validate", "finetune"]
    assert not any("section" in schema(key) for key in EVERYDAY)


def test_a_field_shows_what_params_yaml_says() -> None:
    present = flat(yaml.safe_load((ROOT / "params.yaml").read_text()))
    assert {key: field.value for key, field in FORM.items()} == {key: present[key] for key in FORM}


def test_only_lists_and_structures_have_no_field() -> None:
    present = flat(yaml.safe_load((ROOT / "params.yaml").read_text()))
    missing = set(present) - set(FORM) - set(form(ROOT, "housekeeping"))
    assert missing == {
        "ingest.text", "ingest.task", "ingest.split", "ingest.mask", "finetune.adversarial",
        "finetune.adapter", "finetune.adapt", "finetune.augment", "finetune.loss",
        "finetune.sampling", "finetune.task_weights", "prune.layers", "prune.neurons",
        "prune.heads", "prune.keep", "export.exact", "export.targets", "export.variants",
    }  # fmt: skip


def test_what_no_run_reads_has_a_form_of_its_own() -> None:
    section = yaml.safe_load((ROOT / "params.yaml").read_text())["housekeeping"]
    fields = form(ROOT, "housekeeping")
    assert {key: field.value for key, field in fields.items()} == {
        f"housekeeping.{key}": value for key, value in section.items()
    }
    assert not set(fields) & set(FORM)


def test_types_limits_choices_and_help_are_those_of_the_schema() -> None:
    assert schema("finetune.epochs")["type"] == "integer"
    assert schema("finetune.epochs")["maximum"] == 1000
    assert schema("finetune.learning_rate")["exclusiveMinimum"] == 0
    assert schema("publish.promotion")["enum"] == ["auto", "approval", "never"]
    assert schema("snapshot.data_date")["format"] == "date"
    assert schema("export.fusion")["enum"] == [
        "none",
        "attention",
        "layernorm",
        "attention+layernorm",
        None,
    ]
    assert schema("finetune.dropout")["type"] == ["number", "null"]
    assert schema("finetune.dropout")["exclusiveMaximum"] == 1


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("finetune.epochs", "1 or more, 1,000 at most"),
        ("finetune.dropout", "empty: the model's own; 0 or more, less than 1"),
        (
            "ingest.test",
            "share held out to report on, never to choose by; more than 0, less than 1",
        ),
        ("finetune.device", ""),
    ],
)
def test_the_help_says_what_a_field_takes(key: str, text: str) -> None:
    assert schema(key)["description_md"] == text


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("finetune.epochs", 0),
        ("finetune.epochs", 1.5),
        ("finetune.epochs", None),
        ("finetune.dropout", 1),
        ("finetune.learning_rate", "fast"),
        ("publish.promotion", "maybe"),
        ("snapshot.data_date", "yesterday"),
        ("publish.name", "No Spaces"),
    ],
)
def test_what_is_wrong_is_refused_by_the_field(key: str, value: object) -> None:
    with pytest.raises(ParamValidationError):
        FORM[key].resolve(value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("finetune.epochs", 3),
        ("finetune.dropout", None),
        ("finetune.dropout", 0.2),
        ("snapshot.data_date", "2026-01-31"),
        ("snapshot.data_date", None),
        ("finetune.learning_rate", 1e-05),
        ("gate.significance", 1e-05),
        ("gate.max_slowdown", None),
        ("ingest.source", "s3://bucket/a b: 'c' # d"),
    ],
)
def test_what_a_field_takes_the_schema_takes_the_way_it_is_handed_on(
    key: str, value: object
) -> None:
    assert Param(value, schema=schema(key)).resolve(value) == value
    handed = changes({key: value}, ROOT)
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    section, _, name = key.partition(".")
    for change in handed:
        content[section][name] = yaml.safe_load(change.partition("=")[2])
    model = check(Params, content).model_dump(mode="json", by_alias=True)
    assert model[section][name] == value


def test_only_what_differs_from_params_yaml_is_handed_on() -> None:
    conf = {key: field.value for key, field in FORM.items()}
    assert changes(conf, ROOT) == []
    assert changes({**conf, "finetune.epochs": 7}, ROOT) == ["finetune.epochs=7"]


def test_lists_and_whole_sections_can_be_given_as_json() -> None:
    conf = {"ingest.text": ["question", "answer"], "prune": {"keep": [[0, 1], [1]], "epochs": 9}}
    assert changes(conf, ROOT) == [
        "ingest.text=[question, answer]",
        "prune.keep=[[0, 1], [1]]",
        "prune.epochs=9",
    ]


def test_a_broken_params_yaml_is_said_with_the_key(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("finetune: {epochs: many}")
    with pytest.raises(BadInput, match=r"finetune\.epochs: got 'many'"):
        form(tmp_path)
