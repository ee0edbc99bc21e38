"""The template is sound, and grants no more than it says; each check refuses a spoilt one."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from cfnlint.api import lint

from infra.bucket.seaweedfs import main, user
from infra.bucket.stack import TEMPLATE, Stack
from tests.infra.bucket.installed import BUCKET, PREFIX, ROLES, stack

TEXT = TEMPLATE.read_text(encoding="utf-8")


def spoilt(old: str, new: str) -> str:
    """The template's text with one passage replaced."""
    assert old in TEXT
    return TEXT.replace(old, new, 1)


def complaints(text: str) -> list[str]:
    """What the linter has to say."""
    return [match.message for match in lint(text, regions=["us-east-1"])]


def test_the_linter_has_no_complaint() -> None:
    assert complaints(TEXT) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("VersioningConfiguration:", "VersionConfiguration:", "'VersionConfiguration'"),
        ("      Bucket: !Ref Bucket\n", "", "'Bucket' is a required property"),
        ("!GetAtt Bucket.Arn", "!GetAtt Pail.Arn", "Pail"),
    ],
)
def test_the_linter_refuses_a_spoilt_template(old: str, new: str, said: str) -> None:
    assert said in " ".join(complaints(spoilt(old, new)))


def test_the_bucket_is_versioned_encrypted_private_and_kept() -> None:
    bucket = stack().resources["Bucket"]
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    raw = stack().template["Resources"]["Bucket"]
    assert (raw["DeletionPolicy"], raw["UpdateReplacePolicy"]) == ("Retain", "Retain")


def encryption(built: Stack) -> Any:
    rules = built.resources["Bucket"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    return rules[0]["ServerSideEncryptionByDefault"]


def test_a_key_of_ones_own_encrypts_and_its_users_may_use_it() -> None:
    assert encryption(stack()) == {"SSEAlgorithm": "AES256"}
    assert "kms" not in str(stack().resources)

    key = "arn:aws:kms:eu-central-1:111122223333:key/abc"
    own = stack(KmsKey=key)
    assert encryption(own) == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    for role in ROLES:
        granted = [each for each in grants(own, role) if "kms:Decrypt" in each["Action"]]
        assert [each["Resource"] for each in granted] == [key]


# --- nothing that serves ends by age ------------------------------------------------------------

HARMLESS = {"Id", "Status", "Prefix"}
OF_WHAT_IS_NOT_THERE_ANY_MORE = {
    "AbortIncompleteMultipartUpload",
    "ExpiredObjectDeleteMarker",
    "NoncurrentVersionExpiration",
}
ROOMS_WITHOUT_ALIASES = {f"{PREFIX}{room}/" for room in ("code", "dvc", "locks", "runs")}


def ends_what_serves(built: Stack) -> list[str]:
    """The lifecycle's rules that end what a key holds now, or anything in the registry."""
    found = []
    for rule in built.resources["Bucket"]["LifecycleConfiguration"]["Rules"]:
        does = rule.keys() - HARMLESS
        only_uploads = does == {"AbortIncompleteMultipartUpload"}
        elsewhere = rule.get("Prefix") in ROOMS_WITHOUT_ALIASES
        if does - OF_WHAT_IS_NOT_THERE_ANY_MORE or not (only_uploads or elsewhere):
            found.append(rule["Id"])
    return found


def test_the_lifecycle_ends_nothing_that_an_alias_or_a_tag_points_to() -> None:
    assert ends_what_serves(stack()) == []


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ('"${Prefix}dvc/"\n', '"${Prefix}dvc/"\n            ExpirationInDays: 90\n', "Data"),
        ('"${Prefix}code/"', '"${Prefix}registry/"', "Code"),
        ('            Prefix: !Sub "${Prefix}runs/"\n', "", "Runs"),
    ],
)
def test_a_lifecycle_that_ends_more_is_found_out(old: str, new: str, rule: str) -> None:
    assert ends_what_serves(stack(spoilt(old, new))) == [rule]


# --- least privilege ----------------------------------------------------------------------------

ROOMS = ("code", "dvc", "housekeeping", "locks", "registry", "runs")
GRANTABLE = {
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:GetObject",
    "s3:ListBucket",
    "s3:PutObject",
}


def grants(built: Stack, role: str) -> list[dict[str, Any]]:
    """Every statement of a role's policies."""
    documents = [built.resources[name]["PolicyDocument"] for name in built.policies(role)]
    return [statement for document in documents for statement in document["Statement"]]


def many(value: Any) -> list[str]:
    """IAM takes one, or a list."""
    return value if isinstance(value, list) else [value]


