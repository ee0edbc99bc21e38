"""A headless Chromium, driven through the WebDriver protocol (https://www.w3.org/TR/webdriver2/).

Debian's `chromium` and `chromium-driver` fit each other, and the protocol is plain HTTP: nothing
else is needed.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""Under which the protocol names an element."""
PROGRAMS = ("chromium", "chromedriver")
SECONDS_TO_APPEAR = 30
T = TypeVar("T")


class Missing(AssertionError):
    """What was waited for did not come."""


class Browser:
    """One window. Elements are named by CSS, or by XPath when it begins with `/`."""

    def __init__(self, session: str, pictures: Path | None) -> None:
        self._session, self._pictures = session, pictures

    def open(self, url: str) -> None:
        """Go there."""
        self._do("POST", "/url", {"url": url})

    @property
    def url(self) -> str:
        """Where the window is."""
        return str(self._do("GET", "/url"))

    def find(self, place: str, seconds: float = SECONDS_TO_APPEAR) -> str:
        """The first element there, as soon as it can be seen."""

        def seen() -> str | None:
            for element in self._all(place):
                if self._do("GET", f"/element/{element}/displayed"):
                    return element
            return None

        return self.wait(seen, place, seconds)

    def text(self, place: str) -> str:
        """What it reads."""
        return str(self._do("GET", f"/element/{self.find(place)}/text"))

    def value(self, place: str) -> str:
        """What a field holds."""
        return str(self._do("GET", f"/element/{self.find(place)}/property/value"))

    def click(self, place: str) -> None:
        """Click it, once it can be clicked."""

        def clicked() -> bool:
            element = self.find(place)
            self._do("POST", f"/element/{element}/click", {})
            return True

        self.wait(clicked, place, SECONDS_TO_APPEAR)

    def write(self, place: str, text: str) -> None:
        """Put `text` in place of what the field holds."""
        element = self.find(place)
        select_all = "\ue009a\ue000"  # Ctrl, a, and let go
        self._do("POST", f"/element/{element}/value", {"text": select_all + text})

    def within(self, frame: str) -> None:
        """Look inside an iframe from now on."""
        self._do("POST", "/frame", {"id": {ELEMENT: self.find(frame)}})

    def back_to_the_page(self) -> None:
        """Look at the whole page again."""
        self._do("POST", "/frame", {"id": None})

    def picture(self, name: str) -> None:
        """Keep a screenshot, where the test was told to."""
        if self._pictures is not None:
            self._pictures.mkdir(parents=True, exist_ok=True)
            content = base64.b64decode(self._do("GET", "/screenshot"))
            (self._pictures / f"{name}.png").write_bytes(content)

    def wait(
        self, question: Callable[[], T | None], what: str, seconds: float = SECONDS_TO_APPEAR
    ) -> T:
        """Ask until there is an answer; an element that moves or is redrawn is asked for again."""
        end = time.monotonic() + seconds
        while True:
            try:
                if found := question():
                    return found
            except urllib.error.HTTPError:
                if time.monotonic() > end:
                    raise
            if time.monotonic() > end:
                raise Missing(f"{what} did not appear on {self.url} in {seconds:g} s")
            time.sleep(0.2)

    def _all(self, place: str) -> list[str]:
        using = "xpath" if place.startswith("/") else "css selector"
        found = self._do("POST", "/elements", {"using": using, "value": place})
        return [element[ELEMENT] for element in found]

    def _do(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        return ask(method, self._session + path, body)


@contextmanager
def browser(
    pictures: Path | None = None, width: int = 1400, height: int = 1500
) -> Iterator[Browser]:
    """A window of its own, closed at the end with everything that belongs to it."""
    with open(os.devnull, "wb") as nothing:
        driver = subprocess.Popen(
            ["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=nothing, text=True
        )
        try:
            server = f"http://127.0.0.1:{_port(driver)}"
            arguments = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage"]
            arguments += ["--disable-gpu", f"--window-size={width},{height}"]
            options = {"binary": shutil.which("chromium"), "args": arguments}
            wanted = {"browserName": "chrome", "goog:chromeOptions": options}
            made = ask("POST", f"{server}/session", {"capabilities": {"alwaysMatch": wanted}})
            session = f"{server}/session/{made['sessionId']}"
            try:
                yield Browser(session, pictures)
            finally:
                ask("DELETE", session)
        finally:
            driver.terminate()
            driver.wait()


def ask(method: str, url: str, body: dict[str, Any] | None = None) -> Any:
    """The value that the driver answers with; raises HTTPError when it can't."""
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, content, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["value"]


def _port(driver: subprocess.Popen[str]) -> int:
    assert driver.stdout is not None
    for line in driver.stdout:
        if "successfully on port" in line:
            return int(line.rstrip(".\n").rpartition(" ")[2])
    raise Missing("chromedriver did not start")
