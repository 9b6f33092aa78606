"""A bucket is emptied and deleted whatever the keys of its objects are."""

import re
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import ClientError

from grantor.aws.cleanup import delete_bucket
from grantor.aws.job_services import Uploads
from grantor.aws.s3 import Folders, OperationsBucket, PolicyFiles
from sandbox.testing.helpers import unique_name
from tests.conftest import Sandbox

# Control characters, which XML cannot carry; a carriage return, which XML turns into a line feed.
ODD_KEYS = (
    "a\x10b",
    "\x00",
    "a\rb",
    "a\r\nb",
    "/a//b/",
    "a%2Fb c+d",
    "\uffff",
    "<&>\"'",
    "ä\u2028",
)


def fill_bucket(s3: Any, keys: tuple[str, ...]) -> str:
    """Create a bucket with two versions, a delete marker and an upload for each key."""
    bucket = unique_name("odd")
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for key in keys:
        for body in (b"1", b"2"):
            s3.put_object(Bucket=bucket, Key=key, Body=body)
        s3.delete_object(Bucket=bucket, Key=key)
        start_upload(s3, bucket, key)
    return bucket


def start_upload(s3: Any, bucket: str, key: str) -> None:
    """Start an upload. botocore cannot read an answer that names a control character."""
    with suppress(ClientError):
        s3.create_multipart_upload(Bucket=bucket, Key=key)


def test_a_bucket_goes_with_every_key_that_a_batch_cannot_name(server: Sandbox):
    s3 = server.client("s3")
    bucket = fill_bucket(s3, ODD_KEYS)
    checks: list[str] = []

    assert delete_bucket(s3, bucket, checks.append) == 3 * len(ODD_KEYS)
    assert len(checks) > 3 * len(ODD_KEYS)  # time is looked at before each single deletion
    with pytest.raises(ClientError, match="NoSuchBucket"):
        s3.list_objects_v2(Bucket=bucket)


def test_each_upload_is_found_whatever_its_key_and_however_short_the_pages(server: Sandbox):
    s3 = server.client("s3")
    s3.meta.events.register("provide-client-params.s3.ListMultipartUploads", ask_for_short_pages)
    bucket = fill_bucket(s3, ODD_KEYS)

    assert delete_bucket(s3, bucket, lambda _: None) == 3 * len(ODD_KEYS)


def ask_for_short_pages(params: dict[str, Any], **_: Any) -> dict[str, Any]:
    return params | {"MaxUploads": 2}


def test_a_bucket_of_plain_keys_costs_one_deletion_for_each_page(server: Sandbox):
    s3 = server.client("s3")
    bucket = fill_bucket(s3, ("plain",))
    called: list[str] = []
    s3.meta.events.register("before-call.s3", lambda model, **_: called.append(model.name))

    delete_bucket(s3, bucket, lambda _: None)

    assert called.count("DeleteObjects") == 1
    assert "DeleteObject" not in called


def test_every_list_asks_for_keys_that_any_xml_can_carry(server: Sandbox):
    s3 = server.client("s3")
    bucket = fill_bucket(s3, ("a\x10/b",))
    asked: list[str] = []
    s3.meta.events.register("before-send.s3", lambda request, **_: asked.append(request.url))

    PolicyFiles(s3, bucket).list_files()
    Folders(s3).list_folders(f"s3://{bucket}/")
    Uploads(s3).read_latest(f"s3://{bucket}/a\x10/b")
    OperationsBucket(s3, bucket).place_code("a\x10/", {})
    delete_bucket(s3, bucket, lambda _: None)

    lists = [url for url in asked if re.search(r"list-type|[?&](uploads|versions)\b", url)]
    assert len(lists) == 6
    assert [url for url in lists if "encoding-type=url" not in url] == []
