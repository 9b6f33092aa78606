"""An API call as CloudTrail tells it on the event bus, if a trail logs it; and the bus itself, for events of AWS's own services."""

import json
import uuid
from datetime import UTC, datetime
from typing import Any

from sandbox.server import trails
from sandbox.server.account import place
from sandbox.server.seams import use

Outcome = dict[str, Any]  # the answer, or the error's code and message


def trail(service: str, operation: str, who: dict[str, Any], request: dict[str, Any], outcome: Outcome) -> None:
    """Tell one call that changes something, of a service like sagemaker; without a trail that logs it, nobody is told.

    `outcome` has responseElements, errorCode, errorMessage. The members of requests and answers begin with a small letter in CloudTrail.
    """
    if not trails.hears(service):
        return
    account, region = place()
    detail = {
        "eventVersion": "1.11",
        "userIdentity": who,
        "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": f"{service}.amazonaws.com",
        "eventName": operation,
        "awsRegion": region,
        "sourceIPAddress": "127.0.0.1",
        "requestParameters": _small(request),
        "requestID": str(uuid.uuid4()),
        "eventID": str(uuid.uuid4()),
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": account,
        "eventCategory": "Management",
    }
    publish(f"aws.{service}", "AWS API Call via CloudTrail", detail | {"responseElements": None} | _small(outcome))


def identity(arn: str, role: str) -> dict[str, Any]:
    """CloudTrail's userIdentity of a principal; `role` is the role's own ARN where the principal is a session of one."""
    account, name = arn.split(":")[4], arn.rpartition("/")[2]
    if arn.endswith(":root"):
        return {"type": "Root", "arn": arn, "accountId": account}
    if ":user/" in arn:
        return {"type": "IAMUser", "arn": arn, "accountId": account, "userName": name}
    issuer = {"type": "Role", "arn": role, "accountId": account, "userName": role.rpartition("/")[2]}
    return {"type": "AssumedRole", "arn": arn, "accountId": account, "sessionContext": {"sessionIssuer": issuer}}


def publish(source: str, detail_type: str, detail: dict[str, Any], *resources: str) -> None:
    """Put an event of an AWS service, about these resources, onto the default bus."""
    put = use("ministack.services.eventbridge", "_put_events", "data, allow_aws_source=False")
    entry = {"Source": source, "DetailType": detail_type, "Detail": json.dumps(detail), "Resources": list(resources)}
    put({"Entries": [entry]}, allow_aws_source=True)


def _small(value: Any) -> Any:
    if isinstance(value, dict):
        return {key[:1].lower() + key[1:]: _small(item) for key, item in value.items()}
    return [_small(item) for item in value] if isinstance(value, list) else value
