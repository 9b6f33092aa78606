"""What vended credentials may do is what their grant says.

Judged by the server's evaluator, call by call, until they expire.
"""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.testing.helpers import call_control
from sandbox.testing.running import Sandbox
from sandbox.testing.scenario import ControlClient, GrantScenario

S3 = Any
Call = Callable[[S3, str], Any]


def multipart(s3: S3, key: str) -> None:
    started = s3.create_multipart_upload(Bucket="data", Key=key)["UploadId"]
    part = s3.upload_part(Bucket="data", Key=key, UploadId=started, PartNumber=1, Body=b"x")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(Bucket="data", Key=key, UploadId=started, MultipartUpload=parts)


def presigned(s3: S3, key: str) -> None:
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "data", "Key": key})
    with urllib.request.urlopen(url):
        pass


READS: dict[str, Call] = {
    "get": lambda s3, key: s3.get_object(Bucket="data", Key=key),
    "head": lambda s3, key: s3.head_object(Bucket="data", Key=key),
    "list": lambda s3, key: s3.list_objects_v2(Bucket="data", Prefix=f"{key.partition('/')[0]}/"),
    "presigned get": presigned,
}
WRITES: dict[str, Call] = {
    "put": lambda s3, key: s3.put_object(Bucket="data", Key=key, Body=b"new"),
    "multipart": multipart,
    "delete": lambda s3, key: s3.delete_object(Bucket="data", Key=key),
}
BOTH: dict[str, Call] = {
    "copy": lambda s3, key: s3.copy_object(
        Bucket="data", Key=f"{key}.copy", CopySource={"Bucket": "data", "Key": key}
    ),
}
ALLOWED = {"READ": READS, "WRITE": WRITES, "READWRITE": READS | WRITES | BOTH}


@pytest.fixture
def shelf(laid_on_server: GrantScenario) -> GrantScenario:
    """A laid with one object in each of two folders."""
    admin = laid_on_server.aws.client("s3")
    for folder in ("UserA", "UserB"):
        admin.put_object(Bucket="data", Key=f"{folder}/a.csv", Body=b"M,1\n")
    return laid_on_server


def vended(
    laid: GrantScenario, permission: str = "READWRITE", target: str = "UserA/*", **more: Any
) -> S3:
    return laid.aws.client("s3", laid.ask(target, permission, **more)["Credentials"])


def done(call: Call, s3: S3, key: str) -> bool:
    """Whether S3 let the call through; anything but a plain refusal is raised."""
    try:
        call(s3, key)
    except (ClientError, urllib.error.HTTPError) as refused:
        status = (
            refused.code
            if isinstance(refused, urllib.error.HTTPError)
            else refused.response["ResponseMetadata"]["HTTPStatusCode"]
        )
        if status != 403:
            raise
        return False
    return True


@pytest.mark.parametrize("permission", ["READ", "WRITE", "READWRITE"])
def test_a_permission_lets_exactly_its_calls_through(shelf: GrantScenario, permission: str) -> None:
    shelf.grant("UserA/*", permission)
    s3 = vended(shelf, permission)
    every = READS | BOTH | WRITES

    assert {name for name, call in every.items() if done(call, s3, "UserA/a.csv")} == set(
        ALLOWED[permission]
    )


def test_no_call_passes_beyond_the_prefix(shelf: GrantScenario) -> None:
    shelf.grant("UserA/*", "READWRITE")
    s3 = vended(shelf)

    assert [
        name for name, call in (READS | BOTH | WRITES).items() if done(call, s3, "UserB/a.csv")
    ] == []
    assert not done(lambda s3, _: s3.list_objects_v2(Bucket="data"), s3, "")
    assert not done(
        lambda s3, key: s3.copy_object(Bucket="data", Key=key, CopySource="data/UserB/a.csv"),
        s3,
        "UserA/stolen.csv",
    )


def test_a_batch_of_deletions_is_judged_key_by_key(shelf: GrantScenario) -> None:
    shelf.grant("UserA/*", "READWRITE")
    keys = [
        {"Key": key}
        for key in ("UserB/a.csv", "UserA/a.csv", "UserA/<none>&.csv", "UserB/<none>&.csv")
    ]

    answer = vended(shelf).delete_objects(Bucket="data", Delete={"Objects": keys})

    assert {item["Key"] for item in answer["Deleted"]} == {"UserA/a.csv", "UserA/<none>&.csv"}
    assert {(e["Key"], e["Code"]) for e in answer["Errors"]} == {
        (f"UserB/{x}.csv", "AccessDenied") for x in ("a", "<none>&")
    }
    left = shelf.aws.client("s3").list_objects_v2(Bucket="data")["Contents"]
    assert [item["Key"] for item in left] == ["UserB/a.csv"]


