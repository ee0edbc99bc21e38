"""Several machines that train one model: where they meet, and which of them this one is."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

import psutil

from tasks.stage.errors import BadInput

RENDEZVOUS = "NIGHTSHIFT_RENDEZVOUS"
HOST = "NIGHTSHIFT_HOST"


@dataclass(frozen=True)
class Meeting:
    """Where the hosts of a run find one another. Host 0 listens there, and owns the outputs."""

    address: str
    port: int
    host: int
    """This machine's number: 0 … hosts - 1."""

    @property
    def endpoint(self) -> str:
        return f"{self.address}:{self.port}"


def meeting(hosts: int) -> Meeting:
    """What the environment says; raises BadInput when `hosts` machines can't meet by that.

    A place and a number are this machine's affair and change with it, so that they stand in the
    environment: with parameters they would make another run of the same training.
    """
    place, number = os.environ.get(RENDEZVOUS, ""), os.environ.get(HOST, "")
    address, _, port = place.rpartition(":")
    if not address or not port.isdigit():
        raise BadInput(
            f"finetune.hosts is {hosts}, and {RENDEZVOUS} is {place!r}: set it to ADDRESS:PORT of "
            "host 0, the same on every host"
        )
    if not number.isdigit() or int(number) >= hosts:
        raise BadInput(
            f"finetune.hosts is {hosts}, and {HOST} is {number!r}: set it to this host's number, "
            f"0 to {hosts - 1}"
        )
    return Meeting(address, int(port), int(number))


def owns_outputs(hosts: int) -> bool:
    """Whether this machine is the one that writes the model, the checkpoints and the report."""
    return hosts == 1 or meeting(hosts).host == 0


def interface_to(place: Meeting) -> str | None:
    """The network interface on the way to host 0; Gloo would take the one of the host's name.

    None when no interface has the address that the system would send from.
    """
    kind, _, _, _, target = socket.getaddrinfo(place.address, place.port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(kind, socket.SOCK_DGRAM) as probe:  # sends nothing: it only asks the routes
        probe.connect(target)
        mine = probe.getsockname()[0]
    for name, addresses in psutil.net_if_addrs().items():
        if any(found.address.partition("%")[0] == mine for found in addresses):
            return name
    return None
