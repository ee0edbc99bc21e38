"""Who may talk to whom in the namespace, read from the policies as a cluster reads them."""

from __future__ import annotations

from typing import Any

import pytest

from infra.kubernetes.check import TRAINER, manifests

POLICIES = [m for _, m in [*manifests(), *manifests(TRAINER)] if m["kind"] == "NetworkPolicy"]
TASK = {"tier": "airflow", "component": "worker", "nightshift/queue": "cpu"}
TRAINING = {**TASK, "nightshift/queue": "train"}
LAUNCHER = {**TASK, "nightshift/queue": "launcher"}
HOST = {"component": "worker", "nightshift/queue": "train"}
"""Of a TrainJob."""
API_SERVER = {"tier": "airflow", "component": "api-server"}
SCHEDULER = {"tier": "airflow", "component": "scheduler"}
EXPORTER = {"component": "exporter"}
STATSD = {"component": "statsd"}
METADATA = "169.254.169.254"
STORE = "52.219.0.1"
"""Some address outside."""
DATABASE = "10.1.2.3"


def selects(selector: Any, labels: dict[str, str]) -> bool:
    """Whether a label selector means a pod with these labels."""
    wanted = selector.get("matchLabels", {}).items()
    choices = selector.get("matchExpressions", [])
    assert all(choice["operator"] == "In" for choice in choices)
    return all(labels.get(key) == value for key, value in wanted) and all(
        labels.get(choice["key"]) in choice["values"] for choice in choices
    )


def allowed(labels: dict[str, str], direction: str) -> list[Any]:
    """The rules for a pod; a pod that no policy means may do anything, which fails the test."""
    key = {"Egress": "egress", "Ingress": "ingress"}[direction]
    meant = [p["spec"] for p in POLICIES if selects(p["spec"]["podSelector"], labels)]
    meant = [spec for spec in meant if direction in spec["policyTypes"]]
    assert meant
    return [rule for spec in meant for rule in spec.get(key, [])]


def reaches(labels: dict[str, str], target: dict[str, str] | str, port: int) -> bool:
    """Whether a pod may open a connection to another pod, or to an address."""
    from ipaddress import ip_address, ip_network

    def is_meant(peer: Any) -> bool:
        if isinstance(target, str):
            block = peer.get("ipBlock")
            inside = block and ip_address(target) in ip_network(block["cidr"])
            left_out = block and any(
                ip_address(target) in ip_network(part) for part in block.get("except", [])
            )
            return bool(inside and not left_out)
        return "namespaceSelector" not in peer and selects(
            peer.get("podSelector", {"matchLabels": {"": ""}}), target
        )

    return any(
        any(is_meant(peer) for peer in rule["to"])
        and ("ports" not in rule or port in [each["port"] for each in rule["ports"]])
        for rule in allowed(labels, "Egress")
    )


def accepts(labels: dict[str, str], source: dict[str, str], port: int) -> bool:
    """Whether a pod may be asked by another of the namespace."""
    return any(
        any("podSelector" in peer and selects(peer["podSelector"], source) for peer in rule["from"])
        and ("ports" not in rule or port in [each["port"] for each in rule["ports"]])
        for rule in allowed(labels, "Ingress")
    )


def test_a_pod_that_nothing_is_said_of_reaches_names_alone() -> None:
    rules = allowed({"app": "new"}, "Egress")
    assert [port["port"] for rule in rules for port in rule["ports"]] == [53, 53]
    assert allowed({"app": "new"}, "Ingress") == []


@pytest.mark.parametrize(
    ("who", "target", "port", "expected"),
    [
        (TASK, API_SERVER, 8080, True),
        (TASK, STORE, 443, True),
        (TASK, STORE, 80, False),
        (TASK, DATABASE, 5432, False),
        (TASK, DATABASE, 443, False),
        (TASK, METADATA, 80, False),
        (TASK, METADATA, 443, False),
        (TASK, SCHEDULER, 8974, False),
        (TASK, TASK, 29500, False),
        (TRAINING, TRAINING, 29500, True),
        (TRAINING, DATABASE, 6443, False),
        (HOST, HOST, 29500, True),
        (HOST, STORE, 443, True),
        (HOST, DATABASE, 6443, False),
        (LAUNCHER, DATABASE, 6443, True),
        (LAUNCHER, API_SERVER, 8080, True),
        (LAUNCHER, DATABASE, 5432, False),
        (LAUNCHER, HOST, 29500, False),
        (SCHEDULER, DATABASE, 5432, True),
        (SCHEDULER, DATABASE, 6443, True),
        (SCHEDULER, STORE, 443, False),
        (API_SERVER, STORE, 443, True),
        (EXPORTER, STORE, 443, True),
        (EXPORTER, DATABASE, 5432, False),
        (TASK, STATSD, 9125, True),
    ],
)
def test_each_reaches_what_it_needs_and_nothing_else(
    who: dict[str, str], target: dict[str, str] | str, port: int, expected: bool
) -> None:
    assert reaches(who, target, port) is expected


@pytest.mark.parametrize(
    ("who", "source", "port", "expected"),
    [
        (API_SERVER, TASK, 8080, True),
        (API_SERVER, EXPORTER, 8080, False),
        (SCHEDULER, TASK, 8974, False),
        (TRAINING, TRAINING, 29500, True),
        (TRAINING, TASK, 29500, False),
        (HOST, LAUNCHER, 29500, False),
        (API_SERVER, HOST, 8080, False),
        (STATSD, TASK, 9125, True),
        (EXPORTER, TASK, 9469, False),
    ],
)
def test_each_is_asked_by_those_it_serves_alone(
    who: dict[str, str], source: dict[str, str], port: int, expected: bool
) -> None:
    assert accepts(who, source, port) is expected
