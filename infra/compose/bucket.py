"""Makes the store's bucket on the S3 server of a Compose installation, once, versions kept."""

from __future__ import annotations

import boto3

from infra.compose.secrets import BUCKET


def make_bucket(name: str = BUCKET) -> bool:
    """Whether it was made; False when it is there. Where and who: the standard AWS settings."""
    client = boto3.Session().client("s3")
    if name in [each["Name"] for each in client.list_buckets()["Buckets"]]:
        return False
    client.create_bucket(Bucket=name)
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return True


if __name__ == "__main__":
    print(f"{BUCKET}: {'made' if make_bucket() else 'is there'}")
