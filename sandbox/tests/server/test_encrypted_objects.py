"""Objects that are encrypted with a KMS key open only to whoever may use the key through S3.

Source: S3 User Guide, "Using server-side encryption with AWS KMS keys", Permissions: a write needs
kms:GenerateDataKey, a read kms:Decrypt, an upload in parts both.
"""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.testing.helpers import make_user, unique_name
from sandbox.testing.running import ACCOUNT, Sandbox

OWNER = {
    "Effect": "Allow",
    "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
    "Action": "kms:*",
    "Resource": "*",
}
DATA = b"M,0.455\n"


def make_key(server: Sandbox, *statements: dict[str, Any]) -> str:
    policy = {"Version": "2012-10-17", "Statement": list(statements or (OWNER,))}
    made = server.shared("kms").create_key(Policy=json.dumps(policy))
    return str(made["KeyMetadata"]["Arn"])


@pytest.fixture
def key(server: Sandbox) -> str:
    return make_key(server)


def make_bucket(server: Sandbox, key: str = "") -> str:
    s3, name = server.shared("s3"), unique_name("keyed")
    s3.create_bucket(Bucket=name)
    if key:
        by_default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
        s3.put_bucket_encryption(
            Bucket=name,
            ServerSideEncryptionConfiguration={
                "Rules": [{"ApplyServerSideEncryptionByDefault": by_default}]
            },
        )
    return name


def open_s3(server: Sandbox, key: str, *actions: str, **condition: Any) -> Any:
    """A client of a user who may do everything with objects, and this with the key."""
    own = [{"Action": [f"kms:{one}" for one in actions], "Resource": key, **condition}]
    _, keys = make_user(server, {"Action": "s3:*", "Resource": "*"}, *(own if actions else []))
    return server.client("s3", keys)


def refuse(action: str) -> Any:
    return pytest.raises(ClientError, match=rf"AccessDenied.*kms:{action}")


def test_a_read_needs_to_decrypt(server: Sandbox, key: str):
    bucket = make_bucket(server, key)
    server.shared("s3").put_object(Bucket=bucket, Key="k", Body=DATA)

    with refuse("Decrypt"):
        open_s3(server, key, "GenerateDataKey").get_object(Bucket=bucket, Key="k")

    reader = open_s3(server, key, "Decrypt")
    assert reader.get_object(Bucket=bucket, Key="k")["Body"].read() == DATA


def test_a_write_needs_a_data_key(server: Sandbox, key: str):
    bucket = make_bucket(server, key)

    with refuse("GenerateDataKey"):
        open_s3(server, key, "Decrypt").put_object(Bucket=bucket, Key="k", Body=DATA)
    open_s3(server, key, "GenerateDataKey").put_object(Bucket=bucket, Key="k", Body=DATA)

    assert server.shared("s3").head_object(Bucket=bucket, Key="k")["SSEKMSKeyId"] == key


def test_a_key_that_the_request_names_counts_too(server: Sandbox, key: str):
    bucket, named = make_bucket(server), {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}

    with refuse("GenerateDataKey"):
        open_s3(server, key).put_object(Bucket=bucket, Key="k", Body=DATA, **named)
    by_id = named | {"SSEKMSKeyId": key.rpartition("/")[2]}
    with refuse("GenerateDataKey"):
        open_s3(server, key).put_object(Bucket=bucket, Key="k", Body=DATA, **by_id)


def test_what_is_no_content_needs_no_key(server: Sandbox, key: str):
    bucket, nobody = make_bucket(server, key), open_s3(server, key)
    server.shared("s3").put_object(Bucket=bucket, Key="k", Body=DATA)

    assert nobody.head_object(Bucket=bucket, Key="k")["ContentLength"] == len(DATA)
    assert nobody.list_objects_v2(Bucket=bucket)["KeyCount"] == 1
    nobody.delete_object(Bucket=bucket, Key="k")


