"""Hosts as network namespaces: each with an address on one switch, and a cable to be pulled."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress


class Refused(Exception):
    """The kernel gives no namespaces here, or `ip` is not there."""


class Network:
    """A switch with a port for the operator and one for every host, by name."""

    def __init__(self, hosts: Sequence[str]) -> None:
        self._prefix = f"n{os.getpid()}"
        # Two at once on a machine are two networks.
        self._subnet = f"10.213.{8 + os.getpid() % 200}"
        self.addresses = {host: f"{self._subnet}.{10 + at}" for at, host in enumerate(hosts)}

    def namespace(self, host: str) -> str:
        """The name under which `ip netns` knows a host."""
        return f"{self._prefix}-{host}"

    def cut_off(self, host: str) -> None:
        """Pull the host's cable at the switch: nothing arrives there and nothing leaves."""
        _ip("-n", self._switch, "link", "set", "dev", host, "down")

    def bring_back(self, host: str) -> None:
        """Plug it in again."""
        _ip("-n", self._switch, "link", "set", "dev", host, "up")

    @property
    def _switch(self) -> str:
        return f"{self._prefix}-switch"

    def _build(self) -> None:
        _ip("netns", "add", self._switch)
        _ip("-n", self._switch, "link", "add", "bridge", "type", "bridge")
        _ip("-n", self._switch, "link", "set", "bridge", "up")
        _ip(
            "link",
            "add",
            self._prefix,
            "type",
            "veth",
            "peer",
            "name",
            "operator",
            "netns",
            self._switch,
        )
        _ip("addr", "add", f"{self._subnet}.1/24", "dev", self._prefix)
        _ip("link", "set", self._prefix, "up")
        self._plug_in("operator")
        for host, address in self.addresses.items():
            space = self.namespace(host)
            _ip("netns", "add", space)
            _ip(
                "-n",
                space,
                "link",
                "add",
                "name",
                "eth0",
                "type",
                "veth",
                "peer",
                "name",
                host,
                "netns",
                self._switch,
            )
            _ip("-n", space, "addr", "add", f"{address}/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                _ip("-n", space, "link", "set", device, "up")
            self._plug_in(host)

    def _plug_in(self, port: str) -> None:
        _ip("-n", self._switch, "link", "set", "dev", port, "master", "bridge")
        _ip("-n", self._switch, "link", "set", "dev", port, "up")

    def _take_down(self) -> None:
        for space in (*map(self.namespace, self.addresses), self._switch):
            with suppress(Refused):
                _ip("netns", "del", space)


@contextmanager
def network(*hosts: str) -> Iterator[Network]:
    """The hosts while the block lasts; raises Refused where this machine can't have them."""
    if os.geteuid() != 0:
        raise Refused("network namespaces need root")
    made = Network(hosts)
    try:
        made._build()
        yield made
    finally:
        made._take_down()


def _ip(*arguments: str) -> None:
    try:
        subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise Refused("`ip` is not installed (Debian: iproute2)") from None
    except subprocess.CalledProcessError as error:
        raise Refused(f"ip {' '.join(arguments)}: {error.stderr.strip()}") from None