def test_a_batch_of_which_nothing_is_allowed_deletes_nothing(shelf: GrantScenario) -> None:
    shelf.grant("UserA/*", "READ")

    answer = vended(shelf, "READ").delete_objects(
        Bucket="data", Delete={"Objects": [{"Key": "UserA/a.csv"}], "Quiet": True}
    )

    assert [error["Code"] for error in answer["Errors"]] == ["AccessDenied"]


def test_a_batch_is_read_as_xml_whatever_its_form(shelf: GrantScenario) -> None:
    shelf.grant("UserA/*", "READWRITE")
    s3 = vended(shelf)
    body = (
        b'<d:Delete xmlns:d="http://s3.amazonaws.com/doc/2006-03-01/">'
        b"<d:Object ><d:Key><![CDATA[UserB/a.csv]]></d:Key></d:Object>"
        b"<d:Object><!-- own --><d:Key>UserA&#x2F;a.csv</d:Key></d:Object></d:Delete>"
    )

    def send_this(request: Any, **_: Any) -> None:
        request.data = body

    s3.meta.events.register("before-sign.s3.DeleteObjects", send_this)
    s3.meta.events.register("before-call.s3.DeleteObjects", drop_checksums)
    answer = s3.delete_objects(Bucket="data", Delete={"Objects": [{"Key": "any"}]})

    assert [it["Key"] for it in answer["Deleted"]] == ["UserA/a.csv"]
    assert [it["Key"] for it in answer["Errors"]] == ["UserB/a.csv"]
    left = shelf.aws.client("s3").list_objects_v2(Bucket="data")["Contents"]
    assert [item["Key"] for item in left] == ["UserB/a.csv"]


def drop_checksums(params: Any, **_: Any) -> None:
    for name in [it for it in params["headers"] if "checksum" in it.lower()]:
        del params["headers"][name]


def test_a_single_deletion_after_a_batch_is_still_refused(shelf: GrantScenario) -> None:
    shelf.grant("UserA/*", "READWRITE")
    s3 = vended(shelf)
    s3.delete_objects(Bucket="data", Delete={"Objects": [{"Key": "UserB/a.csv"}]})

    assert not done(WRITES["delete"], s3, "UserB/a.csv")


def test_minimal_privilege_reads_one_object_only(shelf: GrantScenario) -> None:
    shelf.grant("UserA/*", "READ")
    s3 = vended(shelf, "READ", "UserA/a.csv", Privilege="Minimal", TargetType="Object")

    assert done(READS["get"], s3, "UserA/a.csv")
    assert not done(READS["get"], s3, "UserA/b.csv")


def test_credentials_outlive_their_grant(shelf: GrantScenario) -> None:
    made = shelf.grant("UserA/*", "READ")
    s3 = vended(shelf, "READ")
    shelf.aws.control("DeleteAccessGrant", AccessGrantId=made["AccessGrantId"])

    assert done(READS["get"], s3, "UserA/a.csv")
    with pytest.raises(ClientError, match="AccessDenied"):
        shelf.ask("UserA/*", "READ")


def test_the_location_role_bounds_what_a_grant_can_give(shelf: GrantScenario) -> None:
    shelf.grant("UserA/*", "READWRITE")
    iam = shelf.aws.client("iam")
    iam.put_role_policy(
        RoleName="location", PolicyName="own",
        PolicyDocument='{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}',
    )  # fmt: skip
    s3 = vended(shelf)

    assert done(READS["get"], s3, "UserA/a.csv")
    assert not done(WRITES["put"], s3, "UserA/a.csv")


def test_the_users_own_role_reaches_nothing_by_itself(shelf: GrantScenario) -> None:
    shelf.grant("UserA/*", "READWRITE")
    own = shelf.aws.client("s3", shelf.aws.session(shelf.user))

    assert [
        name for name, call in (READS | BOTH | WRITES).items() if done(call, own, "UserA/a.csv")
    ] == []


def test_a_role_that_may_not_call_get_data_access_gets_nothing(shelf: GrantScenario) -> None:
    other = shelf.aws.role("no-rights")
    shelf.grant("UserA/*", "READ", who=other)

    with pytest.raises(ClientError, match="AccessDenied"):
        shelf.ask("UserA/*", "READ", who=other)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"SecretAccessKey": "forged"}, "SignatureDoesNotMatch"),
        ({"AccessKeyId": "ASIAFOREIGNFOREIGN00"}, "InvalidAccessKeyId"),
        ({"SessionToken": "forged"}, "InvalidToken"),
    ],
)
def test_keys_that_are_not_ours_are_refused(
    shelf: GrantScenario, changes: dict[str, str], code: str
) -> None:
    shelf.grant("UserA/*", "READ")
    keys = shelf.ask("UserA/*", "READ")["Credentials"] | changes

    with pytest.raises(ClientError) as refused:
        shelf.aws.client("s3", keys).get_object(Bucket="data", Key="UserA/a.csv")
    assert refused.value.response["Error"]["Code"] == code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"SecretAccessKey": "forged"}, "SignatureDoesNotMatch"),
        ({"AccessKeyId": "ASIAFOREIGNFOREIGN00"}, "InvalidAccessKeyId"),
    ],
)
def test_s3_control_refuses_them_too(
    shelf: GrantScenario, changes: dict[str, str], code: str
) -> None:
    client = shelf.aws.client("s3control", shelf.aws.session(shelf.user) | changes)

    with pytest.raises(ClientError) as refused:
        client.list_caller_access_grants(AccountId=shelf.aws.account)
    assert refused.value.response["Error"]["Code"] == code


