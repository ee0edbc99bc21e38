"""Notes every S3 request of every process that has this folder on its path, a line of JSON each.

Python imports a module of this name when it starts. It waits for botocore, which boto3 and DVC's
s3fs both are made on, and gives it two more handlers; a process that speaks to no bucket pays for
nothing. `COUNT_REQUESTS` names the file; without it nothing happens.

Each `nightshift` command gets an empty cache, too: so a worker has it that shares nothing with the
others, such as a pod, and what it must fetch is counted.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
from importlib.abc import MetaPathFinder
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

FILE = os.environ.get("COUNT_REQUESTS")


class WhenImported(MetaPathFinder):
    """Adds the handlers to botocore's own as soon as those are there."""

    def find_spec(self, name: str, *_: Any) -> Any:
        if name != "botocore.handlers":
            return None
        sys.meta_path.remove(self)
        spec: Any = importlib.util.find_spec(name)
        execute = spec.loader.exec_module

        def executed(module: Any) -> None:
            execute(module)
            module.BUILTIN_HANDLERS.append(("before-send.s3", sent))
            module.BUILTIN_HANDLERS.append(("response-received.s3", answered))

        spec.loader.exec_module = executed
        return spec


def sent(request: Any, event_name: str, **_: Any) -> None:
    """A request on its way, each try for itself; `bytes` are those of its body."""
    address = urlsplit(request.url)
    query = parse_qs(address.query)
    listing = request.method == "GET" and ("list-type" in query or address.path.count("/") == 1)
    bucket, _slash, key = unquote(address.path).lstrip("/").partition("/")
    note(
        verb="LIST" if listing else request.method,
        key=query.get("prefix", [""])[0] if listing else key,
        bucket=bucket,
        bytes=int(request.headers.get("Content-Length") or 0),
    )


def answered(response_dict: Any, event_name: str, **_: Any) -> None:
    """An answer; `bytes` are those of its body as the server gives them, 0 for a HEAD."""
    if response_dict is not None and not event_name.rpartition(".")[2].startswith("Head"):
        note(verb="answer", bytes=int(response_dict["headers"].get("content-length") or 0))


def note(**content: Any) -> None:
    """One write of one line, which processes that share the file don't tear apart."""
    line = json.dumps({"at": time.time(), "process": os.getpid(), **content}) + "\n"
    file = os.open(str(FILE), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


if FILE and sys.orig_argv[1:3] == ["-m", "tasks.cli"]:
    os.environ["NIGHTSHIFT_CACHE"] += f"/{os.getpid()}"
if FILE:
    sys.meta_path.insert(0, WhenImported())
