"""Folders of a bucket: those directly below a prefix, each once, on any number of pages."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from grantor.aws.s3 import Folders
from sandbox.testing.helpers import unique_name
from tests.aws.conftest import count_calls
from tests.conftest import Sandbox


@pytest.fixture
def s3(server: Sandbox) -> Any:
    return server.client("s3")


@pytest.fixture
def bucket(s3: Any) -> str:
    name = unique_name("data")
    s3.create_bucket(Bucket=name)
    return name


def put(s3: Any, bucket: str, *keys: str) -> None:
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key)


def test_folders_are_what_lies_between_the_prefix_and_the_next_slash(s3: Any, bucket: str):
    put(
        s3,
        bucket,
        "projects/b/x.csv",
        "projects/a/x/y.csv",
        "projects/a/z.csv",
        "projects/loose.csv",
        "other/c/x.csv",
    )

    assert Folders(s3).list_folders(f"s3://{bucket}/projects/") == ("a", "b")
    assert Folders(s3).list_folders(f"s3://{bucket}/") == ("other", "projects")
    assert Folders(s3).list_folders(f"s3://{bucket}/nothing/") == ()


def test_a_folder_can_have_any_name_except_an_empty_one(s3: Any, bucket: str):
    put(s3, bucket, "p/mit Lücke & +/x", "p/marker/", "p//x")

    assert Folders(s3).list_folders(f"s3://{bucket}/p/") == ("marker", "mit Lücke & +")


def test_every_page_is_read(s3: Any, bucket: str):
    put(s3, bucket, *(f"p/{n:04}/x" for n in range(1001)))
    calls = count_calls(s3)

    assert Folders(s3).list_folders(f"s3://{bucket}/p/") == tuple(f"{n:04}" for n in range(1001))
    assert calls == {"ListObjectsV2": 2}


def test_no_more_pages_are_read_than_folders_are_asked_for(s3: Any, bucket: str):
    put(s3, bucket, *(f"p/{n:04}/x" for n in range(1001)))
    calls = count_calls(s3)

    assert Folders(s3).list_folders(f"s3://{bucket}/p/", 3) == ("0000", "0001", "0002")
    assert calls == {"ListObjectsV2": 1}


def test_a_bucket_that_cannot_be_listed_is_not_an_empty_one(s3: Any):
    with pytest.raises(ClientError, match="NoSuchBucket"):
        Folders(s3).list_folders(f"s3://{unique_name('nobody')}/p/")
