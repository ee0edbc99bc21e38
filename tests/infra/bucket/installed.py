"""The template's bucket and roles on a real server, SeaweedFS over TLS, which enforces them."""

from __future__ import annotations

import copy
import gc
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import trustme

from infra.bucket.seaweedfs import bucket_policy, user, write_iam
from infra.bucket.stack import TEMPLATE, Stack
from infra.s3 import Server
from tests.s3 import KEYS, settings

BUCKET, PREFIX, REGION = "nights", "team/", "us-east-1"
ROLES = ("Worker", "Publisher", "Reader", "Housekeeper", "Launcher")


def stack(text: str | None = None, **given: str | list[str]) -> Stack:
    """The template (or `text`) under parameters as a team would give them."""
    parameters: dict[str, str | list[str]] = {
        "BucketName": BUCKET,
        "Prefix": PREFIX,
        "Administrators": [user("administrator")],
        **{f"{role}Is": user(role.lower()) for role in ROLES},
        **given,
    }
    return Stack.of(text or TEMPLATE.read_text(encoding="utf-8"), **parameters)


def with_careless_worker(wanted: Stack) -> Stack:
    """The same with a role more: a worker whose policy lets it write to the registry too."""
    template = copy.deepcopy(wanted.template)
    resources = template["Resources"]
    policy = resources["CarelessPolicy"] = copy.deepcopy(resources["WorkerPolicy"])
    write = policy["Properties"]["PolicyDocument"]["Statement"][0]
    write["Resource"].append({"Fn::Sub": "${Bucket.Arn}/${Prefix}registry/*"})
    role = resources["Careless"] = copy.deepcopy(resources["Worker"])
    role["Properties"]["ManagedPolicyArns"].append({"Ref": "CarelessPolicy"})
    return Stack(template, wanted.parameters)


@dataclass(frozen=True)
class Installation:
    """A server that has the stack's bucket. Its administrator is allowed everything by itself."""

    folder: Path
    stack: Stack
    endpoint: str
    plain: str
    """The same without TLS."""
    users: dict[str, tuple[str, str]]
    """Access key and secret of each role's user, who may nothing but take the role."""

    store = f"s3://{BUCKET}/{PREFIX.rstrip('/')}"

    @cached_property
    def administrator(self) -> Any:
        """A client of S3."""
        return self.client("s3", self.session(*KEYS.values()))

    def session(self, key: str, secret: str, token: str | None = None) -> boto3.Session:
        """A session of an access key."""
        return boto3.Session(key, secret, token, region_name=REGION)

    def client(self, service: str, session: boto3.Session) -> Any:
        """A client of that server's, over TLS."""
        return session.client(service, endpoint_url=self.endpoint, verify=str(self.folder / "ca"))  # type: ignore[call-overload]

    def taken(self, role: str, by: str | None = None) -> tuple[str, str, str]:
        """The keys of a role's session; `by` whom, if not by the one whom the template names."""
        person = self.session(*self.users[by or ("Worker" if role == "Careless" else role)])
        arn = self.stack.arn(role)
        answer = self.client("sts", person).assume_role(RoleArn=arn, RoleSessionName="tests")
        found = answer["Credentials"]
        return found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"]

    def environment(self, role: str) -> dict[str, str]:
        """The standard AWS settings for a process in that role."""
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
        given = settings(self.endpoint, self.folder)
        keys = dict(zip(names, self.taken(role), strict=True))
        return {**given, **keys, "AWS_CA_BUNDLE": str(self.folder / "ca")}


@contextmanager
def installed(folder: Path, wanted: Stack) -> Iterator[Installation]:
    """A server with the stack's bucket, bucket policy, roles, and a user for each role."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca"))
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
        str(folder / "server")
    )
    write_iam(folder / "iam.json", wanted)
    secure = _free_port()
    options = [f"-s3.iam.config={folder / 'iam.json'}", "-s3.iam.readOnly=false"]
    options += [f"-s3.{kind}.file={folder / 'server'}" for kind in ("cert", "key")]
    options += [f"-s3.port.https={secure}"]
    keys = (KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"])
    with Server(folder / "data", keys, options=options) as server:
        users: dict[str, tuple[str, str]] = {}
        secured = f"https://127.0.0.1:{secure}"
        made = Installation(folder, wanted, secured, server.endpoint, users)
        users.update({role: _user(made, role.lower()) for role in ROLES})
        make_bucket(made.administrator, BUCKET, bucket_policy(wanted))
        yield made
        gc.collect()  # the server waits for connections before it ends: clients are closed with it


def make_bucket(client: Any, name: str, policy: str) -> None:
    """A versioned bucket under a policy."""
    client.create_bucket(Bucket=name)
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    client.put_bucket_policy(Bucket=name, Policy=policy)


def _user(made: Installation, name: str) -> tuple[str, str]:
    iam = made.client("iam", made.session(*KEYS.values()))
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