def too_broad(built: Stack) -> list[str]:
    """What the roles are granted of other actions than those, or outside the store's rooms."""
    found = []
    for grant in (each for role in ROLES for each in grants(built, role)):
        found += [action for action in many(grant["Action"]) if action not in GRANTABLE]
        where, start = many(grant["Resource"]), f"arn:aws:s3:::{BUCKET}/"
        if many(grant["Action"]) == ["s3:ListBucket"]:
            where, start = (
                many(grant.get("Condition", {}).get("StringLike", {}).get("s3:prefix")),
                "",
            )
        rooms = tuple(f"{start}{PREFIX}{room}/" for room in ROOMS)
        found += [str(each) for each in where if not str(each).startswith(rooms)]
    return found


def test_roles_are_granted_named_actions_in_the_stores_rooms_alone() -> None:
    assert too_broad(stack()) == []


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("Action: s3:GetObject", "Action: s3:*", "s3:*"),
        ("[s3:PutObject, s3:DeleteObject]", "[s3:DeleteObjectVersion]", "s3:DeleteObjectVersion"),
        ('"${Bucket.Arn}/${Prefix}runs/.probe-*"', '"*"', "*"),
        ('"${Bucket.Arn}/${Prefix}dvc/*"', '"${Bucket.Arn}/*"', f"arn:aws:s3:::{BUCKET}/*"),
        ('- !Sub "${Prefix}dvc/*"', '- "*"', "*"),
        (
            "StringLike:\n                s3:prefix: !",
            "StringNotLike:\n                s3:prefix: !",
            "None",
        ),
    ],
)
def test_a_grant_that_is_too_broad_is_found_out(old: str, new: str, found: str) -> None:
    assert found in too_broad(stack(spoilt(old, new)))


def deletes(built: Stack, role: str) -> set[str]:
    """Where in the store a role may delete."""
    start = f"arn:aws:s3:::{BUCKET}/{PREFIX}"
    return {
        where.removeprefix(start)
        for grant in grants(built, role) if "s3:DeleteObject" in many(grant["Action"])
        for where in many(grant["Resource"])
    }  # fmt: skip


def test_only_housekeeping_deletes_what_others_wrote() -> None:
    probe = {"runs/.probe-*"}
    assert deletes(stack(), "Worker") == {*probe, "locks/shared/*", "runs/*/checkpoints/*"}
    assert deletes(stack(), "Publisher") == probe
    assert deletes(stack(), "Reader") == deletes(stack(), "Launcher") == set()
    assert deletes(stack(), "Housekeeper") == {*probe, "locks/*", "code/*", "dvc/*", "runs/*/*"}


# --- who takes a role ---------------------------------------------------------------------------


def test_on_kubernetes_a_role_is_one_service_accounts() -> None:
    issuer = "oidc.eks.eu-central-1.amazonaws.com/id/ABC"
    accounts = {f"{role}Is": f"nightshift:{role.lower()}" for role in ROLES}
    built = stack(OidcProvider=issuer, **accounts)
    for role in ROLES:
        (statement,) = built.trust(role)["Statement"]
        assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
        assert statement["Principal"]["Federated"].endswith(f":oidc-provider/{issuer}")
        assert statement["Condition"] == {
            "StringEquals": {
                f"{issuer}:aud": "sts.amazonaws.com",
                f"{issuer}:sub": f"system:serviceaccount:nightshift:{role.lower()}",
            }
        }


@pytest.mark.parametrize(
    ("name", "value"),
    [("WorkerIs", "*"), ("Prefix", "team"), ("OidcProvider", "https://oidc.example.org"),
     ("KmsKey", "alias/mine"), ("BucketName", "Nights")],
)  # fmt: skip
def test_a_parameter_that_is_none_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"{name}: got"):
        stack(**{name: value})


def test_what_the_resolver_does_not_know_is_an_error() -> None:
    """Never a guess: a policy that is proved must be the one that is deployed."""
    for old, new in (
        ("!GetAtt Bucket.Arn", "!GetAtt Bucket.DomainName"),
        ("!Ref Bucket\n", "!Ref B\n"),
    ):
        with pytest.raises(ValueError, match=r"not known here|has no B"):
            _ = stack(spoilt(old, new)).resources


# --- the same for SeaweedFS ---------------------------------------------------------------------


def test_what_seaweedfs_takes_is_written_and_its_secret_kept(tmp_path: Path) -> None:
    people = {"worker": "alice", "publisher": "bob", "reader": "carol"}
    main(tmp_path, BUCKET, **people, housekeeper="dave", launcher="erin", prefix=PREFIX)

    assert stat.S_IMODE((tmp_path / "iam.json").stat().st_mode) == 0o600
    roles = json.loads((tmp_path / "iam.json").read_text())["roles"]
    trusted = {role["roleName"]: role["trustPolicy"]["Statement"][0] for role in roles}
    assert trusted["Publisher"]["Principal"] == {"AWS": user("bob")}
    policy = json.loads((tmp_path / "policy.json").read_text())
    assert (
        policy == stack(Administrators=[user("nobody")]).resources["BucketPolicy"]["PolicyDocument"]
    )
