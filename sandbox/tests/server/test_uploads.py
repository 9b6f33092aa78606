"""Uploads, copies and checksums as S3 has them, where the server by itself is more lenient."""

import base64
import zlib
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.server.s3_uploads import combine_checksums
from sandbox.testing.helpers import make_user, unique_name
from sandbox.testing.running import Sandbox

MAX_64 = 2**64 - 1
MEBIBYTE = 1024 * 1024
LARGE = bytes(range(256)) * 20480  # 5 MiB


@pytest.fixture
def bucket(server: Sandbox) -> str:
    name = unique_name("uploads")
    server.shared("s3").create_bucket(Bucket=name)
    return name


def upload(s3: Any, bucket: str, parts: list[bytes], **options: Any) -> dict[str, Any]:
    """Upload an object in parts; return the answer to its completion."""
    started = s3.create_multipart_upload(Bucket=bucket, Key="k", **options)
    place = {"Bucket": bucket, "Key": "k", "UploadId": started["UploadId"]}
    sums = (
        {"ChecksumAlgorithm": options["ChecksumAlgorithm"]}
        if "ChecksumAlgorithm" in options
        else {}
    )
    sent = [
        {"PartNumber": number, "ETag": s3.upload_part(**place, PartNumber=number, Body=body, **sums)["ETag"]}
        for number, body in enumerate(parts, 1)
    ]  # fmt: skip
    return s3.complete_multipart_upload(**place, MultipartUpload={"Parts": sent})


def test_every_part_but_the_last_has_five_mebibytes(server: Sandbox, bucket: str):
    s3 = server.client("s3")

    with pytest.raises(ClientError, match="EntityTooSmall"):
        upload(s3, bucket, [b"tiny", b"last"])
    with pytest.raises(ClientError, match="EntityTooSmall"):
        upload(s3, bucket, [LARGE[:-1], b"last"])
    upload(s3, bucket, [LARGE, b"last"])
    assert s3.head_object(Bucket=bucket, Key="k")["ContentLength"] == 5 * MEBIBYTE + 4


def test_parts_are_named_in_order(server: Sandbox, bucket: str):
    s3 = server.client("s3")
    started = s3.create_multipart_upload(Bucket=bucket, Key="k")
    place = {"Bucket": bucket, "Key": "k", "UploadId": started["UploadId"]}
    part = {"PartNumber": 1, "ETag": s3.upload_part(**place, PartNumber=1, Body=b"1")["ETag"]}

    with pytest.raises(ClientError, match="InvalidPartOrder"):
        s3.complete_multipart_upload(**place, MultipartUpload={"Parts": [part, part]})


def test_a_checksum_of_the_full_object_is_that_of_all_its_bytes(server: Sandbox, bucket: str):
    s3 = server.client("s3")
    whole = zlib.crc32(LARGE + b"last")

    done = upload(
        s3, bucket, [LARGE, b"last"], ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT"
    )

    assert done["ChecksumType"] == "FULL_OBJECT"
    assert base64.b64decode(done["ChecksumCRC32"]) == whole.to_bytes(4)
    seen = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert (seen["ChecksumType"], seen["ChecksumCRC32"]) == ("FULL_OBJECT", done["ChecksumCRC32"])


def crc64nvme(body: bytes) -> int:
    """CRC-64/NVME, bit by bit; its check value is in the catalogue of CRC algorithms."""
    crc = MAX_64
    for byte in body:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x9A6C9329AC4BC9B5 if crc & 1 else 0)
    return crc ^ MAX_64


@pytest.mark.parametrize(
    "parts", [[b"1234", b"56789"], [b"", b"123456789"], [b"1", b"23456", b"", b"789"]]
)
def test_checksums_of_parts_make_that_of_the_whole(parts: list[bytes]):
    known = [(crc64nvme(part), len(part)) for part in parts]

    assert combine_checksums("CRC64NVME", known) == crc64nvme(b"123456789") == 0xAE8B14860A799888


