"""The secret files of a Compose installation: `python -m infra.compose.secrets`, before the first
start.

What is there is kept, so that it may be run again after an update that wants one more. The folder
is its owner's alone; within it the files can be read, since Compose mounts a file with its mode,
and each service has a user of its own that must read just those it is given.
"""

from __future__ import annotations

import configparser
import json
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from infra.airflow.keys import airflow_keys, write_once
from infra.airflow.settings import ROOT

FOLDER = ROOT / ".nightshift" / "compose"
READABLE = 0o444
BUCKET, PREFIX = "nightshift", "store"
WORKERS_ROOMS = ("dvc", "code", "runs", "locks/shared")
"""Where in the store a worker may write; `registry` is the publisher's."""
HOUSEKEEPERS_ROOMS = ("dvc", "code", "runs", "locks", "housekeeping")
"""Where housekeeping may remove and write: this server knows one right for both."""


class Files:
    """The secrets in `folder`; `made` names those that were not there before."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.made = folder, list[str]()

    def keep(self, name: str, content: str) -> str:
        """What the file holds, which is `content` if there was none."""
        path = self.folder / name
        if not path.exists():
            write_once(path, content, READABLE)
            self.made.append(name)
        return path.read_text(encoding="utf-8")

    def derive(self, name: str, content: str) -> None:
        """Write a file that others decide, again where an update has changed that."""
        path = self.folder / name
        if path.exists() and path.read_text(encoding="utf-8") != content:
            path.unlink()
        self.keep(name, content)


def write_secrets(folder: Path) -> list[str]:
    """Write those that are missing; their names."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    files = Files(folder)
    password = files.keep("postgres_password", secrets.token_urlsafe(24))
    files.keep("sql_alchemy_conn", f"postgresql+psycopg2://airflow:{password}@postgres/airflow")
    password = files.keep("redis_password", secrets.token_urlsafe(24))
    files.keep("redis.conf", f"requirepass {password}\nappendonly yes\ndir /data\n")
    files.keep("broker_url", f"redis://:{password}@redis:6379/0")
    files.keep("result_backend", f"redis://:{password}@redis:6379/1")
    for option, key in airflow_keys().items():
        files.keep(option.lower(), key)
    files.keep("airflow_password", secrets.token_urlsafe(12))
    files.keep("notify_url", "")  # a web hook's, if there is one
    files.keep("grafana_password", secrets.token_urlsafe(12))
    _store(files)
    return files.made


def _store(files: Files) -> None:
    """Who may do what to the S3 server, and each one's credentials in the form of the AWS SDK."""
    identities = [
        {
            "name": name,
            "credentials": [_credentials(files.keep(f"s3_{name}", _new_credentials(name)))],
            "actions": actions,
        }
        for name, actions in rights().items()
    ]
    files.derive("s3_identities.json", json.dumps({"identities": identities}, indent=2))


def rights() -> dict[str, list[str]]:
    """What each user of the S3 server may do, in SeaweedFS's words."""
    read = [f"Read:{BUCKET}", f"List:{BUCKET}"]
    return {
        "administrator": ["Admin"],
        "worker": [*read, *_write(WORKERS_ROOMS)],
        "publisher": [*read, *_write((*WORKERS_ROOMS, "registry"))],
        "housekeeper": [*read, *_write(HOUSEKEEPERS_ROOMS)],
        "reader": read,
    }


def _write(rooms: Sequence[str]) -> list[str]:
    return [f"Write:{BUCKET}/{PREFIX}/{room}/*" for room in rooms]


def _new_credentials(name: str) -> str:
    return (
        f"[default]\naws_access_key_id = {name}-{secrets.token_hex(6)}\n"
        f"aws_secret_access_key = {secrets.token_hex(20)}\n"
    )


def _credentials(text: str) -> dict[str, Any]:
    parsed = configparser.ConfigParser()
    parsed.read_string(text)
    found = parsed["default"]
    return {
        "accessKey": found["aws_access_key_id"],
        "secretKey": found["aws_secret_access_key"],
    }


def main(
    folder: Annotated[Path, typer.Option(help="Where; NIGHTSHIFT_SECRETS of Compose.")] = FOLDER,
) -> None:
    """Write the secret files that are missing, and never touch one that is there."""
    made = write_secrets(folder)
    print(f"{folder}: {', '.join(made) if made else 'everything is there'}")


if __name__ == "__main__":
    typer.run(main)