def test_objects_without_a_key_of_the_customer_need_none(server: Sandbox, key: str):
    nobody = open_s3(server, key)
    for bucket, named in (
        (make_bucket(server), {}),
        (make_bucket(server), {"ServerSideEncryption": "aws:kms"}),
    ):
        nobody.put_object(Bucket=bucket, Key="k", Body=DATA, **named)
        assert nobody.get_object(Bucket=bucket, Key="k")["Body"].read() == DATA


def test_each_version_has_the_key_that_it_was_written_with(server: Sandbox, key: str):
    bucket, s3 = make_bucket(server), server.shared("s3")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    plain = s3.put_object(Bucket=bucket, Key="k", Body=DATA)["VersionId"]
    keyed = s3.put_object(
        Bucket=bucket, Key="k", Body=DATA, ServerSideEncryption="aws:kms", SSEKMSKeyId=key
    )["VersionId"]
    s3.put_object(Bucket=bucket, Key="k", Body=DATA)
    nobody = open_s3(server, key)

    nobody.get_object(Bucket=bucket, Key="k")
    nobody.get_object(Bucket=bucket, Key="k", VersionId=plain)
    with refuse("Decrypt"):
        nobody.get_object(Bucket=bucket, Key="k", VersionId=keyed)


def test_a_copy_needs_both_keys(server: Sandbox, key: str):
    source, target, other = make_bucket(server, key), make_bucket(server), make_key(server)
    server.shared("s3").put_object(Bucket=source, Key="k", Body=DATA)
    copied = {"Bucket": target, "Key": "k", "CopySource": f"{source}/k"}
    named = copied | {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": other}

    with refuse("Decrypt"):
        open_s3(server, key).copy_object(**copied)
    open_s3(server, key, "Decrypt").copy_object(**copied)
    with refuse("GenerateDataKey"):
        open_s3(server, key, "Decrypt").copy_object(**named)


def test_an_upload_in_parts_needs_both_permissions(server: Sandbox, key: str):
    bucket = make_bucket(server, key)
    with refuse("GenerateDataKey"):
        open_s3(server, key, "Decrypt").create_multipart_upload(Bucket=bucket, Key="k")

    writer = open_s3(server, key, "GenerateDataKey")
    begun = writer.create_multipart_upload(Bucket=bucket, Key="k")
    place = {"Bucket": bucket, "Key": "k", "UploadId": begun["UploadId"]}
    with refuse("Decrypt"):
        writer.upload_part(**place, PartNumber=1, Body=DATA)

    both = open_s3(server, key, "GenerateDataKey", "Decrypt")
    part = {"PartNumber": 1, "ETag": both.upload_part(**place, PartNumber=1, Body=DATA)["ETag"]}
    both.complete_multipart_upload(**place, MultipartUpload={"Parts": [part]})
    assert both.get_object(Bucket=bucket, Key="k")["Body"].read() == DATA


def test_the_keys_own_policy_must_admit_the_caller(server: Sandbox):
    nobody = {**OWNER, "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/somebody-else"}}
    key = make_key(server, nobody)
    bucket = make_bucket(server, key)

    with refuse("GenerateDataKey"):
        open_s3(server, key, "GenerateDataKey").put_object(Bucket=bucket, Key="k", Body=DATA)


def test_a_permission_can_be_for_the_use_by_s3_alone(server: Sandbox, key: str):
    bucket = make_bucket(server, key)

    def by(service: str) -> Any:
        via = {"StringEquals": {"kms:ViaService": f"{service}.us-east-1.amazonaws.com"}}
        return open_s3(server, key, "GenerateDataKey", Condition=via)

    by("s3").put_object(Bucket=bucket, Key="k", Body=DATA)
    with refuse("GenerateDataKey"):
        by("sqs").put_object(Bucket=bucket, Key="k", Body=DATA)


def test_a_key_that_does_not_exist_encrypts_nothing(server: Sandbox):
    missing = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/00000000-0000-0000-0000-000000000000"
    named = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": missing}

    with pytest.raises(ClientError, match=r"KMS\.NotFoundException"):
        server.shared("s3").put_object(Bucket=make_bucket(server), Key="k", Body=DATA, **named)
