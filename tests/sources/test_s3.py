from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config

from tasks.sources import aws
from tasks.sources import s3 as s3_source
from tasks.sources.resolve import resolve
from tasks.stage.errors import BadInput, Unavailable


def put(s3: Any, bucket: str, key: str, content: bytes) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=content)


def test_a_prefix_is_listed_sorted_without_markers_and_neighbours(s3: Any, bucket: str) -> None:
    for key in ("data/b.csv", "data/date=2026-01-01/a.csv", "data/_SUCCESS", "data2/c.csv"):
        put(s3, bucket, key, b"x")
    put(s3, bucket, "data/empty-folder/", b"")

    pins = resolve(f"s3://{bucket}/data").files()

    assert [pin.path for pin in pins] == ["b.csv", "date=2026-01-01/a.csv"]
    assert pins[0].etag == "9dd4e461268c8034f5c8564e155c67a6"  # md5 of b"x"
    assert resolve(f"s3://{bucket}/data").files() == pins


def test_names_that_would_be_lost_or_break_a_line_are_refused(s3: Any, bucket: str) -> None:
    assert s3_source.is_wanted("date=2026-01-01/", 0, "s3://b") is False  # stands for a folder
    for path, size in (("date=2026-01-01/", 5), ("a//rows.csv", 5), ("/rows.csv", 5)):
        with pytest.raises(BadInput, match="has an empty folder or file name: rename it"):
            s3_source.is_wanted(path, size, "s3://b")

    put(s3, bucket, "data/two\nlines.csv", b"x")
    with pytest.raises(BadInput, match=r"'two\\nlines\.csv' has control characters in it"):
        resolve(f"s3://{bucket}/data").files()


def test_a_key_longer_than_a_file_name_can_be(s3: Any, bucket: str) -> None:
    put(s3, bucket, f"data/{'晚' * 80}.csv", b"text,label\n")
    source = resolve(f"s3://{bucket}/data")

    assert source.fetch(source.files()[0]).read_bytes() == b"text,label\n"


def test_one_object_is_fetched_whole_and_only_once(s3: Any, bucket: str) -> None:
    put(s3, bucket, "some/where/one.csv", b"text,label\n")
    source = resolve(f"s3://{bucket}/some/where/one.csv")
    (pin,) = source.files()

    path = source.fetch(pin)

    assert pin.path == "one.csv"
    assert path.read_bytes() == b"text,label\n"
    s3.delete_object(Bucket=bucket, Key="some/where/one.csv")
    assert source.fetch(pin) == path


def test_a_large_object_comes_in_parts(
    s3: Any, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_source, "PART_BYTES", 1000)
    content = bytes(range(256)) * 40 + b"the end"
    put(s3, bucket, "large.parquet", content)
    source = resolve(f"s3://{bucket}/large.parquet")

    assert source.fetch(source.files()[0]).read_bytes() == content


def test_an_empty_object_is_fetched_too(s3: Any, bucket: str) -> None:
    put(s3, bucket, "empty.csv", b"")
    source = resolve(f"s3://{bucket}/empty.csv")

    assert source.fetch(source.files()[0]).read_bytes() == b""


def test_an_object_that_changed_after_the_listing_is_an_error_not_a_mixture(
    s3: Any, bucket: str, workspace: Path
) -> None:
    put(s3, bucket, "data/a.csv", b"old")
    source = resolve(f"s3://{bucket}/data")
    (pin,) = source.files()
    put(s3, bucket, "data/a.csv", b"new")

    with pytest.raises(Unavailable, match=r"data/a\.csv has changed since the snapshot.*run again"):
        source.fetch(pin)
    assert not list(workspace.glob(".nightshift/cache/*"))


def test_an_object_that_changes_between_two_parts_is_an_error_not_a_mixture(
    s3: Any, bucket: str, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_source, "PART_BYTES", 1000)
    monkeypatch.setattr(s3_source, "PARTS_AT_ONCE", 1)
    put(s3, bucket, "data/a.csv", b"old\n" * 500)
    source = s3_source.Bucket(f"s3://{bucket}/data")
    (pin,) = source.files()

    def change(**_: Any) -> None:
        put(s3, bucket, "data/a.csv", b"new\n" * 500)

    source._client.meta.events.register("after-call.s3.GetObject", change)
    with pytest.raises(Unavailable, match=r"data/a\.csv has changed since the snapshot"):
        source.fetch(pin)
    assert not list(workspace.glob(".nightshift/cache/*"))


def test_an_object_that_went_away_is_the_same_error(s3: Any, bucket: str) -> None:
    put(s3, bucket, "data/a.csv", b"old")
    source = resolve(f"s3://{bucket}/data")
    (pin,) = source.files()
    s3.delete_object(Bucket=bucket, Key="data/a.csv")

    with pytest.raises(Unavailable, match="has changed"):
        source.fetch(pin)


def test_in_a_versioned_bucket_the_pinned_version_can_still_be_read(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    put(s3, bucket, "data/a.csv", b"old")
    source = resolve(f"s3://{bucket}/data")
    (pin,) = source.files()
    put(s3, bucket, "data/a.csv", b"new")

    assert pin.version is not None
    assert source.fetch(pin).read_bytes() == b"old"
    (newer,) = source.files()
    assert source.fetch(newer).read_bytes() == b"new"


def test_nothing_there(s3: Any, bucket: str) -> None:
    with pytest.raises(BadInput, match=r"nowhere does not exist: no object of that name"):
        resolve(f"s3://{bucket}/nowhere").files()


def test_no_such_bucket(s3: Any) -> None:
    with pytest.raises(BadInput, match="there is no bucket 'not-there'"):
        resolve("s3://not-there/data").files()


def test_wrong_credentials(s3: Any, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(BadInput, match=r"access denied .* it takes s3:ListBucket"):
        resolve(f"s3://{bucket}/data").files()


def test_no_credentials(s3: Any, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(BadInput, match="no AWS credentials: set AWS_ACCESS_KEY_ID"):
        resolve(f"s3://{bucket}/data").files()


def test_an_endpoint_that_is_away_may_be_back_later(
    s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setattr(aws, "SETTINGS", Config(retries={"max_attempts": 1}))
    with pytest.raises(Unavailable, match=r"s3://any/data can't be reached: .*127\.0\.0\.1:9"):
        resolve("s3://any/data").files()


def test_an_address_without_a_bucket() -> None:
    with pytest.raises(BadInput, match="s3:///data names no bucket"):
        resolve("s3:///data")
