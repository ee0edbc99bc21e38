"""What Airflow sends by StatsD, with the settings of `infra/monitoring/airflow.env`."""

from __future__ import annotations

import socket
import threading

from tests.made import ROOT

SETTINGS = ROOT / "infra" / "monitoring" / "airflow.env"


def metrics_on(port: int) -> dict[str, str]:
    """Those settings, with another port."""
    lines = SETTINGS.read_text(encoding="utf-8").splitlines()
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    return {name: value for name, _, value in pairs} | {"AIRFLOW__METRICS__STATSD_PORT": str(port)}


class Ear:
    """A UDP port of this machine that takes lines as statsd_exporter would."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.2)
        self._open = True
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._socket.getsockname()[1])

    def close(self) -> None:
        """Stop listening; what was heard stays."""
        self._open = False
        self._thread.join()
        self._socket.close()

    def _listen(self) -> None:
        while self._open:
            try:
                self.lines += self._socket.recv(65536).decode().splitlines()
            except TimeoutError:
                continue
