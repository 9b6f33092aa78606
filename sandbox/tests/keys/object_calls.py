"""Every operation on an object, and what it needs by AWS's documents."""

import urllib.error
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError
from tests.keys.matcher import Need

S3 = Any
BUCKET = "lake"
# Objects of every sandbox here: a source of copies without tags, and one with tags.
SOURCE, TAGGED = "source", "tagged"
VERSION = "null"


@dataclass(frozen=True)
class ObjectCall:
    """A call with a key, and the actions that it needs on it."""

    name: str
    send: Callable[[S3, str], Any]
    actions: tuple[str, ...]  # on the key itself
    others: tuple[Need, ...] = ()
    is_list: bool = False

    def list_needs(self, key: str) -> Iterable[Need]:
        yield from self.others
        if self.is_list:
            yield from (Need(f"s3:{action}", BUCKET, key) for action in self.actions)
        else:
            yield from (Need(f"s3:{action}", f"{BUCKET}/{key}") for action in self.actions)


def is_done(call: Callable[[], Any]) -> bool:
    """Whether a call was let through; what S3 says of an object afterwards does not matter."""
    try:
        call()
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"] != 403
    except urllib.error.HTTPError as error:
        return error.code != 403
    except ResponseParserError:  # an answer with a control character in its XML
        return True
    return True


def _named(key: str, **more: Any) -> dict[str, Any]:
    return {"Bucket": BUCKET, "Key": key, **more}


def _copy(s3: S3, key: str, source: str, version: str = "", **more: Any) -> Any:
    found = _named(source, **({"VersionId": version} if version else {}))
    return s3.copy_object(**_named(key, CopySource=found, **more))


def _part(upload: str = "none") -> dict[str, Any]:
    return {"UploadId": upload, "PartNumber": 1}


TAGS = {"TagSet": [{"Key": "a", "Value": "b"}]}
READ_SOURCE = (Need("s3:GetObject", f"{BUCKET}/{SOURCE}"),)
READ_TAGGED = (
    Need("s3:GetObject", f"{BUCKET}/{TAGGED}"),
    Need("s3:GetObjectTagging", f"{BUCKET}/{TAGGED}"),
)
WRITE_COPY = (Need("s3:PutObject", f"{BUCKET}/copy"),)
PARTS = {"Parts": [{"PartNumber": 1, "ETag": "x"}]}

