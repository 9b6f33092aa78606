"""Custom resource: puts the data set into each folder of the data bucket.

From then on the data belongs to the owners of the folders: this resource does not delete it.
"""

from pathlib import Path
from typing import Any

import boto3

from grantor.teardown.custom_resource import run_and_respond

SAMPLE = Path(__file__).with_name("abalone_sample.csv")


def handler(event: dict[str, Any], context: Any) -> None:
    """Load on Create and Update; Delete leaves the data to the function that empties the bucket."""
    properties = event["ResourceProperties"]
    deletes = event["RequestType"] == "Delete"
    run_and_respond(event, context, lambda: {} if deletes else load_dataset(properties))


def load_dataset(properties: dict[str, Any]) -> dict[str, str]:
    """Put abalone.csv into each of `Folders` of `Bucket`.

    Its content is `Dataset` (s3://bucket/key), or the small synthetic file if that is empty.
    """
    s3 = boto3.client("s3")
    dataset = properties.get("Dataset")
    body = _read_dataset(s3, dataset) if dataset else SAMPLE.read_bytes()
    for folder in properties["Folders"]:
        key = f"{folder}/abalone.csv"
        s3.put_object(Bucket=properties["Bucket"], Key=key, Body=body, ContentType="text/csv")
    return {"Bytes": str(len(body))}


def _read_dataset(s3: Any, dataset: str) -> bytes:
    bucket, _, key = dataset.removeprefix("s3://").partition("/")
    return bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
