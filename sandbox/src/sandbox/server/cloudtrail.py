"""CloudTrail's trails, and the events of API calls and of AWS's own services on the event bus.

Without a trail that logs, EventBridge receives no event of an API call. A trail's bucket must be
one that CloudTrail may write to, as AWS requires when a trail is created. No log file is written.
CloudFormation's type AWS::CloudTrail::Trail is here because the server lacks it.
"""

import json
import uuid
from collections.abc import Callable, Iterator
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
CALL_DETAIL_TYPE = "AWS API Call via CloudTrail"
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
    source = f"{service}.amazonaws.com"
    return any(_selects_source(selector, source) for selector in _list_selectors())


def is_object_logged(arn: str) -> bool:
    """Return whether a trail sends EventBridge the writes of this object of S3."""
    return any(_selects_object(selector, arn) for selector in _list_selectors())


def _list_selectors() -> Iterator[dict[str, Any]]:
    """Yield every selector of the trails that log."""
    account, _ = request_scope()
    visible = use_seam(TRAILS, "_visible_trail_items", "*, include_shadow_trails=True")(
        include_shadow_trails=True
    )
    every, default = (
        use_seam(TRAILS, "_event_selectors"),
        use_seam(TRAILS, "_DEFAULT_EVENT_SELECTORS"),
    )
    for home, name, trail in visible:
        if trail["IsLogging"]:
            yield from every.get_scoped(account, home, name, default)


def _selects_object(selector: dict[str, Any], arn: str) -> bool:
    """Return whether a basic or advanced selector has write data events of this object."""
    if "FieldSelectors" not in selector:
        prefixes = [
            prefix
            for resource in selector.get("DataResources", ())
            if resource["Type"] == "AWS::S3::Object"
            for prefix in resource["Values"]
        ]
        writes = selector["ReadWriteType"] in ("All", "WriteOnly")
        return writes and arn.startswith(tuple(prefixes))
    values = {
        "eventCategory": "Data",
        "resources.type": "AWS::S3::Object",
        "resources.ARN": arn,
        "readOnly": "false",
    }
    return all(
        _matches_field(field, values[field["Field"]]) if field["Field"] in values else False
        for field in selector["FieldSelectors"]
    )


def _matches_field(field: dict[str, Any], value: str) -> bool:
    """Return whether a field selector has this value: one of each list, and none of each Not."""
    tests: dict[str, Callable[[str], bool]] = {
        "Equals": value.__eq__,
        "StartsWith": value.startswith,
        "EndsWith": value.endswith,
    }
    return all(
        any(map(test, field[name])) if name in field else True for name, test in tests.items()
    ) and not any(any(map(test, field.get(f"Not{name}", ()))) for name, test in tests.items())


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
    detail = _describe_call(service, operation, who) | {
        "requestParameters": _lower_members(request),
        "managementEvent": True,
        "eventCategory": "Management",
    }
    publish_event(
        f"aws.{service}",
        CALL_DETAIL_TYPE,
        detail | {"responseElements": None} | _lower_members(outcome),
    )


def record_object_call(operation: str, key: str, path: str, version: str) -> None:
    """Publish the data event of one write of an object, by the holder of this access key, if a
    trail logs it. `path` is /BUCKET/KEY; `version` is what the answer's header says.

    Its members are those of AWS's sample of PutObject (S3 User Guide, "Amazon S3 CloudTrail log
    file entries"). A call for several objects has no key. That responseElements name the version is
    how accounts see it today; no page promises it.
    """
    bucket, _, name = path.removeprefix("/").partition("/")
    arn = f"arn:aws:s3:::{bucket}/{name}"
    if not is_object_logged(arn):
        return
    account, _ = request_scope()
    asked = {"bucketName": bucket, "Host": f"{bucket}.s3.amazonaws.com"}
    resources = [
        {"type": "AWS::S3::Object", "ARN": arn},
        {"accountId": account, "type": "AWS::S3::Bucket", "ARN": f"arn:aws:s3:::{bucket}"},
    ]
    answered = {"x-amz-version-id": version} if version and operation != "DeleteObject" else None
    detail = _describe_call("s3", operation, find_identity(key)) | {
        "requestParameters": asked | ({"key": name} if name else {}),
        "responseElements": answered,
        "resources": resources,
        "managementEvent": False,
        "eventCategory": "Data",
    }
    publish_event("aws.s3", CALL_DETAIL_TYPE, detail)


def _describe_call(service: str, operation: str, who: dict[str, Any]) -> dict[str, Any]:
    """Return what the events of all calls have in common."""
    account, region = request_scope()
    return {
        "eventVersion": "1.11",
        "userIdentity": who,
        "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": f"{service}.amazonaws.com",
        "eventName": operation,
        "awsRegion": region,
        "sourceIPAddress": "127.0.0.1",
        "requestID": str(uuid.uuid4()),
        "eventID": str(uuid.uuid4()),
        "readOnly": False,
        "eventType": "AwsApiCall",
        "recipientAccountId": account,
    }


def find_identity(key: str) -> dict[str, Any]:
    """Return CloudTrail's userIdentity of the holder of an access key, with the principal's id."""
    account, _ = request_scope()
    resolve = use_seam(
        "ministack.core.iam_evaluator",
        "resolve_principal",
        "access_key_id, account_id, credential=None",
    )
    found = resolve(key, account)
    if not hasattr(found, "keys"):  # nobody whom the account knows
        return {"type": "AWSAccount", "principalId": "", "accountId": "anonymous"}
    role = ""
    if ":assumed-role/" in found.arn:
        record = use_seam("ministack.services.iam", "_roles").get(found.arn.split("/")[1])
        role = str(record["Arn"]) if record else ""
    identity = describe_identity(found.arn, role)
    return identity | {"principalId": found.keys.get("aws:userid") or found.account}


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
