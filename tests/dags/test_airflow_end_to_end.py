"""The DAG in a real Airflow, its store on a real S3 server: `make test-airflow`."""

from __future__ import annotations

import re
import urllib.error
import urllib.request

import pytest

from tests.running_airflow import BUCKET, DAG, Running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
GRAPH = ["snapshot", "ingest", "validate", "finetune", "prune", "export", "benchmark"]
NAME = "by-rest"


def aliases(airflow: Running) -> dict[str, str]:
    found: dict[str, str] = airflow.read(f"registry/{NAME}/aliases.json")["aliases"]
    return found


def page(airflow: Running, path: str, token: str | None) -> tuple[int, str]:
    headers = {"Cookie": f"_token={token}"} if token else {}
    request = urllib.request.Request(airflow.rest.url + path, headers=headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.fixture(scope="module")
def first(airflow: Running) -> str:
    """The first night, triggered by REST."""
    assert airflow.trigger("first", publish__name=NAME).ok
    assert airflow.wait("first") == "success", airflow.tasks("first")
    return "first"


@pytest.fixture(scope="module")
def crippled(airflow: Running, first: str) -> str:
    """A night whose training learns nothing."""
    conf = {"finetune__learning_rate": 1e-8, "finetune__epochs": 1, "prune__max_levels": 0}
    assert airflow.trigger("crippled", publish__name=NAME, finetune__seed=5, **conf).ok
    assert airflow.wait("crippled") == "success", airflow.tasks("crippled")
    return "crippled"


def test_it_waits_for_the_night_and_is_reached_from_this_machine_alone(airflow: Running) -> None:
    dag = airflow.rest.get(DAG).content
    assert dag["is_paused"] is False
    assert dag["next_dagrun_run_after"].endswith("T02:00:00Z")
    assert airflow.rest.get(f"{DAG}/dagRuns?run_type=scheduled").content["total_entries"] == 0
    assert airflow.rest.url.startswith("http://127.0.0.1:")
    assert (airflow.project / ".nightshift/airflow/secrets.json").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("conf", "said"),
    [
        ({"finetune__epochs": 0}, "finetune.epochs: 0 is less than the minimum of 1"),
        ({"publish__promotion": "maybe"}, "'maybe' is not one of ['auto', 'approval', 'never']"),
        ({"snapshot__data_date": "soon"}, "snapshot.data_date: 'soon' is not a 'date'"),
    ],
)
def test_bad_values_are_refused_when_they_are_given(
    airflow: Running, conf: dict[str, object], said: str
) -> None:
    answer = airflow.trigger("bad", **conf)
    assert answer.status == 400
    assert said in answer.content["detail"]
    assert airflow.rest.get(f"{DAG}/dagRuns/bad").status == 404


def test_a_key_that_nobody_knows_fails_at_once_with_the_reason(airflow: Running) -> None:
    assert airflow.trigger("unknown", finetune__epoch=3).ok
    assert airflow.wait("unknown") == "failed"
    assert airflow.task("unknown", "prepare")["try_number"] == 1
    assert "finetune.epoch: unknown key" in airflow.result("unknown", "prepare")["reason"]
    assert "finetune.epoch: unknown key" in airflow.log("unknown", "prepare")
    assert airflow.tasks("unknown")["snapshot"] == "upstream_failed"


def test_the_first_night_publishes_and_promotes(airflow: Running, first: str) -> None:
    assert set(airflow.tasks(first).values()) == {"success"}
    assert airflow.result(first, "publish")["version"] == "v1.0.0"
    assert aliases(airflow)["production"] == "v1.0.0"
    assert airflow.of_run(first, "run.json")["changes"] == {"publish.name": NAME}
    assert airflow.of_run(first, "params.yaml")["publish"]["name"] == NAME


def test_its_report_is_for_those_who_may_read_the_dag(airflow: Running, first: str) -> None:
    links = airflow.rest.get(f"{DAG}/dagRuns/{first}/taskInstances/announce/links").content
    path = links["extra_links"]["Report"]
    token = airflow.rest.log_in().content["access_token"]
    status, text = page(airflow, path, token)
    assert status == 200
    assert "<h1" in text
    assert page(airflow, path, None)[0] == 401
    assert page(airflow, path, "forged")[0] in (401, 403)
    for way_out in ("../run.json", "..%2frun.json", "%2e%2e/run.json", "..%5crun.json"):
        assert page(airflow, path.replace("index.html", way_out), token)[0] == 404
    assert airflow.of_run(first, "run.json"), "it is there, but not below reports/"


def test_a_crippled_candidate_is_not_promoted_and_one_can_read_why(
    airflow: Running, crippled: str
) -> None:
    states = airflow.tasks(crippled)
    assert {states[task] for task in [*GRAPH, "gate", "announce", "cleanup"]} == {"success"}
    assert {states[task] for task in ("publish", "approve", "promote")} == {"skipped"}
    verdict = airflow.result(crippled, "gate")
    assert verdict["verdict"] == "refused"
    assert any("against v1.0.0" in reason for reason in verdict["reasons"])
    assert airflow.of_run(crippled, "reports/gate.json")["reasons"] == verdict["reasons"]
    assert aliases(airflow)["production"] == "v1.0.0"


def test_keys_of_airflow_and_of_the_bucket_are_in_no_log(airflow: Running, first: str) -> None:
    home = airflow.project / ".nightshift/airflow"
    secrets = re.findall(r'": "([^"]+)"', (home / "secrets.json").read_text())
    hidden = [*secrets, airflow.password, "secret-of-the-tests"]
    logs = [path for path in home.rglob("*.log") if path.is_file()]
    assert len(logs) > 10
    assert BUCKET in airflow.log(first, "announce")
    for path in logs:
        text = path.read_text(errors="replace")
        assert not any(secret in text for secret in hidden), path
