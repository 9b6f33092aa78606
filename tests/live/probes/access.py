"""What GetDataAccess gives: for which target, how long, and what can be done with it."""

from datetime import UTC, datetime

from botocore.exceptions import ClientError

from tests.live.ground import DONE, Ground
from tests.live.probe import Finding, either, probe

YES_OR_NO = {DONE: True, "AccessDenied": False}


@probe()
def bare_bucket_is_inside(here: Ground) -> Finding:
    """Is the target `s3://b` inside `s3://b/*`?"""
    who = here.person()
    here.grant("*", who)
    here.vended(who, "x")
    return either(here.tried(lambda: here.ask(who, "")), YES_OR_NO, "GetDataAccess for s3://b under a grant for s3://b/*")


@probe()
def read_and_write_combine(here: Ground) -> Finding:
    """Do a READ and a WRITE grant together answer a READWRITE request?"""
    who, folder = here.person(), here.folder()
    for permission in ("READ", "WRITE"):
        here.grant(f"{folder}*", who, permission)
        here.vended(who, f"{folder}*", permission)
    seen = here.tried(lambda: here.ask(who, f"{folder}*", "READWRITE"))
    return either(seen, YES_OR_NO, "READWRITE under one READ and one WRITE grant")


@probe()
def bad_value_code(here: Ground) -> Finding:
    """Which code refuses a value that the service's model forbids?"""
    who, folder = here.person(), here.folder()
    here.grant(f"{folder}*", who)
    here.vended(who, f"{folder}*")
    long = here.tried(lambda: here.ask(who, f"{folder}*", DurationSeconds=50_000))
    many = here.tried(lambda: here.listed(who, MaxResults=5_000))
    word = here.tried(lambda: here.ask(who, f"{folder}*", "BOGUS"))
    return Finding(long, f"DurationSeconds 50000: {long}; MaxResults 5000: {many}; Permission BOGUS: {word}")


@probe()
def vended_seconds(here: Ground) -> Finding:
    """How long does a credential last for which no duration was asked, in seconds?"""
    who, folder = here.person(), here.folder()
    here.grant(f"{folder}*", who)
    given = here.vended(who, f"{folder}*")["Credentials"]
    left = (given["Expiration"] - datetime.now(UTC)).total_seconds()
    return Finding(round(left / 10) * 10, f"{left:.0f} s until its Expiration")


@probe(assumed="StsValidationError")
def too_long_code(here: Ground) -> Finding:
    """Which code refuses a duration that is longer than the location's role allows?"""
    who, folder = here.person(), here.folder()
    here.grant(f"{folder}*", who)
    here.vended(who, f"{folder}*")
    seen = here.tried(lambda: here.ask(who, f"{folder}*", DurationSeconds=43_200))
    return Finding(seen, "12 hours of a role whose sessions last an hour")


@probe(assumed="404")
def missing_key_status(here: Ground) -> Finding:
    """What does HeadObject answer for a key that is not there, with a credential to read its prefix?"""
    who, folder = here.person(), here.folder()
    here.grant(f"{folder}*", who)
    s3 = here.account.client("s3", here.vended(who, f"{folder}*")["Credentials"])
    try:
        s3.head_object(Bucket=here.bucket, Key=f"{folder}none")
    except ClientError as refused:
        status = str(refused.response["ResponseMetadata"]["HTTPStatusCode"])
        return Finding(status, f"HeadObject: {refused.response['Error']['Code']}")
    return Finding(DONE, "HeadObject of a key that nobody has put")


@probe(assumed=False)
def readers_see_uploads(here: Ground) -> Finding:
    """May a credential to read list the uploads under way in its prefix?"""
    who, folder = here.person(), here.folder()
    here.grant(f"{folder}*", who)
    s3 = here.account.client("s3", here.vended(who, f"{folder}*")["Credentials"])
    seen = here.tried(lambda: s3.list_multipart_uploads(Bucket=here.bucket, Prefix=folder))
    return either(seen, YES_OR_NO, "ListMultipartUploads")


@probe(assumed=True)
def credentials_outlive_their_grant(here: Ground) -> Finding:
    """Does a credential go on working after its grant is deleted?"""
    who, folder = here.person(), here.folder()
    here.account.client("s3").put_object(Bucket=here.bucket, Key=f"{folder}x", Body=b"x")
    grant = here.grant(f"{folder}*", who)
    s3 = here.account.client("s3", here.vended(who, f"{folder}*")["Credentials"])
    s3.get_object(Bucket=here.bucket, Key=f"{folder}x")
    here.revoke(grant)
    seen = here.tried(lambda: s3.get_object(Bucket=here.bucket, Key=f"{folder}x"))
    return either(seen, YES_OR_NO, "GetObject right after DeleteAccessGrant")
