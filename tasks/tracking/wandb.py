"""Weights & Biases; the key comes from WANDB_API_KEY, and WANDB_MODE=offline keeps it local."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from tasks.tracking.backend import FOLDER, Opening

SECONDS_TO_CONNECT = 20.0


class WandB:
    """A run of the project that `tracking.wandb` names."""

    def __init__(self, opening: Opening, known: str | None) -> None:
        import wandb

        self.run = known or uuid.uuid4().hex[:8]
        FOLDER.mkdir(parents=True, exist_ok=True)
        self._run = wandb.init(
            project=opening.target,
            id=self.run,
            resume="allow",
            name=opening.name,
            group=opening.project,
            job_type=opening.stage,
            config=dict(opening.parameters),
            dir=str(FOLDER),
            settings=wandb.Settings(
                console="off", silent=True, init_timeout=SECONDS_TO_CONNECT, save_code=False
            ),
        )

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log(dict(values), step=step)

    def close(self, ended: bool, /) -> None:
        self._run.finish(exit_code=0 if ended else 1)
