"""A store in a bucket, through boto3 and the standard AWS settings only."""

from __future__ import annotations

import base64
import hashlib
import sys
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from tasks.sources.aws import asked, client, code_of
from tasks.stage.errors import BadInput, Unavailable
from tasks.stage.outputs import sha256
from tasks.store.entries import PROBE, Entry, Found

NEEDS = (
    "s3:ListBucket on the bucket, s3:GetObject and s3:PutObject on its objects: docs/bucket.md has "
    "who may do what"
)
PARTS = TransferConfig(multipart_threshold=16 * 2**20, multipart_chunksize=16 * 2**20)
PATIENCE_SECONDS = 120.0
"""How long a server that can't be reached is asked again, beyond the client's own tries."""
LONGEST_WAIT_SECONDS = 10.0
SETTLING_SECONDS = 2.0
"""On a store without atomic conditional writes: how long a write must stand to have won."""
RACERS = 6
_MISSING = {"NoSuchKey", "404", "NotFound"}
_LOST = {"PreconditionFailed", "412", "ConditionalRequestConflict", "409"}
T = TypeVar("T")


class BucketStore:
    """Keys are below the prefix of `s3://bucket/prefix`.

    Conditional writes (`If-None-Match`, `If-Match`) decide races. A server that takes them but
    does not keep them is found out by a probe before the first one (`atomic`); there, a write is
    made, left to settle for two seconds, and read back: who is still there has won. That holds as
    long as writers are not slower than the pause; with one publisher at a time it always does.
    """

    def __init__(self, url: str, patience: float = PATIENCE_SECONDS) -> None:
        self.url = url.rstrip("/")
        self._patience = patience
        self.bucket, _, prefix = self.url.removeprefix("s3://").partition("/")
        self._prefix = f"{prefix}/" if prefix else ""
        if not self.bucket:
            raise BadInput(f"{url} names no bucket; takes s3://bucket/prefix")

    def read(self, key: str) -> Found | None:
        def question() -> Found | None:
            try:
                answer = self._client.get_object(**self._at(key))
            except ClientError as error:
                if code_of(error) in _MISSING:
                    return None
                raise
            return Found(answer["Body"].read(), answer["ETag"])

        return self._patiently(key, question)

    def write(self, key: str, content: bytes) -> None:
        self._patiently(key, lambda: self._put(key, content))

    def create(self, key: str, content: bytes) -> bool:
        if not self.atomic:
            return self.read(key) is None and self._settled(key, content)
        return self._conditionally(key, content, IfNoneMatch="*")

    def replace(self, key: str, content: bytes, tag: str) -> bool:
        if not self.atomic:
            found = self.read(key)
            return found is not None and found.tag == tag and self._settled(key, content)
        return self._conditionally(key, content, IfMatch=tag)

    def upload(self, path: Path, key: str) -> str:
        digest = sha256(path)
        extra = {"Metadata": {"sha256": digest}}
        where = self._at(key)

        def question() -> None:
            self._client.upload_file(
                str(path), where["Bucket"], where["Key"], ExtraArgs=extra, Config=PARTS
            )

        self._patiently(key, question)
        return digest

    def download(self, key: str, path: Path) -> str:
        path.parent.mkdir(parents=True, exist_ok=True)

        def question() -> str | None:
            try:
                head = self._client.head_object(**self._at(key))
                self._client.download_file(self.bucket, self._prefix + key, str(path), Config=PARTS)
            except ClientError as error:
                if code_of(error) in _MISSING:
                    raise BadInput(f"{self.url}/{key} does not exist") from None
                raise
            sent: str | None = head.get("Metadata", {}).get("sha256")
            return sent

        for _ in range(2):
            sent = self._patiently(key, question)
            digest = sha256(path)
            if sent in (None, digest):
                return digest
        raise Unavailable(f"{self.url}/{key}: what was read is not what was written (sha256)")

    def keys(self, prefix: str) -> list[str]:
        return sorted(self.tags(prefix))

    def tags(self, prefix: str) -> dict[str, str]:
        return {self._key(found): found["ETag"] for found in self._listed(prefix)}

    def listing(self, prefix: str) -> list[Entry]:
        return sorted(
            Entry(self._key(found), found["Size"], found["LastModified"].timestamp())
            for found in self._listed(prefix)
        )

    def _listed(self, prefix: str) -> list[dict[str, Any]]:
        """The objects as S3 lists them; a key with a slash at its end is none."""

        def question() -> list[dict[str, Any]]:
            pages = self._client.get_paginator("list_objects_v2")
            return [
                found
                for page in pages.paginate(Bucket=self.bucket, Prefix=self._prefix + prefix)
                for found in page.get("Contents", [])
                if not found["Key"].endswith("/")
            ]

        return self._patiently(prefix, question)

    def delete(self, key: str) -> None:
        self._patiently(key, lambda: self._client.delete_object(**self._at(key)))

    @cached_property
    def atomic(self) -> bool:
        """Whether of several conditional writes at once exactly one gets through: tried out."""
        key = f"{PROBE}{uuid.uuid4().hex}"
        self.read(key)  # waits for a server that is away
        try:
            with ThreadPoolExecutor(RACERS) as pool:
                wins = sum(pool.map(lambda n: self._raced(key, n), range(RACERS)))
            good = wins == 1 and not self._raced(key, RACERS)
        finally:
            self.delete(key)
        if not good:
            print(
                f"{self.url}: its conditional writes are not atomic; writes are left to settle for "
                f"{SETTLING_SECONDS:g} s and read back instead: let one process publish at a time",
                file=sys.stderr,
                flush=True,
            )
        return good

    def _raced(self, key: str, number: int) -> bool:
        try:
            content = str(number).encode()
            return asked(self.url, NEEDS, lambda: self._tried(key, content, IfNoneMatch="*"))
        except Unavailable:
            return False  # a server that does not know conditional writes at all

    @cached_property
    def _client(self) -> Any:
        return client()

    def _key(self, found: dict[str, Any]) -> str:
        key: str = found["Key"]
        return key.removeprefix(self._prefix)

    def _at(self, key: str) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": self._prefix + key}

    def _put(self, key: str, content: bytes, **condition: str) -> None:
        digest = hashlib.sha256(content).hexdigest()
        md5 = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
        self._client.put_object(
            **self._at(key), Body=content, ContentMD5=md5, Metadata={"sha256": digest}, **condition
        )

    def _tried(self, key: str, content: bytes, **condition: str) -> bool:
        try:
            self._put(key, content, **condition)
        except ClientError as error:
            if code_of(error) in _LOST | _MISSING:
                return False
            raise
        return True

    def _conditionally(self, key: str, content: bytes, **condition: str) -> bool:
        """An answer that got lost makes the client ask twice: what lies there then is ours."""
        if self._patiently(key, lambda: self._tried(key, content, **condition)):
            return True
        found = self.read(key)
        return found is not None and found.content == content

    def _settled(self, key: str, content: bytes) -> bool:
        self.write(key, content)
        time.sleep(SETTLING_SECONDS)
        found = self.read(key)
        return found is not None and found.content == content

    def _patiently(self, key: str, question: Callable[[], T]) -> T:
        """Ask until it answers or patience ends, saying so; what can't pass is raised at once."""
        end, wait = time.monotonic() + self._patience, 1.0
        while True:
            try:
                return asked(f"{self.url}/{key}", NEEDS, question)
            except Unavailable as error:
                if time.monotonic() + wait > end:
                    raise
                print(f"{error}; asking again in {wait:g} s", file=sys.stderr, flush=True)
                time.sleep(wait)
                wait = min(2 * wait, LONGEST_WAIT_SECONDS)
