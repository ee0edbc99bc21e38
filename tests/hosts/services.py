"""The services of infra/compose, each a container on one of several hosts.

Command, environment, secrets, volumes and user are the Compose file's, what the image sets is the
Containerfile's. Names of services stand in /etc/hosts, as an engine or worker-host.yaml puts them
there. What the images of others do by scripts of their own is ours: PostgreSQL's first start.
"""

from __future__ import annotations

import pwd
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.compose.check import read
from tests.hosts.container import Container
from tests.made import ROOT

COMPOSE = ROOT / "infra" / "compose"
CONTAINERFILE = ROOT / "infra" / "images" / "Containerfile"
PROJECT = "/opt/nightshift"
FIRST_HOST = "a"
USER = (10001, 0)
USER_OF_IMAGE = "nightshift:x:10001:0::/opt/airflow:/usr/sbin/nologin"
PGDATA = "/var/lib/postgresql/data"
POSTGRES = r"""
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  initdb --username="$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" \
    --auth=scram-sha-256
  echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
  echo "CREATE DATABASE $POSTGRES_DB" | postgres --single postgres
fi
exec postgres -c listen_addresses='*' -c unix_socket_directories=/var/run/postgresql
"""
ENTRYPOINTS = {"postgres": ["sh", "-c", POSTGRES], "prometheus": ["prometheus"]}
"""What the images of others run; a service's command are its options."""
_VARIABLE = re.compile(r"\$\{(\w+)(?::?[-?]([^}]*))?\}")


class Host:
    """One machine: its folder, its copy of the project, and the files with its secrets."""

    def __init__(
        self, name: str, namespace: str, folder: Path, secrets: Path, addresses: Mapping[str, str]
    ) -> None:
        self.name, self.namespace, self.folder = name, namespace, folder
        first = name == FIRST_HOST
        over = COMPOSE / ("first-host.yaml" if first else "worker-host.yaml")
        self._services: Mapping[str, Any] = read(COMPOSE / "compose.yaml", over)["services"]
        self._variables = {
            "NIGHTSHIFT_FIRST_HOST": addresses[FIRST_HOST],
            "NIGHTSHIFT_HOST": name,
        }
        self.project = folder / "project"
        self._secrets, self._hosts, self._users = secrets, folder / "hosts", folder / "passwd"
        names = dict.fromkeys(self._services, addresses[name]) if first else self._extra_hosts()
        names |= {self._container_name(each): addresses[name] for each in self._services}
        lines = ["127.0.0.1 localhost", *(f"{where} {each}" for each, where in names.items())]
        self._hosts.write_text("\n".join(lines) + "\n", encoding="utf-8")
        known = Path("/etc/passwd").read_text(encoding="utf-8")
        self._users.write_text(f"{known}{USER_OF_IMAGE}\n", encoding="utf-8")

    def container(self, name: str, **more: str) -> Container:
        """A service of the Compose file on this host, with `more` in its environment."""
        service = self._services[name]
        user = _user(service.get("user"))
        mounts = [str(each).split(":")[:2] for each in service.get("volumes", [])]
        return Container(
            name=self._container_name(name),
            namespace=self.namespace,
            command=self._command(name),
            environment={**_image(), **self._environment(service), **more},
            user=user,
            folder=PROJECT,
            volumes={
                place: self._volume(source, user) for source, place in mounts if source[0] != "."
            },
            read_only={
                **{place: COMPOSE / source for source, place in mounts if source[0] == "."},
                PROJECT: self.project,
                "/etc/hosts": self._hosts,
                "/etc/passwd": self._users,
                **{
                    f"/run/secrets/{each}": self._secret(each)
                    for each in service.get("secrets", [])
                },
            },
            tmpfs=dict(_tmpfs(each) for each in service.get("tmpfs", [])),
        )

    def volume(self, name: str) -> Path:
        """Where a named volume of this host lies."""
        return self.folder / "volumes" / name

    def _environment(self, service: Mapping[str, Any]) -> dict[str, str]:
        found: dict[str, str] = {}
        for file in service.get("env_file", []):
            lines = (COMPOSE / file).read_text(encoding="utf-8").splitlines()
            found |= dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
        own = service.get("environment", {})
        return {**found, **{name: self._resolved(str(value)) for name, value in own.items()}}

    def _command(self, service: str) -> list[str]:
        words = self._services[service].get("command", [])
        return [*ENTRYPOINTS.get(service, []), *(self._resolved(str(word)) for word in words)]

    def _container_name(self, service: str) -> str:
        default = f"{self.name}-{service}"
        return self._resolved(self._services[service].get("hostname", default))

    def _extra_hosts(self) -> dict[str, str]:
        lines = [
            self._resolved(each)
            for service in self._services.values()
            for each in service.get("extra_hosts", [])
        ]
        return {name: where for name, _, where in (line.partition(":") for line in lines)}

    def _resolved(self, text: str) -> str:
        found = _VARIABLE.sub(lambda each: self._variables.get(each[1], each[2] or ""), text)
        return found.replace("$$", "$")

    def _volume(self, name: str, user: tuple[int, int]) -> Path:
        folder = self.volume(name)
        if not folder.exists():
            folder.mkdir(parents=True)
            shutil.chown(folder, *user)
        return folder

    def _secret(self, name: str) -> Path:
        """Its own copy, as a person brings a host those that its services are given."""
        mine = self.folder / "secrets" / name
        mine.parent.mkdir(mode=0o700, exist_ok=True)
        if not mine.exists():
            shutil.copy(self._secrets / name, mine)
        return mine


def _image() -> dict[str, str]:
    """What the Containerfile sets for whatever runs in an image, the programs of this machine."""
    (block,) = re.findall(r"^ENV ((?:.*\\\n)*.*)\n", CONTAINERFILE.read_text(), re.MULTILINE)
    found = dict(each.split("=", 1) for each in block.replace("\\\n", " ").split())
    programs = f"{sys.prefix}/bin:/usr/lib/postgresql/15/bin:/usr/local/bin:/usr/bin:/bin"
    return {**found, "PATH": programs, "LANG": "C.UTF-8", "PGDATA": PGDATA, "HF_HUB_OFFLINE": "1"}


def _tmpfs(text: str) -> tuple[str, str]:
    place, _, options = text.partition(":")
    return place, options or "mode=1777"


def _user(name: str | None) -> tuple[int, int]:
    if name is None:
        return USER
    found = pwd.getpwnam(name)
    return found.pw_uid, found.pw_gid
