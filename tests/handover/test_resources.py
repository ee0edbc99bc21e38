from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from tasks.handover.resources import FILE, read_table
from tasks.stage.errors import BadInput
from tests.made import ROOT

NIGHTLY = "nightly_retraining"


def edited(folder: Path, old: str, new: str) -> Path:
    """A project folder with the table, one piece of it changed."""
    (folder / FILE).parent.mkdir(parents=True, exist_ok=True)
    text = (ROOT / FILE).read_text()
    assert text.count(old) == 1, old
    (folder / FILE).write_text(text.replace(old, new))
    return folder


def test_the_table_says_what_every_stage_may_take() -> None:
    table = read_table(ROOT)
    finetune = table.dags[NIGHTLY]["finetune"]
    assert (finetune.queue, table.queues["train"].pool) == ("train", "nightshift_train")
    assert finetune.time.total_seconds() == 10 * 3600


def test_only_what_ships_may_write_the_registry() -> None:
    table = read_table(ROOT)
    tasks = table.dags[NIGHTLY].items()
    publishers = {name for name, task in tasks if table.queues[task.queue].account == "publisher"}
    assert publishers == {"publish", "promote"}


def test_only_housekeeping_may_remove_what_others_wrote() -> None:
    table = read_table(ROOT)
    keepers = {
        (dag, name)
        for dag, tasks in table.dags.items()
        for name, task in tasks.items()
        if table.queues[task.queue].account == "housekeeper"
    }
    assert keepers == {("weekly_housekeeping", name) for name in ("expire", "gc", "drill")}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("    prune:     {queue: train,   cpu: 8", "    prune:     {queue: gpu,   cpu: 8",
         "dags.nightly_retraining.prune.queue: no queue 'gpu' in queues"),
        ("cpu: 2, memory: 8,", "cpu: 2, disk: 3, memory: 8,",
         "dags.nightly_retraining.ingest.disk: unknown key"),
        ("cpu: 2, memory: 8,", "cpu: 2, memory: 0,",
         "dags.nightly_retraining.ingest.memory: Input should be greater than 0"),
        ("cpu: 2, memory: 8,", "cpu: 2, memory: 8Gi,",
         "dags.nightly_retraining.ingest.memory: Input should be a valid integer"),
        ("gpu: 0, hours: 3}\n    validate", "gpu: 1, hours: 3}\n    validate",
         "dags.nightly_retraining.ingest.gpu: queue cpu names no accelerator"),
        ("    pool: nightshift_train", "    pool: nightshift_gpu",
         "queues.train.pool: no pool 'nightshift_gpu' in pools"),
        ("account: publisher", "account: admin", "queues.publish.account: Input should be"),
    ],
)  # fmt: skip
def test_a_table_that_is_wrong_is_refused_in_one_line_naming_the_key(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    with pytest.raises(BadInput) as refused:
        read_table(edited(tmp_path, old, new))
    assert str(refused.value).startswith(f"{FILE}: {told}")
    assert "\n" not in str(refused.value)


def test_a_stage_without_a_row_and_a_row_without_a_task_are_refused() -> None:
    table = read_table(ROOT)
    names = list(table.dags[NIGHTLY])
    with pytest.raises(BadInput, match=r"dags.nightly_retraining.distil is missing"):
        table.tasks(NIGHTLY, [*names, "distil"])
    with pytest.raises(BadInput, match=r"dags.nightly_retraining.cleanup: no such task; prepare"):
        table.tasks(NIGHTLY, [name for name in names if name != "cleanup"])


def test_the_dag_does_not_load_with_a_stage_that_the_table_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = next(line for line in (ROOT / FILE).read_text().splitlines() if " prune:" in line)
    monkeypatch.setattr("tasks.handover.resources.FILE", edited(tmp_path, f"{row}\n", "") / FILE)
    with pytest.raises(BadInput, match=r"dags.nightly_retraining.prune is missing"):
        runpy.run_path(str(ROOT / "dags" / "nightly_retraining.py"))
