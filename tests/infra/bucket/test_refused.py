"""What a role must not do is refused: tried on SeaweedFS, which enforces the policies.

Each is tried again where the template lacks what forbids it, and goes through there.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.bucket.seaweedfs import bucket_policy
from tasks.inference import Predictor
from tasks.stage.errors import BadInput
from tests.infra.bucket.conftest import As
from tests.infra.bucket.installed import (
    BUCKET,
    PREFIX,
    ROLES,
    Installation,
    make_bucket,
    stack,
)
from tests.registry.made import NAME
from tests.s3 import KEYS

MANIFEST = f"{PREFIX}registry/{NAME}/v1.0.0/manifest.json"
Client = Any
KEYS_OF_ROOMS = {
    "registry": f"{PREFIX}registry/{NAME}/v1.0.0/model.onnx",
    "dvc": f"{PREFIX}dvc/files/md5/00/11",
    "code": f"{PREFIX}code/abc.tar.gz",
    "runs": f"{PREFIX}runs/first/run.json",
    "latest": f"{PREFIX}runs/latest.json",
    "logs": f"{PREFIX}runs/_airflow/dag_id=nightly/attempt=1.log",
    "locks": f"{PREFIX}locks/exclusive.json",
    "housekeeping": f"{PREFIX}housekeeping/removed/then.json",
    "outside": "another-team/x",
}
READS = {
    "Worker": {"registry", "dvc", "code", "runs", "latest", "logs", "locks"},
    "Publisher": {"registry", "dvc", "code", "runs", "latest", "logs", "locks"},
    "Reader": {"registry"},
    "Housekeeper": KEYS_OF_ROOMS.keys() - {"outside"},
    "Launcher": set[str](),
}
WRITES = {
    "Worker": {"dvc", "code", "runs", "latest", "logs"},
    "Publisher": {"registry", "logs"},
    "Reader": set[str](),
    "Housekeeper": {"locks", "logs", "housekeeping"},
    "Launcher": {"logs"},
}
DELETES = {"Housekeeper": {"dvc", "code", "runs", "logs", "locks"}}


@pytest.fixture(scope="module", autouse=True)
def there(installation: Installation) -> None:
    """Something under every key, put there by the administrator."""
    for key in (*KEYS_OF_ROOMS.values(), MANIFEST):
        installation.administrator.put_object(Bucket=BUCKET, Key=key, Body=b"here")


@pytest.fixture(scope="module", params=ROLES)
def role(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def client(role: str, installation: Installation) -> Client:
    return installation.client("s3", installation.session(*installation.taken(role)))


def allowed(call: Callable[[], Any]) -> bool:
    """Whether the server did as it was asked; False only when it denied it."""
    try:
        call()
    except ClientError as error:
        if error.response["Error"]["Code"] in ("AccessDenied", "403"):
            return False
        raise
    return True


@pytest.mark.parametrize("room", KEYS_OF_ROOMS)
def test_seaweedfs_keeps_each_role_to_its_rooms(
    installation: Installation, role: str, client: Client, room: str
) -> None:
    at = {"Bucket": BUCKET, "Key": KEYS_OF_ROOMS[room]}
    folder = KEYS_OF_ROOMS[room].rpartition("/")[0]
    reads, writes = room in READS[role], room in WRITES[role]
    deletes = room in DELETES.get(role, ())

    assert allowed(lambda: client.get_object(**at)) == reads
    assert allowed(lambda: client.head_object(**at)) == reads
    assert allowed(lambda: client.list_objects_v2(Bucket=BUCKET, Prefix=f"{folder}/")) == reads
    assert allowed(lambda: client.put_object(**at, Body=b"here")) == writes
    assert allowed(lambda: client.create_multipart_upload(**at)) == writes
    copied = {"Bucket": BUCKET, "Key": MANIFEST}
    copies = writes and "registry" in READS[role]
    assert allowed(lambda: client.copy_object(**at, CopySource=copied)) == copies
    assert allowed(lambda: client.delete_object(**at)) == deletes
    installation.administrator.put_object(**at, Body=b"here")
    gone = client.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": at["Key"]}]})
    refused = [error["Code"] for error in gone.get("Errors", [])]
    assert refused == ([] if deletes else ["AccessDenied"])
    installation.administrator.put_object(**at, Body=b"here")


def test_seaweedfs_lists_the_whole_bucket_to_nobody(client: Client) -> None:
    assert not allowed(lambda: client.list_objects_v2(Bucket=BUCKET))
    assert not allowed(lambda: client.list_objects_v2(Bucket=BUCKET, Prefix=PREFIX))
    assert not allowed(lambda: client.list_object_versions(Bucket=BUCKET, Prefix=PREFIX))


def test_seaweedfs_tells_a_key_that_is_missing_from_one_that_is_forbidden(
    role: str, client: Client
) -> None:
    """What nightshift takes for "there is none yet"."""
    with pytest.raises(ClientError) as error:
        client.get_object(Bucket=BUCKET, Key=f"{PREFIX}registry/none/aliases.json")
    reads_nothing = role == "Launcher"
    told = "AccessDenied" if reads_nothing else "NoSuchKey"
    assert error.value.response["Error"]["Code"] == told


def test_seaweedfs_lets_a_reader_load_nothing_but_what_was_published(
    installation: Installation, as_role: As
) -> None:
    store = as_role("Reader")
    with pytest.raises(BadInput, match="access denied"):
        Predictor.load(f"{installation.store}/runs/first")
    with pytest.raises(BadInput, match="access denied"):
        store.keys("dvc/")


@pytest.mark.parametrize(
    ("role", "other"), [("Publisher", "Worker"), ("Worker", "Reader"), ("Housekeeper", "Worker")]
)
def test_seaweedfs_lets_nobody_take_another_role(
    installation: Installation, role: str, other: str
) -> None:
    assert not allowed(lambda: installation.taken(role, by=other))


# --- what nobody may, whatever their own policies say -------------------------------------------


def latest_version(client: Client, bucket: str) -> dict[str, str]:
    """The registry's object as it is now."""
    found = client.head_object(Bucket=bucket, Key=MANIFEST)
    return {"Bucket": bucket, "Key": MANIFEST, "VersionId": found["VersionId"]}


