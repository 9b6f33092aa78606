"""CloudTrail's trails, and the events of API calls and of AWS's own services on the event bus.

Without a trail that logs, EventBridge receives no event of an API call. A trail's bucket must be
one that CloudTrail may write to, as AWS requires when a trail is created. No log file is written.
CloudFormation's type AWS::CloudTrail::Trail is here because the server lacks it.
"""

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sandbox.server.account import allows_service, request_scope
from sandbox.server.seams import use_seam, wrap_seam

TRAILS = "ministack.services.cloudtrail"
S3 = "ministack.services.s3"
TRAIL_PRINCIPAL = "cloudtrail.amazonaws.com"
Properties = dict[str, Any]
Made = tuple[str, dict[str, Any]]  # physical id, attributes

PLAIN_PROPERTIES = (
    "S3BucketName",
    "S3KeyPrefix",
    "IncludeGlobalServiceEvents",
    "IsMultiRegionTrail",
    "EnableLogFileValidation",
)
SELECTOR_PROPERTIES = ("EventSelectors", "AdvancedEventSelectors")
CallOutcome = dict[str, Any]  # the answer, or the error's code and message


def install() -> None:
    """Check a trail's bucket before the operations that name one."""
    dispatch = use_seam(TRAILS, "_DISPATCH")
    for name in ("_create_trail", "_update_trail"):
        wrap_seam(TRAILS, name, "body", _check_trail_bucket)
        dispatch["".join(word.capitalize() for word in name.split("_"))] = use_seam(
            TRAILS, name, "body"
        )


def is_logged(service: str) -> bool:
    """Return whether a trail sends EventBridge the changes to a service such as sagemaker."""
    account, _ = request_scope()
    visible = use_seam(TRAILS, "_visible_trail_items", "*, include_shadow_trails=True")(
        include_shadow_trails=True
    )
    every, default = (
        use_seam(TRAILS, "_event_selectors"),
        use_seam(TRAILS, "_DEFAULT_EVENT_SELECTORS"),
    )
    return any(
        any(
            _selects_source(selector, f"{service}.amazonaws.com")
            for selector in every.get_scoped(account, home, name, default)
        )
        for home, name, trail in visible
        if trail["IsLogging"]
    )


def _selects_source(selector: dict[str, Any], source: str) -> bool:
    """Return whether a basic or advanced selector has write management events of this source."""
    if "FieldSelectors" in selector:
        fields = {field["Field"]: field for field in selector["FieldSelectors"]}
        management = "Management" in fields.get("eventCategory", {}).get("Equals", [])
        writes = "false" in fields.get("readOnly", {}).get("Equals", ["false"])
        return (
            management
            and writes
            and source not in fields.get("eventSource", {}).get("NotEquals", [])
        )
    writes = selector["ReadWriteType"] in ("All", "WriteOnly")
    return (
        selector["IncludeManagementEvents"]
        and writes
        and source not in selector["ExcludeManagementEventSources"]
    )


def _check_trail_bucket(original: Callable[[Properties], Any]) -> Callable[[Properties], Any]:
    refuse = use_seam(TRAILS, "_err", "code, msg, status=400")

    def ask(body: Properties) -> Any:
        bucket = body.get("S3BucketName")
        if bucket and bucket not in use_seam(S3, "_buckets"):
            return refuse("S3BucketDoesNotExistException", f"S3 bucket {bucket} does not exist!")
        if bucket and not _may_write_trail(bucket, body.get("S3KeyPrefix"), body["Name"]):
            why = f"Incorrect S3 bucket policy is detected for bucket: {bucket}"
            return refuse("InsufficientS3BucketPolicyException", why)
        return original(body)

    return ask


def _may_write_trail(bucket: str, prefix: str | None, trail: str) -> bool:
    """Return whether the bucket's policy lets CloudTrail read its ACL and write the trail."""
    account, region = request_scope()
    policy = use_seam(S3, "_bucket_policies").get(bucket)
    arn, source = (
        f"arn:aws:s3:::{bucket}",
        f"arn:aws:cloudtrail:{region}:{account}:trail/{trail.rpartition('/')[2]}",
    )
    keys = {"aws:SourceArn": source}
    files = "/".join(filter(None, (arn, prefix, "AWSLogs", account, "file.json.gz")))
    return allows_service(policy, TRAIL_PRINCIPAL, "s3:GetBucketAcl", arn, keys) and allows_service(
        policy,
        TRAIL_PRINCIPAL,
        "s3:PutObject",
        files,
        keys | {"s3:x-amz-acl": "bucket-owner-full-control"},
    )


