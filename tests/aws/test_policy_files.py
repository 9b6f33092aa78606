"""The policy files: what changed is read, what did not is remembered, and what can't be read is never a short file or none."""

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

from grantor.aws.clients import NotYet
from grantor.aws.s3 import LARGEST, PolicyFiles, TooLarge
from tests.aws.conftest import Raw, answering, counted
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

    assert set(files.listed()) == {A, B, "policy/team/c.yaml"}
    assert files.listed()[A].size == 1


def test_a_file_is_read_with_its_version(s3: Any, bucket: str, files: PolicyFiles):
    version = put(s3, bucket, A, b"one")
    file = files.read(A)

    assert (file.body, file.version, file.etag) == (b"one", version, files.listed()[A].etag)


def test_a_warm_environment_reads_only_what_has_changed(s3: Any, bucket: str, files: PolicyFiles):
    put(s3, bucket, A, b"one")
    put(s3, bucket, B, b"two")
    for key in files.listed():
        files.read(key)
    changed = put(s3, bucket, B, b"three")
    calls = counted(s3)

    assert [files.read(key).body for key in files.listed()] == [b"one", b"three"]
    assert (files.read(B).version, calls) == (changed, {"ListObjectsV2": 1, "GetObject": 1})


def test_a_file_that_was_never_listed_is_always_read(s3: Any, bucket: str, files: PolicyFiles):
    put(s3, bucket, A, b"one")
    files.read(A)
    put(s3, bucket, A, b"two")

    assert files.read(A).body == b"two"


def test_the_accepted_version_can_be_read_though_a_newer_one_stands(s3: Any, bucket: str, files: PolicyFiles):
    accepted = put(s3, bucket, A, b"right")
    put(s3, bucket, A, b"wrong")
    files.listed()
    calls = counted(s3)

    assert [files.read(A, accepted).body for _ in range(2)] == [b"right", b"right"]
    assert files.read(A).body == b"wrong"
    assert calls == {"GetObject": 2}


def test_many_files_are_read_ahead(s3: Any, bucket: str, files: PolicyFiles):
    for n in range(20):
        put(s3, bucket, f"policy/{n:02}.yaml", f"{n}".encode())
    keys = files.listed()
    files.ahead(keys)
    calls = counted(s3)

    assert [files.read(key).body for key in keys] == [f"{n}".encode() for n in range(20)]
    assert calls == {}


def test_what_could_not_be_read_ahead_is_told_when_it_is_read(s3: Any, bucket: str, files: PolicyFiles):
    for key in (A, B):
        put(s3, bucket, key, b"one")
    keys = files.listed()
    s3.delete_object(Bucket=bucket, Key=A)
    files.ahead(keys)

    assert files.read(B).body == b"one"
    with pytest.raises(ClientError, match="NoSuchKey"):
        files.read(A)


@pytest.mark.parametrize("listed", [True, False], ids=["as the list says", "as its answer says"])
def test_a_file_that_is_too_large_is_not_read(s3: Any, bucket: str, files: PolicyFiles, listed: bool):
    put(s3, bucket, A, b"x" * (LARGEST + 1))
    keys = files.listed() if listed else ()
    calls = counted(s3)
    files.ahead(keys)

    with pytest.raises(TooLarge, match="has 1,000,001 bytes; a policy file may have 1,000,000"):
        files.read(A)
    assert calls["GetObject"] == (0 if listed else 1)


def test_a_file_is_gone_when_s3_says_so(s3: Any, bucket: str, files: PolicyFiles):
    put(s3, bucket, A, b"one")
    put(s3, bucket, B, b"")
    s3.delete_object(Bucket=bucket, Key=A)

    assert (files.gone(A), files.gone(B), files.gone("policy/never.yaml")) == (True, False, True)


def test_a_bucket_that_is_gone_proves_nothing_of_its_files(s3: Any):
    with pytest.raises(ClientError, match="NoSuchBucket"):
        PolicyFiles(s3, f"nobody-{uuid.uuid4().hex}").gone(A)


def test_who_may_not_look_can_not_say_that_a_file_is_gone(server: Sandbox, bucket: str):
    iam, name = server.client("iam"), f"blind-{uuid.uuid4().hex[:8]}"
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]

    with pytest.raises(ClientError, match="AccessDenied"):
        PolicyFiles(server.client("s3", key), bucket).gone(A)


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


def test_a_body_that_is_cut_off_is_never_a_short_file(cut_off: Any):
    files = PolicyFiles(cut_off, "policies")

    with pytest.raises(NotYet):
        files.read(A)


def test_a_body_that_ends_too_soon_is_never_a_short_file(s3: Any, files: PolicyFiles):
    answering(
        s3, "GetObject", lambda request: AWSResponse(request.url, 200, {"Content-Length": "100", "ETag": "e"}, Raw(b"y" * 40))
    )

    with pytest.raises(NotYet, match="40"):
        files.read(A)
