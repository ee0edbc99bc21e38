"""The template's roles and bucket policy for SeaweedFS, which enforces them outside AWS.

    python -m infra.bucket.seaweedfs FOLDER --bucket nightshift --prefix store/ \\
        --worker alice --publisher bob --reader carol --housekeeper dave \\
        --launcher erin

writes `iam.json`, for `weed … -s3.iam.config`, and `policy.json`, for
`aws s3api put-bucket-policy`. Users are SeaweedFS's own; each takes its role by STS AssumeRole.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from pathlib import Path
from typing import Annotated, Any

import typer

from infra.bucket.stack import ACCOUNT, TEMPLATE, Stack

ROLE, POLICY = "AWS::IAM::Role", "AWS::IAM::ManagedPolicy"
ISSUER = "nightshift"
KEY_BYTES = 32


def user(name: str) -> str:
    """The ARN of a user of SeaweedFS."""
    return f"arn:aws:iam::{ACCOUNT}:user/{name}"


def iam(stack: Stack) -> dict[str, Any]:
    """SeaweedFS's IAM configuration: the stack's roles, who may take them, what they may do.

    It holds a new key, which signs the sessions of its roles: a secret.
    """
    key = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
    return {
        "sts": {
            "issuer": ISSUER,
            "signingKey": key,
            "tokenDuration": "1h",
            "maxSessionLength": "12h",
        },
        "policy": {"defaultEffect": "Deny", "storeType": "memory"},
        "roles": [
            {
                "roleName": name,
                "roleArn": stack.arn(name),
                "trustPolicy": stack.trust(name),
                "attachedPolicies": stack.policies(name),
            }
            for name in stack.of_type(ROLE)
        ],
        "policies": [
            {"name": name, "document": stack.resources[name]["PolicyDocument"]}
            for name in stack.of_type(POLICY)
        ],
    }


def bucket_policy(stack: Stack) -> str:
    """The bucket's policy as JSON."""
    return json.dumps(stack.resources["BucketPolicy"]["PolicyDocument"], indent=2)


def write_iam(path: Path, stack: Stack) -> None:
    """Write the IAM configuration, readable by its owner alone."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
        file.truncate()
        json.dump(iam(stack), file, indent=2)


def main(
    folder: Annotated[Path, typer.Argument(help="Where to write both files.")],
    bucket: Annotated[str, typer.Option(help="The bucket's name.")],
    worker: Annotated[str, typer.Option(help="The user who takes the worker's role.")],
    publisher: Annotated[str, typer.Option(help="The user who takes the publisher's role.")],
    reader: Annotated[str, typer.Option(help="The user who takes the reader's role.")],
    housekeeper: Annotated[str, typer.Option(help="The user who takes the housekeeper's role.")],
    launcher: Annotated[str, typer.Option(help="The user who takes the launcher's role.")],
    prefix: Annotated[str, typer.Option(help="Where in it the store lies, with a slash.")] = "",
) -> None:
    """Write `iam.json` and `policy.json` for SeaweedFS."""
    stack = Stack.of(
        TEMPLATE.read_text(encoding="utf-8"),
        BucketName=bucket,
        Prefix=prefix,
        Administrators=[user("nobody")],
        WorkerIs=user(worker),
        PublisherIs=user(publisher),
        ReaderIs=user(reader),
        HousekeeperIs=user(housekeeper),
        LauncherIs=user(launcher),
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_iam(folder / "iam.json", stack)
    (folder / "policy.json").write_text(bucket_policy(stack) + "\n", encoding="utf-8")
    print(f"{folder}: iam.json (a secret) and policy.json")


if __name__ == "__main__":
    typer.run(main)