def delete_version(client: Client, bucket: str, version: dict[str, str]) -> None:
    client.delete_object(**version)


def delete_in_registry(client: Client, bucket: str, version: dict[str, str]) -> None:
    client.delete_object(Bucket=bucket, Key=MANIFEST)


def change_policy(client: Client, bucket: str, version: dict[str, str]) -> None:
    client.delete_bucket_policy(Bucket=bucket)


def suspend_versioning(client: Client, bucket: str, version: dict[str, str]) -> None:
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})


def let_age_delete(client: Client, bucket: str, version: dict[str, str]) -> None:
    rule = {"ID": "x", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}
    client.put_bucket_lifecycle_configuration(
        Bucket=bucket, LifecycleConfiguration={"Rules": [rule]}
    )


ATTEMPTS = {
    delete_version: "NobodyDeletesVersions",
    delete_in_registry: "NobodyDeletesInTheRegistry",
    suspend_versioning: "OnlyAdministratorsChangeTheBucket",
    let_age_delete: "OnlyAdministratorsChangeTheBucket",
    change_policy: "OnlyAdministratorsChangeTheBucket",
}


def policy_without(statement: str, bucket: str) -> str:
    """The template's bucket policy for another bucket, less one statement."""
    policy = json.loads(bucket_policy(stack(BucketName=bucket)))
    kept = [each for each in policy["Statement"] if each["Sid"] != statement]
    assert len(kept) == len(policy["Statement"]) - 1
    return json.dumps({**policy, "Statement": kept})


@pytest.fixture(params=ATTEMPTS, ids=lambda attempt: attempt.__name__)
def attempt(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_seaweedfs_lets_no_role_destroy_anything(
    installation: Installation, client: Client, attempt: Any
) -> None:
    version = latest_version(installation.administrator, BUCKET)
    assert not allowed(lambda: attempt(client, BUCKET, version))


def test_seaweedfs_lets_not_even_its_administrator_destroy_anything(
    installation: Installation, attempt: Any
) -> None:
    """Whom SeaweedFS else lets do everything, as his own policy does who has s3:* in an account."""
    client = installation.administrator
    assert not allowed(lambda: attempt(client, BUCKET, latest_version(client, BUCKET)))


def test_what_is_refused_goes_through_once_its_statement_is_gone(
    installation: Installation, attempt: Any
) -> None:
    client, bucket = installation.administrator, attempt.__name__.replace("_", "-")
    make_bucket(client, bucket, policy_without(ATTEMPTS[attempt], bucket))
    client.put_object(Bucket=bucket, Key=MANIFEST, Body=b"here")
    assert allowed(lambda: attempt(client, bucket, latest_version(client, bucket)))


def test_seaweedfs_answers_nobody_without_tls(installation: Installation) -> None:
    session = installation.session(*KEYS.values())
    plain: Client = session.client("s3", endpoint_url=installation.plain)
    assert not allowed(lambda: plain.get_object(Bucket=BUCKET, Key=MANIFEST))

    make_bucket(installation.administrator, "plain", policy_without("OnlyOverTls", "plain"))
    plain.put_object(Bucket="plain", Key=MANIFEST, Body=b"here")
    assert allowed(lambda: plain.get_object(Bucket="plain", Key=MANIFEST))


# --- a template that grants more, to see that the roles' own policies decide --------------------


def test_a_worker_whom_the_template_lets_write_to_the_registry_does(
    installation: Installation,
) -> None:
    client = installation.client("s3", installation.session(*installation.taken("Careless")))
    assert allowed(lambda: client.put_object(Bucket=BUCKET, Key=MANIFEST, Body=b"theirs"))
    assert not allowed(lambda: client.delete_object(Bucket=BUCKET, Key=MANIFEST))
