"""The section `tracking:`."""

from __future__ import annotations

from typing import ClassVar, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from tasks.params.base import Section


class Tracking(Section):
    """Where a training run's curves are sent while it runs. Nothing of it changes what it gives."""

    section: ClassVar[str] = "tracking"

    dvclive: bool = Field(True, description="files below reports/live, for `dvc plots`")
    tensorboard: str | None = Field(None, description="a folder that gets one of a run's own")
    mlflow: str | None = Field(None, description="a tracking server: http(s)://HOST:PORT")
    wandb: str | None = Field(None, description="a project of Weights & Biases")
    file: str | None = Field(None, description="a file that gets a line of JSON a loss or look")

    @model_validator(mode="after")
    def _a_server_and_no_secret(self) -> Self:
        if self.mlflow is None:
            return self
        uri = urlsplit(self.mlflow)
        if uri.scheme not in ("http", "https") or not uri.hostname:
            raise ValueError("tracking.mlflow: got no web address; takes http(s)://HOST:PORT")
        if uri.username or uri.password:
            raise ValueError(
                "tracking.mlflow: got an address with a name or password in it; takes it without: "
                "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD are taken from the "
                "environment"
            )
        return self
