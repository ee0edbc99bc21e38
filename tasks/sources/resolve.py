"""From what a person writes in `params.yaml` to a source."""

from __future__ import annotations

import os
from pathlib import Path

from tasks.sources import hub
from tasks.sources.local import Local
from tasks.sources.samples import MODELS, SAMPLES, sample_folder
from tasks.sources.source import Source
from tasks.stage.errors import BadInput

KINDS = "takes a file or folder, s3://bucket/key-or-prefix, or sample:NAME"


def resolve(uri: str) -> Source:
    """The source of data that `uri` names: local file or folder, `s3://…`, `sample:NAME`.

    Raises BadInput for what is none of them. A sample is downloaded if this machine has not got
    it yet; nothing else is looked at before `files()`.
    """
    name = uri.removeprefix("sample:")
    if name != uri:
        if name in MODELS:
            raise BadInput(f"{uri} is a model, not data; data are {_listed(SAMPLES - MODELS)}")
        return _sample(uri, name)
    return _bucket_or_path(uri)


def resolve_model(uri: str) -> Source:
    """The source of a pre-trained model: local folder, hub id, `s3://…` or `sample:NAME`.

    What exists on the disk is never taken for a hub id.
    """
    name = uri.removeprefix("sample:")
    if name != uri:
        if name in SAMPLES - MODELS:
            raise BadInput(f"{uri} is data, not a model; models are {_listed(MODELS)}")
        return _sample(uri, name)
    if not os.path.exists(uri) and hub.looks_like_id(uri):
        return hub.Hub(uri)
    return _bucket_or_path(uri)


def _sample(uri: str, name: str) -> Source:
    return Local(uri, sample_folder(name))


def _bucket_or_path(uri: str) -> Source:
    if uri.startswith("s3://"):
        from tasks.sources.s3 import Bucket  # half a second that local data need not pay

        return Bucket(uri)
    if not uri.strip() or "\0" in uri:
        raise BadInput(f"{uri!r} names nothing; {KINDS}")
    scheme, colon, _ = uri.partition("://")
    if colon:
        raise BadInput(f"{uri}: {scheme}:// is not known; {KINDS}")
    return Local(uri, Path(uri))


def _listed(names: frozenset[str]) -> str:
    return ", ".join(f"sample:{name}" for name in sorted(names))
