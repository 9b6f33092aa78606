"""Custom resource: puts the data set into each folder of the data bucket. What was loaded belongs to its folders from then on."""

from pathlib import Path
from typing import Any

import boto3

from grantor.teardown.custom_resource import answer

SAMPLE = Path(__file__).with_name("abalone_sample.csv")


def handler(event: dict[str, Any], context: Any) -> None:
    """Create and Update load; Delete leaves the data to whoever empties the bucket."""
    answer(event, context, lambda: load(event["ResourceProperties"]) if event["RequestType"] != "Delete" else {})


def load(properties: dict[str, Any]) -> dict[str, str]:
    """Put abalone.csv, from `Dataset` (s3://bucket/key) or else the small synthetic file, into each of `Folders` of `Bucket`."""
    s3 = boto3.client("s3")
    body = _read(s3, properties["Dataset"]) if properties.get("Dataset") else SAMPLE.read_bytes()
    for folder in properties["Folders"]:
        s3.put_object(Bucket=properties["Bucket"], Key=f"{folder}/abalone.csv", Body=body, ContentType="text/csv")
    return {"Bytes": str(len(body))}


def _read(s3: Any, dataset: str) -> bytes:
    bucket, _, key = dataset.removeprefix("s3://").partition("/")
    return bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
