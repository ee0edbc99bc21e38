"""What a person does: log in, fill in the form, approve, read the report. `make test-airflow`.

Needs Debian's `chromium` and `chromium-driver`. Screenshots go to the folder that
`NIGHTSHIFT_SCREENSHOTS` names, if it names one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.chromium import PROGRAMS, Browser, browser
from tests.running_airflow import DAG, Running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
SECONDS_TO_BEGIN = 180
NAME = "by-hand"
ENTER = "\ue007"


@pytest.fixture(scope="module")
def window(airflow: Running) -> Iterator[Browser]:
    """A browser in which somebody has logged in."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        pytest.fail(f"{missing[0]} is not installed: apt-get install chromium chromium-driver")
    folder = os.environ.get("NIGHTSHIFT_SCREENSHOTS")
    with browser(Path(folder) if folder else None) as window:
        window.open(f"{airflow.rest.url}/{DAG}")
        window.write(field("username"), "admin")
        window.write(field("password"), airflow.password)
        window.picture("1-log-in")
        window.click("button[type=submit]")
        window.find("//h2[normalize-space()='nightly_retraining']")
        window.picture("2-dag")
        yield window


def field(name: str) -> str:
    return f"input[name='{name}']"


def button(text: str) -> str:
    return f"//button[normalize-space()='{text}']"


def last_run(airflow: Running) -> str:
    found = airflow.rest.get(f"{DAG}/dagRuns?order_by=-id&limit=1").content["dag_runs"]
    return str(found[0]["dag_run_id"]) if found else ""


def test_filled_in_approved_and_green(airflow: Running, window: Browser) -> None:
    before = last_run(airflow)
    window.click(button("Trigger"))
    assert window.value(field("element_finetune.epochs")) == "4"
    choice = f"//{field('element_publish.promotion').replace('name', '@name')}"
    window.write(f"{choice}/preceding::input[@role='combobox'][1]", f"approval{ENTER}")
    window.picture("3-form")
    window.click(button("publish"))
    window.write(field("element_publish.name"), NAME)
    window.picture("4-form")
    window.click(f"//*[@role='dialog']{button('Trigger')}")
    run = new_run(airflow, window, before)

    window.open(f"{airflow.rest.url}/{DAG}/runs/{run}")
    window.find("//*[contains(., 'Running')]")
    window.picture("5-running")
    changed = airflow.of_run(run, "run.json")["changes"]
    assert changed == {"publish.name": NAME, "publish.promotion": "approval"}

    airflow.wait_for(run, "approve", "awaiting_input")
    window.open(f"{airflow.rest.url}/{DAG}/runs/{run}/tasks/approve/required_actions")
    window.find(f"//*[contains(., 'Promote {NAME}@v1.0.0?')]")
    window.find("//td[normalize-space()='accuracy on test']")
    window.picture("6-approve")
    window.click(button("Approve"))

    assert airflow.wait(run) == "success", airflow.tasks(run)
    assert set(airflow.tasks(run).values()) == {"success"}
    assert airflow.read(f"registry/{NAME}/aliases.json")["aliases"]["production"] == "v1.0.0"
    window.open(f"{airflow.rest.url}/{DAG}/runs/{run}")
    window.find("//*[normalize-space()='Success']")
    window.picture("7-green")
    window.click("//a[normalize-space()='Report']")
    window.within("iframe[title='Report']")
    assert window.text("h1")
    window.back_to_the_page()
    window.picture("8-report")


def test_the_report_opens_on_its_own_with_the_data_docs_behind_it(
    airflow: Running, window: Browser
) -> None:
    window.open(f"{airflow.rest.url}/nightshift/{DAG}/runs/{last_run(airflow)}/reports/index.html")
    window.picture("9-report-alone")
    window.click("a[href='data_docs/index.html']")
    window.picture("10-data-docs")
    assert "What was expected of the data" in window.text("h1")
    window.click("a[href='train-rows.html']")
    assert "known labels" in window.text("body")
    window.picture("11-data-docs")


def new_run(airflow: Running, window: Browser, before: str) -> str:
    def began() -> str | None:
        run = last_run(airflow)
        return run if run != before and airflow.tasks(run)["prepare"] == "success" else None

    return window.wait(began, "the run", SECONDS_TO_BEGIN)
