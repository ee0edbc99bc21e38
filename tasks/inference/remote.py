"""Finding a release in a folder, a bucket or a registry: whole and verified, or not at all.

Only the standard library is imported here, and boto3 when a bucket is asked.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tasks.inference.release import CARD, verify
from tasks.stage.errors import BadInput, StageError, Unavailable

ALIASES = "aliases.json"
"""Lies beside a registry's versions and says which of them an alias stands for now."""


def find_release(source: str | Path) -> Path:
    """The folder of the release that a folder, an `s3://` URI or an alias in either stands for.

    An alias is followed once, here: what it points at later changes nothing for who has loaded.
    """
    if str(source).startswith("s3://"):
        return fetch_release(str(source))
    folder = Path(source)
    if (folder / CARD).is_file() or not (folder.parent / ALIASES).is_file():
        return folder
    record = (folder.parent / ALIASES).read_bytes()
    return folder.parent / version_of(folder.name, record, str(source))


def fetch_release(uri: str) -> Path:
    """A verified local copy of the release (or of the alias's release) at `s3://bucket/prefix`.

    It stays in the user's cache folder under its card's checksum, so that the next start of the
    same release downloads the card alone. Raises BadInput when the URI holds no release or a file
    is not the one its card lists, Unavailable when the bucket can't be reached.
    """
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    bucket, _, prefix = uri.removeprefix("s3://").strip("/").partition("/")
    try:
        client = boto3.Session().client("s3")  # the default session would keep old keys

        def get(key: str) -> bytes | None:
            try:
                content: bytes = client.get_object(Bucket=bucket, Key=key)["Body"].read()
            except client.exceptions.NoSuchKey:
                return None
            return content

        prefix, card = _located(uri, prefix, get)
        target = _cache() / hashlib.sha256(card).hexdigest()[:32]
        if not target.is_dir():
            _download(client, bucket, prefix, target)
        return target
    except ClientError as error:
        raise _explained(uri, error) from None
    except BotoCoreError as error:
        raise Unavailable(f"{uri} can't be read: {' '.join(str(error).split())}") from None


def version_of(alias: str, record: bytes, uri: str) -> str:
    """The version that `aliases.json` says `alias` stands for; raises BadInput when it doesn't."""
    try:
        aliases = json.loads(record)["aliases"]
        version = aliases.get(alias)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BadInput(f"{uri}: {ALIASES} beside it is broken") from None
    if version is None:
        known = ", ".join(sorted(aliases)) or "none yet"
        raise BadInput(f"{uri}: there is no such version or alias; aliases are {known}")
    if not re.fullmatch(r"v\d+\.\d+\.\d+", str(version)):
        raise BadInput(f"{uri}: {ALIASES} beside it points at {version!r}, which is no version")
    return str(version)


def _located(uri: str, prefix: str, get: Callable[[str], bytes | None]) -> tuple[str, bytes]:
    """The prefix, with a slash at its end, below which the release lies, and its card."""
    room, _, alias = prefix.rpartition("/")
    room = f"{room}/" if room else ""
    place = f"{prefix}/" if prefix else ""
    card = get(place + CARD)
    record = None if card else get(room + ALIASES)
    if record is not None:
        place = f"{room}{version_of(alias, record, uri)}/"
        card = get(place + CARD)
    if card is None:
        raise BadInput(f"{uri} holds no release: there is no {CARD} below it")
    return place, card


def _download(client: Any, bucket: str, prefix: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=target.parent, prefix=".draft-"))
    try:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for page in pages:
            for found in page.get("Contents", []):
                _fetch(client, bucket, prefix, found["Key"], draft)
        verify(draft)
        try:
            draft.rename(target)
        except OSError:
            if not target.is_dir():  # else another process was faster with the same content
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _fetch(client: Any, bucket: str, prefix: str, key: str, draft: Path) -> None:
    path = (draft / key.removeprefix(prefix)).resolve()
    if not path.is_relative_to(draft.resolve()):
        raise BadInput(f"s3://{bucket}/{key} would be written outside the release's folder")
    if not key.endswith("/"):
        path.parent.mkdir(parents=True, exist_ok=True)
        client.download_file(bucket, key, str(path))


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "nightshift" / "releases"


def _explained(uri: str, error: Any) -> StageError:
    code = error.response.get("Error", {}).get("Code", "")
    if code in ("NoSuchKey", "NoSuchBucket", "404"):
        return BadInput(f"{uri} holds no release: there is no {CARD} below it")
    if code in ("AccessDenied", "403", "InvalidAccessKeyId", "SignatureDoesNotMatch"):
        return BadInput(f"{uri}: access denied ({code}): check the AWS credentials and permissions")
    return Unavailable(f"{uri} can't be read now ({code}): try again")
