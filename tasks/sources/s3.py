"""Objects in a bucket, through boto3 and the standard AWS settings only."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from botocore import exceptions

from tasks.sources.aws import CUT_OFF, TRIES, asked, client, code_of
from tasks.sources.names import check_name
from tasks.sources.source import Pinned
from tasks.stage.errors import BadInput, Unavailable
from tasks.stage.outputs import STATE, whole

PART_BYTES = 16 * 2**20
PARTS_AT_ONCE = 4
FIRST_WAIT_SECONDS = 0.5
SHOWN_OF_A_NAME = 40  # a key may be longer than a file's name
NEEDS = "s3:ListBucket on the bucket and s3:GetObject on its objects"
T = TypeVar("T")

_CHANGED = {"PreconditionFailed", "412", "NoSuchKey", "NoSuchVersion", "404", "InvalidRange"}


class Bucket:
    """`s3://bucket/key` (one object) or `s3://bucket/prefix` (all objects below it).

    A slash at the end says that it is a prefix, should there be an object of that name as well.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.bucket, _, key = uri.removeprefix("s3://").partition("/")
        self.key = key.rstrip("/")
        self._own_name = "" if key.endswith("/") else PurePosixPath(self.key).name
        if not self.bucket:
            raise BadInput(f"{uri} names no bucket; takes s3://bucket/key-or-prefix")

    def files(self) -> list[Pinned]:
        """The object, or all below the prefix, pinned to ETag, size and version (if it has one).

        Names that begin with `.` or `_`, and empty objects that stand for folders, are left out.
        Raises BadInput when there is none, the bucket is not there or may not be listed.
        """
        found = self._asked(self.uri, lambda: sorted(self._listed()))
        if not found:
            raise BadInput(f"{self.uri} does not exist: no object of that name or below it")
        return found

    def fetch(self, pinned: Pinned) -> Path:
        """A copy below `.nightshift/cache`, whole or not at all; fetched once.

        Every part is asked for with the pinned ETag, so a mixture of two contents can't come out.
        """
        name = PurePosixPath(pinned.path).name[-SHOWN_OF_A_NAME:]
        target = STATE / "cache" / f"{self._cache_key(pinned)}-{name}"
        if target.is_file() and target.stat().st_size == pinned.size:
            return target
        with whole(target) as draft:
            where = f"s3://{self.bucket}/{self._key_of(pinned)}"
            self._asked(where, lambda: self._download(pinned, draft))
        return target

    @cached_property
    def _client(self) -> Any:
        return client()

    def _cache_key(self, pinned: Pinned) -> str:
        content = json.dumps([self.bucket, self._key_of(pinned), pinned.to_json()])
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    def _key_of(self, pinned: Pinned) -> str:
        if pinned.path == self._own_name:
            return self.key
        return f"{self.key}/{pinned.path}" if self.key else pinned.path

    def _listed(self) -> Iterator[Pinned]:
        if self._own_name:
            first = self._client.list_objects_v2(Bucket=self.bucket, Prefix=self.key, MaxKeys=1)
            if any(found["Key"] == self.key for found in first.get("Contents", [])):
                latest = (each for each in self._objects(self.key) if each["Key"] == self.key)
                yield from (_pinned(self._own_name, each) for each in latest)
                return
        prefix = f"{self.key}/" if self.key else ""
        for found in self._objects(prefix):
            path = found["Key"].removeprefix(prefix)
            if is_wanted(path, found["Size"], self.uri):
                if path == self._own_name:
                    raise BadInput(f"{self.uri}: write it with a / at the end, it is a folder")
                yield _pinned(check_name(path, self.uri), found)

    def _objects(self, prefix: str) -> Iterator[dict[str, Any]]:
        """Every object's newest version; with its id where the bucket keeps versions."""
        if not self._keeps_versions():
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self.bucket, Prefix=prefix):
                yield from page.get("Contents", [])
            return
        pages = self._client.get_paginator("list_object_versions")
        for page in pages.paginate(Bucket=self.bucket, Prefix=prefix):
            yield from (found for found in page.get("Versions", []) if found["IsLatest"])

    def _keeps_versions(self) -> bool:
        try:
            answer = self._client.get_bucket_versioning(Bucket=self.bucket)
            if answer.get("Status") != "Enabled":
                return False
            self._client.list_object_versions(Bucket=self.bucket, MaxKeys=1)
        except exceptions.ClientError as error:
            if code_of(error) == "NoSuchBucket":
                raise
            return False  # not allowed to ask, or a server without versions: the ETag will do
        return True

    def _download(self, pinned: Pinned, draft: Path) -> None:
        starts = range(0, pinned.size, PART_BYTES)
        with open(draft, "wb") as file, ThreadPoolExecutor(PARTS_AT_ONCE) as pool:
            for _ in pool.map(lambda start: self._part(pinned, start, file.fileno()), starts):
                pass

    def _part(self, pinned: Pinned, start: int, file: int) -> None:
        """Write one part where it belongs. What breaks off in the middle is asked for again."""
        end = min(start + PART_BYTES, pinned.size)
        asked = {"Bucket": self.bucket, "Key": self._key_of(pinned), "IfMatch": pinned.etag}
        asked |= {"VersionId": pinned.version} if pinned.version else {}
        for attempt in range(TRIES):
            try:
                answer = self._client.get_object(**asked, Range=f"bytes={start}-{end - 1}")
                content = answer["Body"].read()
                if len(content) == end - start:
                    os.pwrite(file, content, start)
                    return
            except CUT_OFF:
                if attempt == TRIES - 1:
                    raise
            time.sleep(FIRST_WAIT_SECONDS * 2**attempt)
        raise Unavailable(f"{self.uri}: {pinned.path} keeps coming incomplete: run again later")

    def _asked(self, where: str, question: Callable[[], T]) -> T:
        def unchanged() -> T:
            try:
                return question()
            except exceptions.ClientError as error:
                if code_of(error) not in _CHANGED:
                    raise
                changed = f"{where} has changed since the snapshot was taken: run again"
                raise Unavailable(changed) from None

        return asked(where, NEEDS, unchanged)


def is_wanted(path: str, size: int, uri: str) -> bool:
    """Whether an object `path` below a prefix holds data, by its name and its size in bytes.

    Raises BadInput for a name that no folder could have: its rows would be lost in silence.
    """
    parts = path.split("/")
    if any(part.startswith((".", "_")) for part in parts) or (parts[-1] == "" and not size):
        return False
    if "" in parts:
        raise BadInput(f"{uri}: the object {path!r} has an empty folder or file name: rename it")
    return True


def _pinned(path: str, found: dict[str, Any]) -> Pinned:
    version = found.get("VersionId")
    version = None if version == "null" else version
    return Pinned(path, found["Size"], etag=found["ETag"].strip('"'), version=version)
