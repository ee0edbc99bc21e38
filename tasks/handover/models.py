"""The models that one installation retrains: the checkout's own, or one a folder.

`NIGHTSHIFT_MODELS` names a folder whose folders are the models, each with a `params.yaml` (what it
leaves out has its default) and, if it wants, an `expectations.yaml`. The code is the checkout's.
Each has nights of its own and a part of the store of its own, `NIGHTSHIFT_STORE/NAME`: nights of
two models that begin together have the same run id, and each starts from its own last one.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from tasks.params.base import PARAMS
from tasks.stage.errors import BadInput
from tasks.stage.outputs import STATE
from tasks.store.store import VARIABLE as STORE

VARIABLE = "NIGHTSHIFT_MODELS"
NAME = re.compile(r"[a-z0-9]([a-z0-9_-]*[a-z0-9])?")
"""As `publish.name` has it: it becomes part of DAG ids and of the store's keys."""
TAKEN = "runs"
"""Where an installation keeps Airflow's logs, beside the models' stores."""


@dataclass(frozen=True)
class Model:
    """Where its `params.yaml` lies; a name where there are several."""

    folder: Path
    name: str | None = None

    def dag_id(self, dag: str) -> str:
        """What a DAG of this model is called."""
        return f"{dag}-{self.name}" if self.name else dag

    @property
    def store(self) -> str:
        """The URL of its store."""
        whole = os.environ.get(STORE) or str(STATE / "store")
        return f"{whole.rstrip('/')}/{self.name}" if self.name else whole


def models(checkout: Path) -> list[Model]:
    """All of them, by name; the checkout itself when `NIGHTSHIFT_MODELS` is not set. A folder that
    is given relative is one of the checkout's.

    Raises BadInput when that names a folder without models, or one that can't be called so.
    """
    where = os.environ.get(VARIABLE)
    if not where:
        return [Model(checkout)]
    found = sorted(path.parent for path in (checkout / where).glob(f"*/{PARAMS}"))
    for folder in found:
        if folder.name == TAKEN or not NAME.fullmatch(folder.name):
            raise BadInput(
                f"{folder}: a model's name takes lower-case letters, digits, - and _, and is not "
                f"{TAKEN}"
            )
    if not found:
        raise BadInput(f"{VARIABLE}: {where} has no model, that is, no folder with a {PARAMS}")
    return [Model(folder.resolve(), folder.name) for folder in found]
