"""The chart's values; the chart itself is not here, so what can be held is held."""

from __future__ import annotations

import tomllib
from typing import Any

import yaml

from infra.airflow.options import unknown
from infra.compose.check import read
from infra.kubernetes.check import FOLDER, manifests
from tests.made import ROOT

VALUES: dict[str, Any] = yaml.safe_load((FOLDER / "values.yaml").read_text())


def test_airflow_knows_every_option_of_its_configuration() -> None:
    named = [
        f"AIRFLOW__{section.upper()}__{option.upper()}"
        for section, options in VALUES["config"].items()
        for option in options
    ]
    assert len(named) > 15
    assert unknown(named) == []


def test_it_is_the_airflow_that_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = project["optional-dependencies"]["airflow"]
    (airflow,) = [line for line in pinned if line.startswith("apache-airflow")]
    assert airflow.partition("==")[2] == VALUES["airflowVersion"]


def test_lost_workers_are_found_out_as_in_the_other_installation() -> None:
    compose = read()["services"]["worker-train"]["environment"]
    for section in ("scheduler", "workers"):
        for option, value in VALUES["config"][section].items():
            assert compose[f"AIRFLOW__{section.upper()}__{option.upper()}"] == value


def test_tasks_run_in_the_image_of_the_stages_and_airflow_in_the_thin_one() -> None:
    executor = VALUES["config"]["kubernetes_executor"]
    for part in ("repository", "tag"):
        assert (
            executor[f"worker_container_{part}"] == f"{{{{ .Values.images.pod_template.{part} }}}}"
        )
    assert VALUES["images"]["pod_template"]["repository"] == "nightshift-stage"
    assert VALUES["images"]["airflow"]["repository"] == "nightshift-airflow"


def test_secrets_are_named_and_not_held() -> None:
    named = [value for key, value in VALUES.items() if key.endswith("SecretName")]
    assert named == ["airflow-keys"] * 3
    for key in ("fernetKey", "apiSecretKey", "jwtSecret"):
        assert key not in VALUES
    assert VALUES["data"] == {"metadataSecretName": "airflow-database"}


def test_every_process_runs_without_privileges_as_the_images_do() -> None:
    contexts = VALUES["securityContexts"]
    assert contexts["pod"]["runAsUser"] == VALUES["uid"] == 10001
    assert contexts["containers"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_metrics_go_where_the_exporter_is() -> None:
    template = yaml.safe_load((FOLDER / "pod-template.yaml").read_text())
    (container,) = template["spec"]["containers"]
    assert VALUES["env"][0] in container["env"]
    assert yaml.safe_load(VALUES["extraEnvFrom"])[0] in container["envFrom"]
    services = [m["metadata"]["name"] for _, m in manifests() if m["kind"] == "Service"]
    assert VALUES["env"][0]["value"] in services
