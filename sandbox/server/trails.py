"""CloudTrail's trails: without one that logs, EventBridge hears of no API call; and the type of CloudFormation, which the server lacks.

A bucket must be one that CloudTrail may write to, as AWS asks when a trail is made. No log file is written.
"""

import json
import uuid
from collections.abc import Callable
from typing import Any

from sandbox.server.account import allows_service, place
from sandbox.server.seams import use, wrap

TRAILS = "ministack.services.cloudtrail"
S3 = "ministack.services.s3"
SERVICE = "cloudtrail.amazonaws.com"
Properties = dict[str, Any]
Made = tuple[str, dict[str, Any]]  # physical id, attributes

PLAIN = ("S3BucketName", "S3KeyPrefix", "IncludeGlobalServiceEvents", "IsMultiRegionTrail", "EnableLogFileValidation")
SELECTORS = ("EventSelectors", "AdvancedEventSelectors")


def install() -> None:
    """Stand before the operations that name a trail's bucket."""
    dispatch = use(TRAILS, "_DISPATCH")
    for name in ("_create_trail", "_update_trail"):
        wrap(TRAILS, name, "body", _writable)
        dispatch["".join(word.capitalize() for word in name.split("_"))] = use(TRAILS, name, "body")


def hears(service: str) -> bool:
    """Whether a trail that logs tells EventBridge of the changes that are asked of a service like sagemaker."""
    account, _ = place()
    visible = use(TRAILS, "_visible_trail_items", "*, include_shadow_trails=True")(include_shadow_trails=True)
    every, default = use(TRAILS, "_event_selectors"), use(TRAILS, "_DEFAULT_EVENT_SELECTORS")
    return any(
        any(_selects(selector, f"{service}.amazonaws.com") for selector in every.get_scoped(account, home, name, default))
        for home, name, trail in visible
        if trail["IsLogging"]
    )


def _selects(selector: dict[str, Any], source: str) -> bool:
    """Whether a basic or an advanced selector takes management events that change something at this source."""
    if "FieldSelectors" in selector:
        fields = {field["Field"]: field for field in selector["FieldSelectors"]}
        management = "Management" in fields.get("eventCategory", {}).get("Equals", [])
        writes = "false" in fields.get("readOnly", {}).get("Equals", ["false"])
        return management and writes and source not in fields.get("eventSource", {}).get("NotEquals", [])
    writes = selector["ReadWriteType"] in ("All", "WriteOnly")
    return selector["IncludeManagementEvents"] and writes and source not in selector["ExcludeManagementEventSources"]


def _writable(original: Callable[[Properties], Any]) -> Callable[[Properties], Any]:
    refuse = use(TRAILS, "_err", "code, msg, status=400")

    def ask(body: Properties) -> Any:
        bucket = body.get("S3BucketName")
        if bucket and bucket not in use(S3, "_buckets"):
            return refuse("S3BucketDoesNotExistException", f"S3 bucket {bucket} does not exist!")
        if bucket and not _may_write(bucket, body.get("S3KeyPrefix"), body["Name"]):
            why = f"Incorrect S3 bucket policy is detected for bucket: {bucket}"
            return refuse("InsufficientS3BucketPolicyException", why)
        return original(body)

    return ask


def _may_write(bucket: str, prefix: str | None, trail: str) -> bool:
    """Whether the bucket's policy lets CloudTrail look at the bucket and write this trail's files into it."""
    account, region = place()
    policy = use(S3, "_bucket_policies").get(bucket)
    arn, source = f"arn:aws:s3:::{bucket}", f"arn:aws:cloudtrail:{region}:{account}:trail/{trail.rpartition('/')[2]}"
    keys = {"aws:SourceArn": source}
    files = "/".join(filter(None, (arn, prefix, "AWSLogs", account, "file.json.gz")))
    return allows_service(policy, SERVICE, "s3:GetBucketAcl", arn, keys) and allows_service(
        policy, SERVICE, "s3:PutObject", files, keys | {"s3:x-amz-acl": "bucket-owner-full-control"}
    )


def create(logical_id: str, wanted: Properties, stack: str) -> Made:
    name = wanted.get("TrailName") or f"{stack}-{logical_id}-{uuid.uuid4().hex[:12].upper()}"
    _asked("_create_trail", {"Name": name} | _plain(wanted))
    try:
        _settle(name, wanted)
    except ValueError:
        delete(name, wanted)
        raise
    return _made(name)


def update(name: str, _: Properties, wanted: Properties, __: str) -> Made:
    _asked("_update_trail", {"Name": name} | _plain(wanted))
    _settle(name, wanted)
    return _made(name)


def delete(name: str, _: Properties) -> None:
    """Delete a trail; one that is gone already is gone."""
    if name in use(TRAILS, "_trails"):
        _asked("_delete_trail", {"Name": name})


def _plain(wanted: Properties) -> Properties:
    # One by one: whoever looks at all of them has heeded all of them.
    return {key: wanted[key] for key in PLAIN if key in wanted}


def _settle(name: str, wanted: Properties) -> None:
    """What CreateTrail does not take: what is selected, tags, and whether it logs."""
    chosen = {key: wanted[key] for key in SELECTORS if wanted.get(key)}
    if chosen:
        _asked("_put_event_selectors", {"TrailName": name} | chosen)
    if wanted.get("Tags"):
        _asked("_add_tags", {"ResourceId": _made(name)[1]["Arn"], "TagsList": wanted["Tags"]})
    logging = str(wanted["IsLogging"]).lower() == "true"
    _asked("_start_logging" if logging else "_stop_logging", {"Name": name})


def _made(name: str) -> Made:
    return name, {"Arn": use(TRAILS, "_trails")[name]["TrailARN"]}


def _asked(operation: str, request: Properties) -> None:
    """One operation of CloudTrail's; ValueError, with its code, if it is refused."""
    status, _, body = use(TRAILS, operation, "body")(request)
    if status >= 400:
        told = json.loads(body)
        raise ValueError(f"{told['message']} (Service: CloudTrail, Status Code: {status}, Error Code: {told['__type']})")
