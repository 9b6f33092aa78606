"""Policy files: only changed ones are read; unreadable never looks short or empty."""

import socket
import uuid
from collections.abc import Iterator
from threading import Thread
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError

from grantor.aws.clients import RetryableError
from grantor.aws.s3 import FileTooLarge, PolicyFiles
from grantor.settings import MAX_POLICY_FILE_BYTES
from tests.aws.conftest import RawBody, count_calls, replace_answers
from tests.conftest import Sandbox

A, B = "policy/a.yaml", "policy/b.yml"


@pytest.fixture
def s3(server: Sandbox) -> Any:
    return server.client("s3")


@pytest.fixture
def bucket(s3: Any) -> str:
    name = f"policies-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


@pytest.fixture
def files(s3: Any, bucket: str) -> PolicyFiles:
    return PolicyFiles(s3, bucket)


def put(s3: Any, bucket: str, key: str, body: bytes) -> str:
    return str(s3.put_object(Bucket=bucket, Key=key, Body=body)["VersionId"])


def test_policy_files_are_the_yaml_files_below_policy(s3: Any, bucket: str, files: PolicyFiles):
    for key in (A, B, "policy/team/c.yaml", "policy/readme.md", "other/d.yaml", "policy.yaml"):
        put(s3, bucket, key, b"x")

    assert set(files.list_files()) == {A, B, "policy/team/c.yaml"}
    assert files.list_files()[A].size == 1


def test_a_file_is_read_with_its_version(s3: Any, bucket: str, files: PolicyFiles):
    version = put(s3, bucket, A, b"one")
    file = files.read_file(A)

    assert (file.body, file.version, file.etag) == (b"one", version, files.list_files()[A].etag)


def test_a_warm_environment_reads_only_what_has_changed(s3: Any, bucket: str, files: PolicyFiles):
    put(s3, bucket, A, b"one")
    put(s3, bucket, B, b"two")
    for key in files.list_files():
        files.read_file(key)
    changed = put(s3, bucket, B, b"three")
    calls = count_calls(s3)

    assert [files.read_file(key).body for key in files.list_files()] == [b"one", b"three"]
    assert (files.read_file(B).version, calls) == (changed, {"ListObjectsV2": 1, "GetObject": 1})


def test_a_file_that_was_never_listed_is_always_read(s3: Any, bucket: str, files: PolicyFiles):
    put(s3, bucket, A, b"one")
    files.read_file(A)
    put(s3, bucket, A, b"two")

    assert files.read_file(A).body == b"two"


def test_the_accepted_version_can_be_read_although_a_newer_one_exists(
    s3: Any, bucket: str, files: PolicyFiles
):
    accepted = put(s3, bucket, A, b"right")
    put(s3, bucket, A, b"wrong")
    files.list_files()
    calls = count_calls(s3)

    assert [files.read_file(A, accepted).body for _ in range(2)] == [b"right", b"right"]
    assert files.read_file(A).body == b"wrong"
    assert calls == {"GetObject": 2}


def test_many_files_are_read_ahead(s3: Any, bucket: str, files: PolicyFiles):
    for n in range(20):
        put(s3, bucket, f"policy/{n:02}.yaml", f"{n}".encode())
    keys = files.list_files()
    files.prefetch_files(keys)
    calls = count_calls(s3)

    assert [files.read_file(key).body for key in keys] == [f"{n}".encode() for n in range(20)]
    assert calls == {}


def test_a_failed_prefetch_raises_when_the_file_is_read(s3: Any, bucket: str, files: PolicyFiles):
    for key in (A, B):
        put(s3, bucket, key, b"one")
    keys = files.list_files()
    s3.delete_object(Bucket=bucket, Key=A)
    files.prefetch_files(keys)

    assert files.read_file(B).body == b"one"
    with pytest.raises(ClientError, match="NoSuchKey"):
        files.read_file(A)


@pytest.mark.parametrize("listed", [True, False], ids=["as the list says", "as its answer says"])
def test_a_file_that_is_too_large_is_not_read(
    s3: Any, bucket: str, files: PolicyFiles, listed: bool
):
    put(s3, bucket, A, b"x" * (MAX_POLICY_FILE_BYTES + 1))
    keys = files.list_files() if listed else ()
    calls = count_calls(s3)
    files.prefetch_files(keys)

    with pytest.raises(FileTooLarge, match="has 1,000,001 bytes; a policy file may have 1,000,000"):
        files.read_file(A)
    assert calls["GetObject"] == (0 if listed else 1)


def test_a_file_counts_as_deleted_only_if_s3_says_so(s3: Any, bucket: str, files: PolicyFiles):
    put(s3, bucket, A, b"one")
    put(s3, bucket, B, b"")
    s3.delete_object(Bucket=bucket, Key=A)

    assert (files.is_deleted(A), files.is_deleted(B), files.is_deleted("policy/never.yaml")) == (
        True,
        False,
        True,
    )


def test_a_missing_bucket_does_not_mean_that_its_files_are_deleted(s3: Any):
    with pytest.raises(ClientError, match="NoSuchBucket"):
        PolicyFiles(s3, f"nobody-{uuid.uuid4().hex}").is_deleted(A)


def test_without_permission_a_file_is_not_reported_as_deleted(server: Sandbox, bucket: str):
    iam, name = server.client("iam"), f"blind-{uuid.uuid4().hex[:8]}"
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]

    with pytest.raises(ClientError, match="AccessDenied"):
        PolicyFiles(server.client("s3", key), bucket).is_deleted(A)


@pytest.fixture
def cut_off() -> Iterator[Any]:
    """A client of a server whose every answer says 100 bytes and ends after 40."""
    listening = socket.create_server(("127.0.0.1", 0))
    head = b'HTTP/1.1 200 OK\r\nETag: "e"\r\nContent-Length: 100\r\n\r\n'

    def serve() -> None:
        while True:
            try:
                asking, _ = listening.accept()
            except OSError:
                return
            with asking:
                asking.recv(65_536)
                asking.sendall(head + b"y" * 40)

    Thread(target=serve, daemon=True).start()
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    yield boto3.Session("a", "b", region_name="us-east-1").client(
        "s3", endpoint_url=url, config=Config(s3={"addressing_style": "path"})
    )
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()


def test_a_body_that_is_cut_off_is_never_taken_for_a_short_file(cut_off: Any):
    files = PolicyFiles(cut_off, "policies")

    with pytest.raises(RetryableError):
        files.read_file(A)


def test_a_body_that_ends_too_soon_is_never_taken_for_a_short_file(s3: Any, files: PolicyFiles):
    replace_answers(
        s3,
        "GetObject",
        lambda request: AWSResponse(
            request.url, 200, {"Content-Length": "100", "ETag": "e"}, RawBody(b"y" * 40)
        ),
    )

    with pytest.raises(RetryableError, match="40"):
        files.read_file(A)
