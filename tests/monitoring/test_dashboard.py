"""The dashboard, by Grafana's own schema; and that every panel asks for what there is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from tasks.store.store import Store
from tests.monitoring.asked import DASHBOARD, MONITORING, unanswered
from tests.monitoring.conftest import Said
from tests.monitoring.test_rules import known_metrics


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return found


def lost(content: dict[str, Any]) -> list[str]:
    """What Grafana's schema does not know: it goes on the way through its types."""
    plugins.register_default_plugins()
    kept = json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(content)))
    return list(_differences(content, kept, "dashboard"))


def _differences(one: Any, other: Any, where: str) -> Iterator[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key, value in one.items():
            if key not in other:
                yield f"{where}.{key}"
            else:
                yield from _differences(value, other[key], f"{where}.{key}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for place, pair in enumerate(zip(one, other, strict=True)):
            yield from _differences(*pair, f"{where}[{place}]")
    elif one != other:
        yield where


def expressions(content: dict[str, Any]) -> list[str]:
    """Every PromQL expression of the dashboard: panels, annotations, variables."""
    panels = [target["expr"] for panel in content["panels"] for target in panel.get("targets", [])]
    notes = [each["expr"] for each in content["annotations"]["list"]]
    variables = [
        each["query"]["query"].removeprefix("label_values(").rpartition(",")[0]
        for each in content["templating"]["list"]
        if each["type"] == "query"
    ]
    return [*panels, *notes, *variables]


def test_grafanas_schema_knows_all_of_it() -> None:
    assert lost(dashboard()) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content.update(titel="nightshift"),
        lambda content: content["panels"][1].update(gridPosition={}),
        lambda content: content["panels"][1]["fieldConfig"]["defaults"].update(units="s"),
        lambda content: content["panels"][1]["targets"][0].update(expression="up"),
        lambda content: content["templating"]["list"][1].update(multiple=True),
    ],
)
def test_a_key_that_grafana_does_not_know_is_found(spoil: Callable[[Any], None]) -> None:
    content = dashboard()
    spoil(content)
    assert lost(content)


def test_every_expression_asks_for_what_there_is(folder_store: Store, tmp_path: Path) -> None:
    known = known_metrics(folder_store, tmp_path)
    found = expressions(dashboard())
    assert len(found) > 30
    assert unanswered(found, known) == []


def test_every_expression_is_one_that_prometheus_takes(
    tmp_path: Path, promtool: Callable[..., Said]
) -> None:
    def said(wanted: list[str]) -> Said:
        taken = [
            each.replace("$__rate_interval", "5m").replace("$__range", "1h") for each in wanted
        ]
        group = {
            "name": "d",
            "rules": [{"record": f"p{n}", "expr": e} for n, e in enumerate(taken)],
        }
        path = tmp_path / "panels.yml"
        path.write_text(yaml.safe_dump({"groups": [group]}))
        return promtool("check", "rules", path)

    found = expressions(dashboard())
    assert said(found).code == 0
    assert said([*found, "sum by (model) nightshift_models"]).code != 0


def test_it_belongs_to_no_machine() -> None:
    content = dashboard()
    assert "id" not in content
    assert content["uid"] == "nightshift"
    variable = {"type": "prometheus", "uid": "${datasource}"}
    for panel in content["panels"]:
        assert panel["type"] == "row" or panel["datasource"] == variable
        for target in panel.get("targets", []):
            assert target["datasource"] == variable


def test_panels_lie_side_by_side_and_have_numbers_and_words_of_their_own() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({panel["title"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"])
                 for y in range(at["y"], at["y"] + at["h"])}  # fmt: skip
        assert at["x"] + at["w"] <= 24, panel["title"]
        assert not taken & cells, panel["title"]
        taken |= cells


def test_grafana_is_told_where_dashboard_and_data_are() -> None:
    folder = MONITORING / "grafana" / "provisioning"
    (source,) = yaml.safe_load((folder / "datasources" / "prometheus.yml").read_text())[
        "datasources"
    ]
    assert source["type"] == "prometheus"
    assert source["url"] == "$PROMETHEUS_URL"
    asked_every = yaml.safe_load((MONITORING / "prometheus.yml").read_text())["global"]
    assert source["jsonData"]["timeInterval"] == asked_every["scrape_interval"]
    (provider,) = yaml.safe_load((folder / "dashboards" / "nightshift.yml").read_text())[
        "providers"
    ]
    assert provider["type"] == "file"
    assert not provider["allowUiUpdates"]
