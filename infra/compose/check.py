"""What the specification's schema can't say of Compose files: `python -m infra.compose.check`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).with_name("compose.yaml")
OVER = ("first-host.yaml", "worker-host.yaml", "gpu.yaml")
"""The files that go over it, each by itself."""
PRIVATE = "${NIGHTSHIFT_FIRST_HOST:?"
Content = Mapping[str, Any]

_VARIABLE = re.compile(r"\$\{(\w+)(?::?([-?])([^}]*))?\}")
_PINNED = re.compile(r"(@sha256:[0-9a-f]{64}|:(?!latest$)[\w.-]+)$")
_SECRET = re.compile(
    r"PASSWORD|SECRET|FERNET_KEY|TOKEN|ACCESS_KEY|_CONN\b|BROKER_URL|RESULT_BACKEND"
)
_FROM_FILE = re.compile(r"(_CMD|_FILE)$")
_CREDENTIALS_IN_URL = re.compile(r"://[^/\s]*:[^/\s]*@")
_MOUNT = re.compile(r"[./]")


class _Loader(yaml.SafeLoader):
    """YAML with Compose's `!reset`: the key goes, whatever the file below says."""


class _Reset:
    """Stands where a file takes a key away."""


_Loader.add_constructor("!reset", lambda *_: _Reset())


def read(*paths: Path) -> Content:
    """One file over the other as Compose merges them, anchors resolved; variables stay as they are.

    Mappings are merged, lists are added to, what is tagged `!reset` goes, everything else is
    replaced. By default `compose.yaml` alone.
    """
    content: Content = {}
    for path in paths or (FILE,):
        over: Content = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506
        content = _merged(content, over)
    return content


def _merged(below: Content, over: Content) -> Content:
    kept = {name: value for name, value in below.items() if name not in over}
    changed = {
        name: _put_over(below.get(name), value)
        for name, value in over.items()
        if not isinstance(value, _Reset)
    }
    return kept | changed


def _put_over(below: Any, over: Any) -> Any:
    if isinstance(over, Mapping):
        return _merged(below if isinstance(below, Mapping) else {}, over)
    return [*below, *over] if isinstance(over, list) and isinstance(below, list) else over


def problems(content: Content) -> list[str]:
    """A line each, naming the service; none when it is as it should be."""
    found: list[str] = []
    for name, service in content["services"].items():
        for told in (_image, _ports, _environment, _hardening, _limits):
            found += [f"services.{name}.{problem}" for problem in told(service)]
    for room in ("secrets", "networks", "volumes"):
        found += _declared(room, content)
    for name, secret in content.get("secrets", {}).items():
        if set(secret) != {"file"}:
            found.append(f"secrets.{name}: takes a file, got {', '.join(secret)}")
    return found


def _image(service: Content) -> Iterator[str]:
    """A tag or a digest; a variable counts with its default, one without a default must be set."""
    image = _VARIABLE.sub(lambda found: _stands_for(*found.groups()), service["image"])
    if not _PINNED.search(image):
        yield f"image: {service['image']} is not pinned: give it a version or a digest"


def _stands_for(name: str, sign: str | None, text: str | None) -> str:
    return {"-": text or "", "?": name}.get(sign or "", "")


def _ports(service: Content) -> Iterator[str]:
    for port in service.get("ports", []):
        if not str(port).startswith(("127.0.0.1:", PRIVATE)):
            yield f"ports: {port} is open to the network: put 127.0.0.1: before it"


def _environment(service: Content) -> Iterator[str]:
    for name, value in service.get("environment", {}).items():
        if _CREDENTIALS_IN_URL.search(str(value)):
            yield f"environment.{name}: holds credentials: use a secret"
        elif _SECRET.search(name) and not _FROM_FILE.search(name):
            yield f"environment.{name}: may be a secret: use {name}_FILE, or _CMD of Airflow's"


def _hardening(service: Content) -> Iterator[str]:
    if service.get("read_only") is not True:
        yield "read_only: must be true"
    if service.get("cap_drop") != ["ALL"] or "cap_add" in service or service.get("privileged"):
        yield "cap_drop: must be [ALL], with nothing added"
    if "no-new-privileges:true" not in service.get("security_opt", []):
        yield "security_opt: no-new-privileges:true is missing"


def _limits(service: Content) -> Iterator[str]:
    limits = service.get("deploy", {}).get("resources", {}).get("limits", {})
    for name in ("cpus", "memory"):
        if name not in limits:
            yield f"deploy.resources.limits.{name}: is missing"


def _declared(room: str, content: Content) -> Iterator[str]:
    """What is used is declared, and the other way round."""
    declared = set(content.get(room) or {})
    used = {use for service in content["services"].values() for use in _used(room, service)}
    for name in sorted(used - declared):
        yield f"{room}.{name}: is used and not declared"
    for name in sorted(declared - used):
        yield f"{room}.{name}: is declared and not used"


def _used(room: str, service: Content) -> Iterator[str]:
    for use in service.get(room, []):
        source = str(use).partition(":")[0] if room == "volumes" else str(use)
        if room != "volumes" or not _MOUNT.match(source):
            yield source


def main() -> int:
    """Print what is wrong, by itself and with each file over it; exit code 1 when something is."""
    found = {FILE.name: problems(read())}
    found |= {name: problems(read(FILE, FILE.with_name(name))) for name in OVER}
    for name, told in found.items():
        print("\n".join(f"{name}: {each}" for each in told) or f"{name}: good")
    return int(any(found.values()))


if __name__ == "__main__":
    sys.exit(main())
