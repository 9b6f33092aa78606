"""GetDataAccess: which targets it accepts, how long credentials last, and what they allow."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from botocore.exceptions import ClientError

from tests.live.probe import Finding, StillOpen, match_answer, probe
from tests.live.workspace import DONE, Workspace, format_policy

YES_OR_NO = {DONE: True, "AccessDenied": False}


@probe()
def bare_bucket_is_inside(workspace: Workspace) -> Finding:
    """Is the target `s3://b` inside `s3://b/*`?"""
    who = workspace.create_person()
    workspace.create_grant("*", who)
    workspace.request_when_granted(who, "x")
    return match_answer(
        workspace.try_call(lambda: workspace.request_access(who, "")),
        YES_OR_NO,
        "GetDataAccess for s3://b under a grant for s3://b/*",
    )


@probe()
def read_and_write_combine(workspace: Workspace) -> Finding:
    """Do a READ and a WRITE grant together answer a READWRITE request?"""
    who, folder = workspace.create_person(), workspace.new_folder()
    for permission in ("READ", "WRITE"):
        workspace.create_grant(f"{folder}*", who, permission)
        workspace.request_when_granted(who, f"{folder}*", permission)
    seen = workspace.try_call(lambda: workspace.request_access(who, f"{folder}*", "READWRITE"))
    return match_answer(seen, YES_OR_NO, "READWRITE under one READ and one WRITE grant")


@probe()
def closer_grant_hides(workspace: Workspace) -> Finding:
    """Does a closer grant of too little permission hide a wider one that would do?"""
    who, folder = workspace.create_person(), workspace.new_folder()
    for scope, permission in ((f"{folder}*", "READWRITE"), (f"{folder}x/*", "READ")):
        workspace.create_grant(scope, who, permission)
        workspace.request_when_granted(who, scope, permission)
    seen = workspace.try_call(lambda: workspace.request_access(who, f"{folder}x/*", "WRITE"))
    hides = {DONE: False, "AccessDenied": True}
    return match_answer(seen, hides, "WRITE under a wider READWRITE and a closer READ grant")


@probe()
def bad_value_code(workspace: Workspace) -> Finding:
    """Which error code does a value get that the service's model forbids?"""
    who, folder = workspace.create_person(), workspace.new_folder()
    workspace.create_grant(f"{folder}*", who)
    workspace.request_when_granted(who, f"{folder}*")
    long = workspace.try_call(
        lambda: workspace.request_access(who, f"{folder}*", DurationSeconds=50_000)
    )
    many = workspace.try_call(lambda: workspace.list_grants(who, MaxResults=5_000))
    word = workspace.try_call(lambda: workspace.request_access(who, f"{folder}*", "BOGUS"))
    return Finding(
        long, f"DurationSeconds 50000: {long}; MaxResults 5000: {many}; Permission BOGUS: {word}"
    )


@probe()
def vended_seconds(workspace: Workspace) -> Finding:
    """How many seconds does a credential last if no duration was requested?"""
    who, folder = workspace.create_person(), workspace.new_folder()
    workspace.create_grant(f"{folder}*", who)
    given = workspace.request_when_granted(who, f"{folder}*")["Credentials"]
    left = (given["Expiration"] - datetime.now(UTC)).total_seconds()
    # Rounded: seconds may pass between the answer and the reading of the clock.
    seconds = round(left / 10) * 10
    return Finding(seconds, f"about {seconds} s until its Expiration")


@probe(assumed="StsValidationError")
def too_long_code(workspace: Workspace) -> Finding:
    """Which error code does a duration get that is longer than the location's role allows?"""
    who, folder = workspace.create_person(), workspace.new_folder()
    workspace.create_grant(f"{folder}*", who)
    workspace.request_when_granted(who, f"{folder}*")
    seen = workspace.try_call(
        lambda: workspace.request_access(who, f"{folder}*", DurationSeconds=43_200)
    )
    return Finding(seen, "12 hours of a role whose sessions last an hour")


@probe(assumed="404")
def missing_key_status(workspace: Workspace) -> Finding:
    """Which status does HeadObject return for a missing key, with a credential to read
    its prefix?
    """
    who, folder = workspace.create_person(), workspace.new_folder()
    workspace.create_grant(f"{folder}*", who)
    s3 = workspace.account.client(
        "s3", workspace.request_when_granted(who, f"{folder}*")["Credentials"]
    )
    try:
        s3.head_object(Bucket=workspace.bucket, Key=f"{folder}none")
    except ClientError as refused:
        status = str(refused.response["ResponseMetadata"]["HTTPStatusCode"])
        return Finding(status, f"HeadObject: {refused.response['Error']['Code']}")
    return Finding(DONE, "HeadObject of a key that nobody has put")


@probe()
def readers_see_uploads(workspace: Workspace) -> Finding:
    """May a credential to read list the unfinished uploads in its prefix?"""
    who, folder = workspace.create_person(), workspace.new_folder()
    workspace.create_grant(f"{folder}*", who)
    s3 = workspace.account.client(
        "s3", workspace.request_when_granted(who, f"{folder}*")["Credentials"]
    )
    seen = workspace.try_call(
        lambda: s3.list_multipart_uploads(Bucket=workspace.bucket, Prefix=folder)
    )
    return match_answer(seen, YES_OR_NO, "ListMultipartUploads")