CALLS = (
    ObjectCall("get", lambda s3, k: s3.get_object(**_named(k)), ("GetObject",)),
    ObjectCall("head", lambda s3, k: s3.head_object(**_named(k)), ("GetObject",)),
    ObjectCall("get version", lambda s3, k: s3.get_object(**_named(k, VersionId=VERSION)), ("GetObjectVersion",)),
    ObjectCall("put", lambda s3, k: s3.put_object(**_named(k, Body=b"1")), ("PutObject",)),
    ObjectCall("put with tags", lambda s3, k: s3.put_object(**_named(k, Body=b"1", Tagging="a=b")), ("PutObject", "PutObjectTagging")),
    ObjectCall("put with acl", lambda s3, k: s3.put_object(**_named(k, Body=b"1", ACL="bucket-owner-full-control")), ("PutObject", "PutObjectAcl")),
    ObjectCall("delete", lambda s3, k: s3.delete_object(**_named(k)), ("DeleteObject",)),
    ObjectCall("delete version", lambda s3, k: s3.delete_object(**_named(k, VersionId=VERSION)), ("DeleteObjectVersion",)),
    ObjectCall("get tags", lambda s3, k: s3.get_object_tagging(**_named(k)), ("GetObjectTagging",)),
    ObjectCall("get tags of version", lambda s3, k: s3.get_object_tagging(**_named(k, VersionId=VERSION)), ("GetObjectTagging", "GetObjectVersionTagging")),
    ObjectCall("put tags", lambda s3, k: s3.put_object_tagging(**_named(k, Tagging=TAGS)), ("PutObjectTagging",)),
    ObjectCall("put tags of version", lambda s3, k: s3.put_object_tagging(**_named(k, Tagging=TAGS, VersionId=VERSION)), ("PutObjectTagging", "PutObjectVersionTagging")),
    ObjectCall("delete tags", lambda s3, k: s3.delete_object_tagging(**_named(k)), ("DeleteObjectTagging",)),
    ObjectCall("get acl", lambda s3, k: s3.get_object_acl(**_named(k)), ("GetObjectAcl",)),
    ObjectCall("get attributes", lambda s3, k: s3.get_object_attributes(**_named(k, ObjectAttributes=["ETag"])), ("GetObjectAttributes", "GetObject")),
    ObjectCall("copy from", lambda s3, k: _copy(s3, "copy", k, TaggingDirective="REPLACE"), ("GetObject",), WRITE_COPY),
    ObjectCall("copy from version", lambda s3, k: _copy(s3, "copy", k, VERSION, TaggingDirective="REPLACE"), ("GetObjectVersion",), WRITE_COPY),
    ObjectCall("copy to", lambda s3, k: _copy(s3, k, SOURCE), ("PutObject",), READ_SOURCE),
    ObjectCall("copy to with tags", lambda s3, k: _copy(s3, k, SOURCE, TaggingDirective="REPLACE", Tagging="a=b"), ("PutObject", "PutObjectTagging"), READ_SOURCE),
    ObjectCall("copy tags to", lambda s3, k: _copy(s3, k, TAGGED), ("PutObject", "PutObjectTagging"), READ_TAGGED),
    ObjectCall("create upload", lambda s3, k: s3.create_multipart_upload(**_named(k)), ("PutObject",)),
    ObjectCall("create upload with tags", lambda s3, k: s3.create_multipart_upload(**_named(k, Tagging="a=b")), ("PutObject", "PutObjectTagging")),
    ObjectCall("upload part", lambda s3, k: s3.upload_part(**_named(k, Body=b"1", **_part())), ("PutObject",)),
    ObjectCall("copy part from", lambda s3, k: s3.upload_part_copy(**_named("copy", CopySource=_named(k), **_part())), ("GetObject",), WRITE_COPY),
    ObjectCall("copy part to", lambda s3, k: s3.upload_part_copy(**_named(k, CopySource=_named(SOURCE), **_part())), ("PutObject",), READ_SOURCE),
    ObjectCall("complete upload", lambda s3, k: s3.complete_multipart_upload(**_named(k, UploadId="none", MultipartUpload=PARTS)), ("PutObject",)),
    ObjectCall("abort upload", lambda s3, k: s3.abort_multipart_upload(**_named(k, UploadId="none")), ("AbortMultipartUpload",)),
    ObjectCall("list parts", lambda s3, k: s3.list_parts(**_named(k, UploadId="none")), ("ListMultipartUploadParts",)),
    ObjectCall("list", lambda s3, k: s3.list_objects_v2(Bucket=BUCKET, Prefix=k), ("ListBucket",), is_list=True),
    ObjectCall("list v1", lambda s3, k: s3.list_objects(Bucket=BUCKET, Prefix=k), ("ListBucket",), is_list=True),
    ObjectCall("list versions", lambda s3, k: s3.list_object_versions(Bucket=BUCKET, Prefix=k), ("ListBucketVersions",), is_list=True),
    ObjectCall("list uploads", lambda s3, k: s3.list_multipart_uploads(Bucket=BUCKET, Prefix=k, EncodingType="url"), (), (Need("s3:ListBucketMultipartUploads", BUCKET),)),
)  # fmt: skip


def delete_batch(s3: S3, names: list[dict[str, str]]) -> list[bool]:
    """Delete objects in one call; for each, whether it was let through."""
    answer = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": names})
    refused = {
        (it["Key"], it.get("VersionId", ""))
        for it in answer.get("Errors", ())
        if it["Code"] == "AccessDenied"
    }
    return [(it["Key"], it.get("VersionId", "")) not in refused for it in names]


def list_batch_needs(name: dict[str, str]) -> list[Need]:
    action = "s3:DeleteObjectVersion" if "VersionId" in name else "s3:DeleteObject"
    return [Need(action, f"{BUCKET}/{name['Key']}")]