def create_trail(logical_id: str, wanted: Properties, stack: str) -> Made:
    name = wanted.get("TrailName") or f"{stack}-{logical_id}-{uuid.uuid4().hex[:12].upper()}"
    _call_cloudtrail("_create_trail", {"Name": name} | _plain_properties(wanted))
    try:
        _apply_settings(name, wanted)
    except ValueError:
        delete_trail(name, wanted)
        raise
    return _describe_trail(name)


def update_trail(name: str, _: Properties, wanted: Properties, __: str) -> Made:
    _call_cloudtrail("_update_trail", {"Name": name} | _plain_properties(wanted))
    _apply_settings(name, wanted)
    return _describe_trail(name)


def delete_trail(name: str, _: Properties) -> None:
    """Delete a trail, if it still exists."""
    if name in use_seam(TRAILS, "_trails"):
        _call_cloudtrail("_delete_trail", {"Name": name})


def _plain_properties(wanted: Properties) -> Properties:
    # One by one: reading all of them would count as using all of them.
    return {key: wanted[key] for key in PLAIN_PROPERTIES if key in wanted}


def _apply_settings(name: str, wanted: Properties) -> None:
    """Apply what CreateTrail does not accept: selectors, tags, and whether it logs."""
    chosen = {key: wanted[key] for key in SELECTOR_PROPERTIES if wanted.get(key)}
    if chosen:
        _call_cloudtrail("_put_event_selectors", {"TrailName": name} | chosen)
    if wanted.get("Tags"):
        _call_cloudtrail(
            "_add_tags", {"ResourceId": _describe_trail(name)[1]["Arn"], "TagsList": wanted["Tags"]}
        )
    logging = str(wanted["IsLogging"]).lower() == "true"
    _call_cloudtrail("_start_logging" if logging else "_stop_logging", {"Name": name})


def _describe_trail(name: str) -> Made:
    return name, {"Arn": use_seam(TRAILS, "_trails")[name]["TrailARN"]}


def _call_cloudtrail(operation: str, request: Properties) -> None:
    """Call one operation of CloudTrail. Raises ValueError, with the code, if it is refused."""
    status, _, body = use_seam(TRAILS, operation, "body")(request)
    if status >= 400:
        error = json.loads(body)
        raise ValueError(
            f"{error['message']} (Service: CloudTrail, Status Code: {status}, Error Code: "
            f"{error['__type']})"
        )


def record_api_call(
    service: str, operation: str, who: dict[str, Any], request: dict[str, Any], outcome: CallOutcome
) -> None:
    """Publish the event of one call that changes something, if a trail logs it.

    `outcome` has responseElements, errorCode, errorMessage. Members of requests and answers
    begin with a lower-case letter in CloudTrail.
    """
    if not is_logged(service):
        return
    account, region = request_scope()
    detail = {
        "eventVersion": "1.11",
        "userIdentity": who,
        "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": f"{service}.amazonaws.com",
        "eventName": operation,
        "awsRegion": region,
        "sourceIPAddress": "127.0.0.1",
        "requestParameters": _lower_members(request),
        "requestID": str(uuid.uuid4()),
        "eventID": str(uuid.uuid4()),
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": account,
        "eventCategory": "Management",
    }
    publish_event(
        f"aws.{service}",
        "AWS API Call via CloudTrail",
        detail | {"responseElements": None} | _lower_members(outcome),
    )


def describe_identity(arn: str, role: str) -> dict[str, Any]:
    """Return CloudTrail's userIdentity of a principal.

    `role` is the role's own ARN where the principal is a session of one.
    """
    account, name = arn.split(":")[4], arn.rpartition("/")[2]
    if arn.endswith(":root"):
        return {"type": "Root", "arn": arn, "accountId": account}
    if ":user/" in arn:
        return {"type": "IAMUser", "arn": arn, "accountId": account, "userName": name}
    issuer = {
        "type": "Role",
        "arn": role,
        "accountId": account,
        "userName": role.rpartition("/")[2],
    }
    return {
        "type": "AssumedRole",
        "arn": arn,
        "accountId": account,
        "sessionContext": {"sessionIssuer": issuer},
    }


def publish_event(source: str, detail_type: str, detail: dict[str, Any], *resources: str) -> None:
    """Put an event of an AWS service, about these resources, on the default bus."""
    put = use_seam("ministack.services.eventbridge", "_put_events", "data, allow_aws_source=False")
    entry = {
        "Source": source,
        "DetailType": detail_type,
        "Detail": json.dumps(detail),
        "Resources": list(resources),
    }
    put({"Entries": [entry]}, allow_aws_source=True)


def _lower_members(value: Any) -> Any:
    if isinstance(value, dict):
        return {key[:1].lower() + key[1:]: _lower_members(item) for key, item in value.items()}
    return [_lower_members(item) for item in value] if isinstance(value, list) else value
