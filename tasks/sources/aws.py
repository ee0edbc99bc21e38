"""Talking to S3: one client, and what its errors mean to the person who reads them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import boto3
import urllib3.exceptions
from boto3.exceptions import S3UploadFailedError
from botocore import exceptions
from botocore.config import Config

from tasks.stage.errors import BadInput, StageError, Unavailable

TRIES = 5
SETTINGS = Config(
    retries={"mode": "standard", "max_attempts": TRIES},
    connect_timeout=10,
    read_timeout=60,
    max_pool_connections=32,
)
T = TypeVar("T")

CUT_OFF = (
    exceptions.IncompleteReadError,
    exceptions.HTTPClientError,
    urllib3.exceptions.HTTPError,
    ConnectionError,
)
"""What a broken connection looks like."""
NOT_ALLOWED = {"AccessDenied", "403", "InvalidAccessKeyId", "SignatureDoesNotMatch"}
NOT_ALLOWED |= {"ExpiredToken", "InvalidToken", "AllAccessDisabled", "AccountProblem"}
_ELSEWHERE = {"PermanentRedirect", "301", "AuthorizationHeaderMalformed"}


def client() -> Any:
    """A new S3 client with the standard AWS settings (`AWS_ENDPOINT_URL_S3`, keys, profile).

    From a session of its own: boto3's default session keeps the keys that it saw first.
    """
    return boto3.Session().client("s3", config=SETTINGS)


def code_of(error: exceptions.ClientError) -> str:
    """The server's code for an error, as `NoSuchKey`."""
    return str(error.response.get("Error", {}).get("Code", "unknown"))


def asked(where: str, needs: str, question: Callable[[], T]) -> T:
    """The answer to `question`, or the error it meets as BadInput or Unavailable.

    `where` is the URI asked for, `needs` the permissions it takes.
    """
    try:
        return question()
    except exceptions.ClientError as error:
        raise _explained(where, needs, error) from None
    except S3UploadFailedError as error:
        if not isinstance(error.__context__, exceptions.ClientError):
            raise
        raise _explained(where, needs, error.__context__) from None
    except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError):
        raise BadInput(
            f"{where}: no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
            "AWS_PROFILE, or run where a role gives them"
        ) from None
    except (exceptions.ProfileNotFound, exceptions.ParamValidationError) as error:
        raise BadInput(f"{where}: {' '.join(str(error).split())}") from None
    except (exceptions.BotoCoreError, *CUT_OFF) as error:
        why = " ".join(str(error).split())[:300]
        raise Unavailable(f"{where} can't be reached: {why}") from None


def _explained(where: str, needs: str, error: exceptions.ClientError) -> StageError:
    code = code_of(error)
    if code == "NoSuchBucket":
        bucket = where.removeprefix("s3://").partition("/")[0]
        return BadInput(f"{where}: there is no bucket {bucket!r} at this endpoint")
    if code in NOT_ALLOWED:
        return BadInput(f"{where}: access denied ({code}) for these credentials; it takes {needs}")
    if code in _ELSEWHERE:
        return BadInput(f"{where}: the bucket is in another region: set AWS_REGION ({code})")
    return Unavailable(f"{where}: the server answers {code}: run again later")
