"""DVCLive: files below reports/live that `dvc plots` and the DVC extension draw as they grow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.tracking.backend import Opening

FOLDER = Path("reports/live")


class DVCLive:
    """One folder a stage; it writes no dvc.yaml, saves no experiment, and asks git for nothing."""

    def __init__(self, opening: Opening, known: str | None) -> None:
        from dvclive.live import Live

        self.run = str(Path(opening.target) / opening.stage)
        self._live: Any = Live(
            self.run, resume=known is not None, report=None, save_dvc_exp=False, dvcyaml=False
        )
        self._live.log_params(dict[str, Any](opening.parameters))

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._live.step = step
        for name, value in values.items():
            self._live.log_metric(name, value)
        self._live.make_summary()

    def close(self, ended: bool, /) -> None:
        if ended:
            self._live.end()
