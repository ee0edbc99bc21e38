"""Recovery is taught on texts without labels, too, where the source has some."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.data.dataset import SCHEMA, UNLABELLED_TEXTS
from tasks.finetune import finetune
from tasks.params.finetune import Finetune
from tasks.params.prune import Prune
from tasks.prune import prune
from tasks.stage.outputs import sha256
from tests.training.lessons import lessons
from tests.training.made import SMALL_STAGE, approve

WANTED: dict[str, Any] = {
    "max_levels": 1, "max_drop": 100, "threads": 1, "precision": "fp32", "device": "cpu",
    "probe": 16, "augment": 0,
}  # fmt: skip
WEIGHTS = Path("models/pruned/level1/model.safetensors")


def bring(texts: list[str]) -> None:
    columns = {name: pa.nulls(len(texts), pa.string()) for name in SCHEMA.names}
    columns |= {"id": pa.array(map(str, range(len(texts)))), "text": pa.array(texts, pa.string())}
    pq.write_table(pa.table(columns, schema=SCHEMA), UNLABELLED_TEXTS)


def taught(capsys: pytest.CaptureFixture[str], **wanted: Any) -> tuple[int, str]:
    """How many texts the teacher answered, and the hash of the model that came of it."""
    capsys.readouterr()
    prune(Prune(**{**WANTED, **wanted}))
    (line,) = (each for each in capsys.readouterr().out.splitlines() if "to teach by" in each)
    return int(line.split(" answers ")[1].split()[0].replace(",", "")), sha256(WEIGHTS)


@pytest.mark.parametrize("kind", sorted(lessons()))
def test_every_kind_of_task_is_taught_on_them(
    tiny_model: Path, workspace: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    approve(workspace, tiny_model, kind)
    finetune(Finetune(**{**SMALL_STAGE, "max_length": 16, "epochs": 1}))
    rows, alone = taught(capsys)
    bring(lessons()[kind].texts[320:])
    more, together = taught(capsys)
    assert more >= rows + len(lessons()[kind].texts[320:])
    assert together != alone


def test_they_come_before_copies_and_only_as_far_as_there_is_room(
    tiny_model: Path, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    approve(workspace, tiny_model)
    finetune(Finetune(**{**SMALL_STAGE, "epochs": 1}))
    _, alone = taught(capsys)
    bring(lessons()["classification"].texts[320:420])
    assert taught(capsys, texts="labelled") == (256, alone)
    assert taught(capsys, augment=1)[0] == 256 + 100 + 256
    lengths = [len(each.split()) + 2 for each in lessons()["classification"].texts]
    room = sum(lengths[:256]) + sum(lengths[320:420]) // 2
    rows, _ = taught(capsys, augment=1, max_tokens=room)
    assert 256 + 30 < rows < 256 + 70, "half of them, and no copies"
    assert taught(capsys, max_tokens=0) == (256, alone)
