"""A bucket goes with all that is in it: versions, delete markers, unfinished uploads."""

from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import ClientError

from grantor.aws.errors import PASSING, NotYet, code

GoOn = Callable[[str], None]


def end(s3: Any, bucket: str, go_on: GoOn) -> int:
    """Empty the bucket and delete it; how many versions and markers there were. One that is gone already is success.

    It is deleted at once, since what somebody puts in it a moment later would keep it. A call for each page of 1,000 and one for the
    next; `go_on` is asked between pages. NotYet when somebody was faster.
    """
    try:
        count = _empty(s3, bucket, go_on)
        s3.delete_bucket(Bucket=bucket)
    except ClientError as error:
        if code(error) == "BucketNotEmpty":
            raise NotYet(f"somebody is still writing to s3://{bucket}") from error
        if code(error) != "NoSuchBucket":
            raise
        return 0
    return count


def _empty(s3: Any, bucket: str, go_on: GoOn) -> int:
    count = 0
    for listed in _pages(s3, bucket):
        go_on(f"s3://{bucket} is still being emptied")
        _delete(s3, bucket, listed)
        count += len(listed)
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
        for upload in page.get("Uploads", []):
            s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    return count


def _pages(s3: Any, bucket: str) -> Iterator[list[dict[str, str]]]:
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        listed = page.get("Versions", []) + page.get("DeleteMarkers", [])
        if listed:
            yield [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in listed]


def _delete(s3: Any, bucket: str, named: list[dict[str, str]]) -> None:
    errors = s3.delete_objects(Bucket=bucket, Delete={"Objects": named, "Quiet": True}).get("Errors", [])
    if errors:
        why = f"s3://{bucket}/{errors[0]['Key']} could not be deleted: {errors[0]['Code']}"
        raise NotYet(why) if errors[0]["Code"] in PASSING else RuntimeError(why)
