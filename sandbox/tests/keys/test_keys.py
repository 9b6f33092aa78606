"""A key is judged and kept as it was sent: no parser between the wire and IAM changes a letter.

`make test-keys` asks about 10,000 keys, `make test` about a few.
"""

import json
import os
import subprocess
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest
from botocore.exceptions import ClientError
from tests.keys.arbitrary_keys import make_key
from tests.keys.matcher import is_possible, is_xml_text
from tests.keys.object_calls import CALLS

from sandbox.paths import find_server_python
from sandbox.process import server_environment
from sandbox.start_keys import StartKeys
from sandbox.testing.helpers import make_user, unique_name
from sandbox.testing.running import Sandbox
from tests.conftest import ROOT

KEYS = int(os.environ.get("KEYS", "6"))
SEEDS = range(1, 9) if KEYS > 100 else (1,)  # small shares keep both processes busy
CALLERS = {"role", "role with a session policy", "vended READ", "vended WRITE", "vended READWRITE"}


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", SEEDS)
def test_every_decision_is_that_of_an_independent_matcher(tmp_path: Path, seed: int):
    environment = server_environment(tmp_path, StartKeys.make())
    environment["PYTHONPATH"] += f":{ROOT / 'sandbox'}"
    asked = subprocess.run(
        [find_server_python(), "-P", "-m", "tests.keys.compare_decisions", str(KEYS // len(SEEDS)), str(seed)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert asked.returncode == 0, asked.stderr
    seen = json.loads(asked.stdout)
    assert seen["differences"] == []
    assert seen["compared"] > KEYS // len(SEEDS) * len(CALLS)
    assert 0 < seen["allowed"] < seen["compared"]
    assert seen["callers"].keys() <= CALLERS


@pytest.fixture
def bucket(server: Sandbox) -> str:
    name = unique_name("keys")
    server.shared("s3").create_bucket(Bucket=name)
    return name


def make_virtual_client(server: Sandbox) -> Any:
    """Return a client that has the bucket in the host, which need not resolve here."""
    made = server.client("s3", s3={"addressing_style": "virtual"})

    def connect(request: Any, **_: Any) -> None:
        url = urlsplit(request.url)
        request.headers["Host"] = url.netloc
        request.url = request.url.replace(url.netloc, f"localhost:{url.port}", 1)

    made.meta.events.register("before-send.s3", connect)
    return made


def send_round(s3: Any, bucket: str, key: str) -> tuple[bytes, list[str]]:
    """Put, read, copy and list one object by its key; return what was read and the listed keys."""
    named = {"Bucket": bucket, "Key": key}
    s3.put_object(**named, Body=key.encode())
    s3.head_object(**named)
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=named)
    s3.copy_object(**named, CopySource={"Bucket": bucket, "Key": "copy"})
    s3.put_object_tagging(**named, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=key)["Contents"]
    versions = s3.list_object_versions(Bucket=bucket, Prefix=key)["Versions"]
    assert [it["Key"] for it in listed] == [it["Key"] for it in versions]
    return s3.get_object(**named)["Body"].read(), [it["Key"] for it in listed]


def test_an_object_is_found_again_by_the_key_that_was_sent(server: Sandbox, bucket: str):
    random = Random(7)
    keys = {make_key(random) for _ in range(min(KEYS, 100))} - {"copy"}
    clients = [server.client("s3"), make_virtual_client(server)]
    for key in sorted(keys):
        read, listed = send_round(random.choice(clients), bucket, key)
        assert read == key.encode()
        assert key in listed
    assert {*list_keys(clients[0], bucket)} == {*keys, "copy"}

    delete_all(clients[1], bucket, sorted(keys))
    assert list_keys(clients[0], bucket) == ["copy"]


def list_keys(s3: Any, bucket: str) -> list[str]:
    return [it["Key"] for it in s3.list_objects_v2(Bucket=bucket).get("Contents", ())]


def delete_all(s3: Any, bucket: str, keys: list[str]) -> None:
    """Delete by one batch what XML can name, and the rest one by one."""
    named = [{"Key": key} for key in keys if is_xml_text(key)]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": named})
    assert [it["Key"] for it in answer["Deleted"]] == [it["Key"] for it in named]
    for key in keys:
        if not is_xml_text(key):
            with pytest.raises(ClientError, match="MalformedXML"):
                s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key}]})
            s3.delete_object(Bucket=bucket, Key=key)


# Addresses of the server's own, of other services of it, and of S3 Control.
OTHER_ADDRESSES = ("health", "_sandbox/calls", "_ministack/reset", "environments/a", "v20180820/x", "v2/", "iceberg")  # fmt: skip


def test_no_key_is_taken_for_another_address_of_the_server(server: Sandbox, bucket: str):
    s3 = make_virtual_client(server)
    presigner = server.client("s3", signature_version="s3v4", s3={"addressing_style": "virtual"})

    for key in OTHER_ADDRESSES:
        assert send_round(s3, bucket, key) == (key.encode(), [key])
        asked = {"Params": {"Bucket": bucket, "Key": key}}
        url = urlsplit(presigner.generate_presigned_url("get_object", **asked))
        request = Request(f"{server.url}{url.path}?{url.query}", headers={"Host": url.netloc})
        with urlopen(request) as answer:
            assert answer.read() == key.encode()


REFUSED_KEYS = {
    "../x": "InvalidURI",
    "videos/../../video1.wmv": "InvalidURI",
    "./../x": "InvalidURI",
    "x" * 1025: "KeyTooLongError",
    "é" * 513: "KeyTooLongError",
}


def test_keys_that_s3_refuses_are_refused_in_a_call_a_copy_and_a_batch(
    server: Sandbox, bucket: str
):
    s3 = server.client("s3")
    s3.put_object(Bucket=bucket, Key="videos/2014/../../video1.wmv", Body=b"")

    for key, code in REFUSED_KEYS.items():
        assert not is_possible(key)
        with pytest.raises(ClientError, match=code):
            s3.put_object(Bucket=bucket, Key=key, Body=b"")
        with pytest.raises(ClientError, match=code):
            s3.copy_object(Bucket=bucket, Key="x", CopySource={"Bucket": bucket, "Key": key})
    named = [{"Key": key} for key in (*REFUSED_KEYS, "other")]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": named})
    assert {it["Key"]: it["Code"] for it in answer["Errors"]} == REFUSED_KEYS
    assert [it["Key"] for it in answer["Deleted"]] == ["other"]


def test_a_batch_needs_the_right_of_a_version_for_a_version_at_every_place(
    server: Sandbox, bucket: str
):
    _, keys = make_user(
        server, {"Action": "s3:DeleteObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    )
    named = [{"Key": "a", "VersionId": "null"}, {"Key": "b"}, {"Key": "c", "VersionId": "null"}]

    answer = server.client("s3", keys).delete_objects(Bucket=bucket, Delete={"Objects": named})

    assert [it["Key"] for it in answer["Errors"]] == ["a", "c"]
    assert "s3:DeleteObjectVersion on resource" in answer["Errors"][0]["Message"]
