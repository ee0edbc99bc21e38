"""A publisher or promoter as a process, which can be made to die at a given moment.

publish STORE FOLDER [KEY]   prints the version; dies by SIGKILL once KEY is uploaded or created
promote STORE VERSION        prints the version in production afterwards
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from tasks.registry.aliases import promote
from tasks.registry.publishing import publish
from tasks.store.store import Store, open_store
from tests.registry.made import NAME, facts


def main(what: str, url: str, subject: str, deadly: str | None = None) -> None:
    store = open_store(url)
    if deadly:
        for method in ("upload", "create"):
            setattr(store, method, dying(getattr(store, method), deadly))
    if what == "publish":
        print(publish(store, NAME, 1, Path(subject), facts()).version)
    else:
        print(production_after(store, subject))


def production_after(store: Store, version: str) -> str | None:
    return promote(store, NAME, version, by=f"process {os.getpid()}").production


def dying(method: Any, deadly: str) -> Any:
    def upload_or_create(*arguments: Any) -> Any:
        done = method(*arguments)
        if any(str(argument).endswith(deadly) for argument in arguments):
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    return upload_or_create


if __name__ == "__main__":
    main(*sys.argv[1:])
