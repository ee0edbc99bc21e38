"""Fetching a release from a bucket: whole and verified, or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from tasks.inference.release import CARD, verify
from tasks.stage.errors import BadInput, StageError, Unavailable


def fetch_release(uri: str) -> Path:
    """A verified local copy of the release below `s3://bucket/prefix`.

    It stays in the user's cache folder under its card's checksum, so that the next start of the
    same release downloads the card alone. Raises BadInput when the URI holds no release or a file
    is not the one its card lists, Unavailable when the bucket can't be reached.
    """
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    bucket, _, prefix = uri.removeprefix("s3://").strip("/").partition("/")
    prefix = f"{prefix}/" if prefix else ""
    try:
        client = boto3.Session().client("s3")  # the default session would keep old keys
        card: bytes = client.get_object(Bucket=bucket, Key=prefix + CARD)["Body"].read()
        target = _cache() / hashlib.sha256(card).hexdigest()[:32]
        if not target.is_dir():
            _download(client, bucket, prefix, target)
        return target
    except ClientError as error:
        raise _explained(uri, error) from None
    except BotoCoreError as error:
        raise Unavailable(f"{uri} can't be read: {' '.join(str(error).split())}") from None


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