def test_crc64nvme_is_always_of_the_full_object(server: Sandbox, bucket: str):
    s3, checksum = (
        server.client("s3"),
        base64.b64encode(crc64nvme(b"123456789").to_bytes(8)).decode(),
    )
    place = {"Bucket": bucket, "Key": "k"}
    started = s3.create_multipart_upload(**place, ChecksumAlgorithm="CRC64NVME")
    place["UploadId"] = started["UploadId"]
    part = s3.upload_part(**place, PartNumber=1, Body=b"123456789", ChecksumCRC64NVME=checksum)
    named = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}

    done = s3.complete_multipart_upload(**place, MultipartUpload=named)

    assert (done["ChecksumType"], done["ChecksumCRC64NVME"]) == ("FULL_OBJECT", checksum)
    for algorithm, kind in (("CRC64NVME", "COMPOSITE"), ("SHA256", "FULL_OBJECT")):
        with pytest.raises(ClientError, match="InvalidRequest"):
            s3.create_multipart_upload(
                Bucket=bucket, Key="k", ChecksumAlgorithm=algorithm, ChecksumType=kind
            )


def test_a_composite_checksum_stays_one(server: Sandbox, bucket: str):
    done = upload(server.client("s3"), bucket, [b"1"], ChecksumAlgorithm="SHA256")

    assert done["ChecksumType"] == "COMPOSITE"
    assert done["ChecksumSHA256"].endswith("-1")


def test_a_copy_keeps_to_its_conditions(server: Sandbox, bucket: str):
    s3 = server.client("s3")
    old = s3.put_object(Bucket=bucket, Key="there", Body=b"old")["ETag"]
    s3.put_object(Bucket=bucket, Key="source", Body=b"new")

    def copy(**condition: str) -> Any:
        return s3.copy_object(
            Bucket=bucket, Key="there", CopySource=f"{bucket}/source", **condition
        )

    for condition in ({"IfNoneMatch": "*"}, {"IfMatch": '"0123"'}):
        with pytest.raises(ClientError, match="PreconditionFailed") as refused:
            copy(**condition)
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 412
    assert s3.get_object(Bucket=bucket, Key="there")["Body"].read() == b"old"
    copy(IfMatch=old)
    assert s3.get_object(Bucket=bucket, Key="there")["Body"].read() == b"new"


def test_a_general_purpose_bucket_renames_nothing(server: Sandbox, bucket: str):
    s3 = server.client("s3")
    s3.put_object(Bucket=bucket, Key="old", Body=b"1")

    with pytest.raises(ClientError, match="NotImplemented"):
        s3.rename_object(Bucket=bucket, Key="new", RenameSource=f"{bucket}/old")
    assert [it["Key"] for it in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["old"]


def test_nobody_copies_a_part_into_the_upload_of_another_key(server: Sandbox, bucket: str):
    s3 = server.client("s3")
    s3.put_object(Bucket=bucket, Key="source", Body=b"1")
    theirs = s3.create_multipart_upload(Bucket=bucket, Key="theirs")["UploadId"]

    with pytest.raises(ClientError, match="NoSuchUpload"):
        s3.upload_part_copy(
            Bucket=bucket, Key="own", UploadId=theirs, PartNumber=1, CopySource=f"{bucket}/source"
        )


def test_an_upload_in_parts_keeps_the_tags_it_began_with(server: Sandbox, bucket: str):
    s3 = server.client("s3")
    upload(s3, bucket, [b"1"], Tagging="team=a%20b&empty=")

    tags = s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"]
    assert {it["Key"]: it["Value"] for it in tags} == {"team": "a b", "empty": ""}


PUT = {"Action": ["s3:GetObject", "s3:PutObject"]}
TAGGED_WRITES = {
    "put": {"Tagging": "a=b"},
    "upload": {"Tagging": "a=b"},
    "copy": {"Tagging": "a=b", "TaggingDirective": "REPLACE"},
    "copy of a tagged object": {},
}


@pytest.mark.parametrize("write", TAGGED_WRITES)
def test_who_may_write_may_not_write_tags(server: Sandbox, bucket: str, write: str):
    server.shared("s3").put_object(Bucket=bucket, Key="tagged", Body=b"1", Tagging="a=b")
    _, keys = make_user(server, PUT | {"Resource": f"arn:aws:s3:::{bucket}/*"})
    s3, place, more = (
        server.client("s3", keys),
        {"Bucket": bucket, "Key": "k"},
        TAGGED_WRITES[write],
    )

    def call() -> Any:
        if write == "put":
            return s3.put_object(**place, Body=b"1", **more)
        if write == "upload":
            return s3.create_multipart_upload(**place, **more)
        return s3.copy_object(**place, CopySource=f"{bucket}/tagged", **more)

    with pytest.raises(ClientError, match="ObjectTagging on resource"):
        call()
    with pytest.raises(ClientError, match="404"):
        server.shared("s3").head_object(**place)
