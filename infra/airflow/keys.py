"""What an installation makes for itself at its first start, and nobody else may read."""

from __future__ import annotations

import base64
import os
import secrets
from pathlib import Path


def airflow_keys() -> dict[str, str]:
    """New keys of Airflow's own, by what follows `AIRFLOW__` in their option's variable."""
    fernet = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    return {
        "CORE__FERNET_KEY": fernet,
        "API_AUTH__JWT_SECRET": secrets.token_urlsafe(64),
        "API__SECRET_KEY": secrets.token_urlsafe(32),
    }


def write_once(path: Path, content: str, mode: int = 0o600) -> None:
    """A new file, never readable for more than `mode` says, not even for a moment.

    Its folder is made for its owner alone. Raises FileExistsError for one that is there.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode), "w") as file:
        os.fchmod(file.fileno(), mode)  # whatever the umask says
        file.write(content)
