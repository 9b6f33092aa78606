"""Custom resource: when the stack goes, takes away our grants and empties our buckets, so that nothing is left behind.

The doorbells depend on it in the template, so they are silent by then; location, instance and buckets go after it.
"""

from typing import Any

import boto3

from grantor.certainty import certain
from grantor.custom_resource import answer
from grantor.world import World, world


def handler(event: dict[str, Any], context: Any) -> None:
    """Only Delete does anything; repeating it after a failure goes on where it stopped."""
    answer(event, context, lambda: clean_up(event["ResourceProperties"]) if event["RequestType"] == "Delete" else {})


def clean_up(properties: dict[str, Any]) -> dict[str, str]:
    """Delete every grant that is ours, then every version of every object in `Buckets`."""
    return {"Grants": str(revoke(world())), "Objects": str(sum(map(empty, properties["Buckets"])))}


def revoke(here: World) -> int:
    """Delete every grant that the ledger knows, or may know, if its tag says so, too; how many there were."""
    entries = {entry.grant: entry for entry in here.ledger.entries()}
    actual, asked = certain(here.grants, entries, (), here.grants.list())
    ours = [actual[grant] for grant, entry in entries.items() if actual.get(grant) == entry.id or grant in asked]
    for grant_id in ours:
        here.grants.take_away(grant_id)
    return len(ours)


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