def test_credentials_end_when_they_expire(
    shelf: GrantScenario, expire: Callable[[str], None]
) -> None:
    shelf.grant("UserA/*", "READ")
    keys = shelf.ask("UserA/*", "READ", DurationSeconds=900)["Credentials"]
    assert 880 < keys["Expiration"].timestamp() - time.time() <= 900
    expire(keys["AccessKeyId"])

    with pytest.raises(ClientError) as refused:
        shelf.aws.client("s3", keys).get_object(Bucket="data", Key="UserA/a.csv")
    assert refused.value.response["Error"]["Code"] == "ExpiredToken"


@pytest.mark.parametrize("kind", ["s3", "s3v4"])
def test_a_presigned_url_is_judged_and_ends_as_its_signer_says(
    shelf: GrantScenario, kind: str
) -> None:
    shelf.grant("UserA/*", "READ")
    keys = shelf.ask("UserA/*", "READ")["Credentials"]
    s3 = shelf.aws.client("s3", keys, signature_version=kind)
    short = s3.generate_presigned_url(
        "get_object", Params={"Bucket": "data", "Key": "UserA/a.csv"}, ExpiresIn=1
    )

    assert done(presigned, s3, "UserA/a.csv")
    assert not done(presigned, s3, "UserB/a.csv")
    time.sleep(2.1)
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(short)


def test_a_grant_to_a_directory_user_needs_the_right_to_see_that_user(
    laid_on_server: GrantScenario,
) -> None:
    aws = laid_on_server.aws
    who, center = aws.directory_user("bea"), aws.center
    aws.control("AssociateAccessGrantsIdentityCenter", IdentityCenterArn=center["InstanceArn"])
    maker = aws.role(
        "maker", allow=["s3:CreateAccessGrant", "sso:DescribeInstance", "sso:DescribeApplication"]
    )
    control = ControlClient(aws.client("s3control", aws.session(maker)), aws.account)
    grantee = {"GranteeType": "DIRECTORY_USER", "GranteeIdentifier": who}
    request = {
        "AccessGrantsLocationId": laid_on_server.location,
        "Grantee": grantee,
        "Permission": "READ",
    }

    with pytest.raises(ClientError, match="identitystore:DescribeUser on resource"):
        control("CreateAccessGrant", **request)
    everything = {"Effect": "Allow", "Action": "identitystore:DescribeUser", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
    aws.client("iam").put_role_policy(RoleName="maker", PolicyName="more", PolicyDocument=document)
    assert control("CreateAccessGrant", **request)["Grantee"] == grantee


@pytest.mark.parametrize("seen", [False, True])
def test_a_switch_decides_whether_readers_list_uploads(
    shelf: GrantScenario, own_server: Sandbox, seen: bool
) -> None:
    call_control(own_server, "faults", "POST", {"switches": {"readers_see_uploads": seen}})
    shelf.grant("UserA/*", "READ")
    s3 = vended(shelf, "READ")

    assert seen == done(lambda s3, _: s3.list_multipart_uploads(Bucket="data"), s3, "")


@pytest.mark.parametrize("needed", [True, False])
def test_a_switch_decides_whether_a_copy_reads_tags(
    shelf: GrantScenario, own_server: Sandbox, needed: bool
) -> None:
    call_control(own_server, "faults", "POST", {"switches": {"copy_reads_tags": needed}})
    shelf.aws.client("s3").put_object(Bucket="data", Key="tagged", Body=b"1", Tagging="a=b")
    role = shelf.aws.role("copier", allow=["s3:GetObject", "s3:PutObject", "s3:PutObjectTagging"])
    s3 = shelf.aws.client("s3", shelf.aws.session(role))

    assert needed != done(
        lambda s3, key: s3.copy_object(Bucket="data", Key=key, CopySource="data/tagged"), s3, "k"
    )


@pytest.mark.parametrize("letter", ["?", "$", "${aws:username}"])
def test_a_letter_of_a_scope_is_a_letter(shelf: GrantScenario, letter: str) -> None:
    shelf.grant(f"User{letter}/*", "READ")
    s3 = vended(shelf, "READ", f"User{letter}/*")

    shelf.aws.client("s3").put_object(Bucket="data", Key=f"User{letter}/a.csv", Body=b"1")
    assert done(READS["get"], s3, f"User{letter}/a.csv")
    assert done(READS["list"], s3, f"User{letter}/a.csv")
    assert not done(READS["get"], s3, "UserA/a.csv")
    assert not done(READS["list"], s3, "UserA/a.csv")