@probe()
def copy_reads_tags(workspace: Workspace) -> Finding:
    """Does a copy of an object that has tags need s3:GetObjectTagging on the object?"""
    folder = workspace.new_folder()
    writing = ["s3:GetObject", "s3:PutObject", "s3:PutObjectTagging"]
    objects = f"arn:{workspace.account.partition}:s3:::{workspace.bucket}/{folder}*"
    who = workspace.create_person({"Action": writing, "Resource": objects})
    s3 = workspace.account.client("s3", who.keys)
    source = {"Bucket": workspace.bucket, "Key": f"{folder}tagged"}
    put = workspace.try_when_spread(lambda: s3.put_object(**source, Body=b"x", Tagging="a=b"))
    if put != DONE:
        raise StillOpen(f"PutObject with tags: {put}")
    seen = workspace.try_call(
        lambda: s3.copy_object(Bucket=workspace.bucket, Key=f"{folder}copy", CopySource=source)
    )
    return match_answer(
        seen, {DONE: False, "AccessDenied": True}, "CopyObject with s3:PutObjectTagging alone"
    )


@probe(assumed=True)
def credentials_outlive_their_grant(workspace: Workspace) -> Finding:
    """Does a credential still work after its grant is deleted?"""
    who, folder = workspace.create_person(), workspace.new_folder()
    workspace.account.client("s3").put_object(Bucket=workspace.bucket, Key=f"{folder}x", Body=b"x")
    grant = workspace.create_grant(f"{folder}*", who)
    s3 = workspace.account.client(
        "s3", workspace.request_when_granted(who, f"{folder}*")["Credentials"]
    )
    s3.get_object(Bucket=workspace.bucket, Key=f"{folder}x")
    workspace.delete_grant(grant)
    seen = workspace.try_call(lambda: s3.get_object(Bucket=workspace.bucket, Key=f"{folder}x"))
    return match_answer(seen, YES_OR_NO, "GetObject right after DeleteAccessGrant")


@probe(assumed=True)
def token_issue_time_ends_sessions(workspace: Workspace) -> Finding:
    """Does a deny by aws:TokenIssueTime on the location's role end a credential that was vended
    before?
    """
    who, folder = workspace.create_person(), workspace.new_folder()
    workspace.account.client("s3").put_object(Bucket=workspace.bucket, Key=f"{folder}x", Body=b"x")
    workspace.create_grant(f"{folder}*", who)
    s3 = workspace.account.client(
        "s3", workspace.request_when_granted(who, f"{folder}*")["Credentials"]
    )
    s3.get_object(Bucket=workspace.bucket, Key=f"{folder}x")
    with _ended_sessions(workspace):
        begun = time.monotonic()
        while True:
            seen = workspace.try_call(
                lambda: s3.get_object(Bucket=workspace.bucket, Key=f"{folder}x")
            )
            passed = time.monotonic() - begun
            if seen != DONE or passed >= workspace.doubt:
                break
            time.sleep(0.5)
    known = {DONE: False, "AccessDenied": True}
    return match_answer(seen, known, f"GetObject {round(passed)} s after PutRolePolicy")


@contextmanager
def _ended_sessions(workspace: Workspace) -> Iterator[None]:
    """Deny everything to sessions of the location's role that were issued before now."""
    iam = workspace.account.client("iam")
    listed = workspace.call_control("list_access_grants_locations")["AccessGrantsLocationsList"]
    (role,) = (
        one["IAMRoleArn"] for one in listed if one["AccessGrantsLocationId"] == workspace.location
    )
    place = {"RoleName": role.rpartition("/")[2], "PolicyName": "ended"}
    before = f"{datetime.now(UTC) + timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}"
    deny = {
        "Effect": "Deny",
        "Action": "*",
        "Resource": "*",
        "Condition": {"DateLessThan": {"aws:TokenIssueTime": before}},
    }
    workspace.cleanup.add("iam", "delete_role_policy", **place)
    iam.put_role_policy(**place, PolicyDocument=format_policy(deny))
    yield
    iam.delete_role_policy(**place)


ADMITTED = {
    f"{DONE} {DONE}": "binds nothing",
    f"AccessDenied {DONE}": "binds",
    "AccessDenied AccessDenied": "refuses everything",
}


@probe(assumed="binds")
def bucket_knows_what_is_vended(workspace: Workspace) -> Finding:
    """Does the condition key s3:AccessGrantsInstanceArn in a bucket policy tell vended calls from
    others?
    """
    s3, folder = workspace.account.client("s3"), workspace.new_folder()
    asked = {"Bucket": workspace.bucket, "Key": f"{folder}x"}
    s3.put_object(**asked, Body=b"x")
    who = workspace.create_person()
    workspace.create_grant(f"{folder}*", who)
    vended = workspace.account.client(
        "s3", workspace.request_when_granted(who, f"{folder}*")["Credentials"]
    )
    instance = workspace.call_control("get_access_grants_instance")["AccessGrantsInstanceArn"]
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{workspace.bucket}/{folder}*",
        "Condition": {"ArnNotEquals": {"s3:AccessGrantsInstanceArn": instance}},
    }
    s3.put_bucket_policy(Bucket=workspace.bucket, Policy=format_policy(deny))
    try:
        begun = time.monotonic()
        while True:
            own = workspace.try_call(lambda: s3.get_object(**asked))
            if own != DONE or time.monotonic() - begun >= workspace.doubt:
                break
            time.sleep(0.5)
        theirs = workspace.try_call(lambda: vended.get_object(**asked))
    finally:
        s3.delete_bucket_policy(Bucket=workspace.bucket)
    seen = f"{own} {theirs}".replace("403", "AccessDenied")  # an answer without a body has no code
    return match_answer(seen, ADMITTED, "GetObject of the owner and of a grantee")
