"""Custom resource: when the stack goes, takes away our grants and empties our buckets, so that nothing is left behind.

The doorbells depend on it in the template, so they are silent by then; location, instance and buckets go after it.
"""

from typing import Any

import boto3

from grantor.custom_resource import answer
from grantor.world import world


def handler(event: dict[str, Any], context: Any) -> None:
    """Only Delete does anything; repeating it after a failure goes on where it stopped."""
    answer(event, context, lambda: clean_up(event["ResourceProperties"]) if event["RequestType"] == "Delete" else {})


def clean_up(properties: dict[str, Any]) -> dict[str, str]:
    """Delete every grant that carries our tag, then every version of every object in `Buckets`."""
    grants = world().grants
    ours = sorted(grants.ours(sorted(grants.grants())))
    for grant in ours:
        grants.delete(grant)
    return {"Grants": str(len(ours)), "Objects": str(sum(map(empty, properties["Buckets"])))}


def empty(bucket: str) -> int:
    """Delete every version, delete marker and unfinished upload; how many versions and markers there were."""
    s3: Any = boto3.client("s3")
    count = 0
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        listed = page.get("Versions", []) + page.get("DeleteMarkers", [])
        named = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in listed]
        if named and (errors := s3.delete_objects(Bucket=bucket, Delete={"Objects": named, "Quiet": True}).get("Errors")):
            raise RuntimeError(f"s3://{bucket}/{errors[0]['Key']} could not be deleted: {errors[0]['Code']}")
        count += len(named)
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
        for upload in page.get("Uploads", []):
            s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    return count
