"""What a template requests of a resource is done, or the resource fails.

A handler that does not read a property has ignored it. Properties that the server's services know
and its CloudFormation leaves out are set with the services' own operations.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any
from xml.sax.saxutils import escape

from sandbox.server.seams import use_seam

Properties = dict[str, Any]
Handler = Callable[..., Any]

# What the server's handlers do not read, with the reason why that does not matter. Any other
# unread property fails its resource.
WITHOUT_EFFECT: dict[str, dict[str, str]] = {
    "AWS::CDK::Metadata": {"Analytics": "CDK's own statistics of use; the type creates nothing"},
}
S3 = "ministack.services.s3"
DYNAMODB = "ministack.services.dynamodb"
IAM = "ministack.services.iam"
LAMBDA = "ministack.services.lambda_svc"
LIFECYCLE_MEMBERS = {
    "AbortIncompleteMultipartUpload",
    "ExpirationInDays",
    "Id",
    "NoncurrentVersionExpiration",
    "Prefix",
    "Status",
}
PropertySetter = Callable[
    [str, Any], Any
]  # physical id, the property's value or None → the service's answer


class WatchedProperties(dict[str, Any]):
    """Properties that remember which of them were read."""

    def __init__(self, properties: Properties) -> None:
        super().__init__(properties)
        self.read: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        self.read.add(key)
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self.read.add(key)
        return super().get(key, default)

    def __contains__(self, key: object) -> bool:
        self.read.add(str(key))
        return super().__contains__(key)

    # Reading all of them, to copy or to pass them on, counts as reading each.
    def __iter__(self) -> Iterator[str]:
        self.read.update(super().keys())
        return super().__iter__()

    def keys(self) -> Any:
        self.read.update(super().keys())
        return super().keys()

    def items(self) -> Any:
        self.read.update(super().keys())
        return super().items()


def require_reading(name: str, entry: dict[str, Any]) -> dict[str, Any]:
    """Return handlers that fail, and undo what they did, if they ignored what was requested."""
    made = {"create": _require_on_create(name, entry)} if "create" in entry else {}
    return (
        entry
        | made
        | ({"update": _require_on_update(name, entry["update"])} if "update" in entry else {})
    )


def _require_on_create(name: str, entry: dict[str, Any]) -> Handler:
    def create(logical_id: str, wanted: Properties, stack: str) -> Any:
        heeded = WatchedProperties(wanted)
        made = entry["create"](logical_id, heeded, stack)
        if left_out := _find_unread(name, wanted.keys(), heeded):
            # Types without an update are updated by a creation that finds the
            # resource; that one stays.
            if made[0] != _find_physical_id(stack, logical_id):
                entry["delete"](made[0], wanted)
            raise ValueError(left_out)
        return made

    return create


def _require_on_update(name: str, update: Handler) -> Handler:
    def updated(identifier: str, old: Properties, wanted: Properties, *others: Any) -> Any:
        heeded = WatchedProperties(wanted)
        made = update(identifier, old, heeded, *others)
        changed = {key for key in old.keys() | wanted.keys() if old.get(key) != wanted.get(key)}
        if left_out := _find_unread(name, changed, heeded):
            update(made[0], wanted, old, *others)
            raise ValueError(left_out)
        return made

    return updated


def _find_unread(name: str, asked: Any, heeded: WatchedProperties) -> str | None:
    left_out = sorted(set(asked) - heeded.read - WITHOUT_EFFECT.get(name, {}).keys())
    return (
        f"The sandbox has no {', '.join(left_out)} for {name}, and does not act as if it had."
        if left_out
        else None
    )


def _find_physical_id(stack: str, logical_id: str) -> str | None:
    """Return the physical id that the stack has for the resource before this operation."""
    known = (use_seam("ministack.services.cloudformation", "_stacks").get(stack) or {}).get(
        "_resources", {}
    )
    identifier: str | None = known.get(logical_id, {}).get("PhysicalResourceId")
    return identifier


def complete_properties(handlers: dict[str, Any]) -> None:
    """Wrap the handlers of each type in COMPLETIONS."""
    for name, properties in COMPLETIONS.items():
        handlers[name] |= _complete_type(handlers[name], properties)


def _complete_type(entry: dict[str, Any], properties: dict[str, PropertySetter]) -> dict[str, Any]:
    create, update = entry["create"], entry["update"]

    def rest(wanted: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in wanted.items() if name not in properties}

    def settle(identifier: str, old: dict[str, Any], wanted: dict[str, Any]) -> None:
        for name, put in properties.items():
            if wanted.get(name) != old.get(name):
                _check_answer(put(identifier, wanted.get(name)))

    def created(logical_id: str, wanted: dict[str, Any], stack: str) -> Any:
        made = create(logical_id, rest(wanted), stack)
        try:
            settle(made[0], {}, wanted)
        except ValueError:
            entry["delete"](made[0], wanted)
            raise
        return made

    def updated(identifier: str, old: dict[str, Any], wanted: dict[str, Any], *others: Any) -> Any:
        made = update(identifier, rest(old), rest(wanted), *others)
        # A handler that replaces the resource returns one that has none of these yet.
        settle(made[0], old if made[0] == identifier else {}, wanted)
        return made

    return {"create": created, "update": updated}


def _check_answer(answer: Any) -> None:
    status, _, body = answer
    if status >= 400:
        text = body.decode() if isinstance(body, bytes) else body
        raise ValueError(json.loads(text).get("message", text) if text.startswith("{") else text)


def _set_time_to_live(table: str, value: Any) -> Any:
    off = {"Enabled": False, "AttributeName": "none"}
    return use_seam(DYNAMODB, "_update_ttl", "data")(
        {"TableName": table, "TimeToLiveSpecification": value or off}
    )


def _set_recovery(table: str, value: Any) -> Any:
    setting = {"PointInTimeRecoverySpecification": value or {"PointInTimeRecoveryEnabled": False}}
    return use_seam(DYNAMODB, "_update_continuous_backups", "data")({"TableName": table} | setting)


def _set_encryption(bucket: str, value: Any) -> Any:
    if value is None:
        return use_seam(S3, "_delete_bucket_encryption", "name")(bucket)
    rules = "".join(map(_format_encryption_rule, value["ServerSideEncryptionConfiguration"]))
    document = f"<ServerSideEncryptionConfiguration>{rules}</ServerSideEncryptionConfiguration>"
    return use_seam(S3, "_put_bucket_encryption", "name, body")(bucket, document.encode())


def _format_encryption_rule(rule: dict[str, Any]) -> str:
    default = rule.get("ServerSideEncryptionByDefault", {})
    chosen = "".join(
        f"<{name}>{escape(str(default[name]))}</{name}>"
        for name in ("SSEAlgorithm", "KMSMasterKeyID")
        if name in default
    )
    key = (
        f"<BucketKeyEnabled>{str(rule['BucketKeyEnabled']).lower()}</BucketKeyEnabled>"
        if "BucketKeyEnabled" in rule
        else ""
    )
    return f"<Rule><ApplyServerSideEncryptionByDefault>{chosen}</ApplyServerSideEncryptionByDefault>{key}</Rule>"  # noqa: E501  -- one text


def _set_versioning(bucket: str, value: Any) -> Any:
    """Set the versioning. Once enabled, it can only be suspended."""
    status = escape((value or {"Status": "Suspended"})["Status"])
    document = f"<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>"
    return use_seam(S3, "_put_bucket_versioning", "name, body")(bucket, document.encode())


def _set_lifecycle(bucket: str, value: Any) -> Any:
    if value is None:
        return use_seam(S3, "_delete_bucket_lifecycle", "name")(bucket)
    rules = "".join(map(_format_lifecycle_rule, value["Rules"]))
    document = f"<LifecycleConfiguration>{rules}</LifecycleConfiguration>"
    return use_seam(S3, "_put_bucket_lifecycle", "name, body")(bucket, document.encode())


def _format_lifecycle_rule(rule: dict[str, Any]) -> str:
    """Return one rule as S3 writes it, with days inside the action that they belong to."""
    if unknown := sorted(rule.keys() - LIFECYCLE_MEMBERS):
        raise ValueError(
            f"The sandbox has no {', '.join(unknown)} for rules of AWS::S3::Bucket "
            "LifecycleConfiguration."
        )
    members = {"ID": rule.get("Id"), "Status": rule["Status"]}
    plain = "".join(
        f"<{name}>{escape(str(text))}</{name}>" for name, text in members.items() if text
    )
    plain += f"<Filter><Prefix>{escape(rule.get('Prefix', ''))}</Prefix></Filter>"
    days = {
        "Expiration": ("Days", rule.get("ExpirationInDays")),
        "NoncurrentVersionExpiration": (
            "NoncurrentDays",
            (rule.get("NoncurrentVersionExpiration") or {}).get("NoncurrentDays"),
        ),
        "AbortIncompleteMultipartUpload": (
            "DaysAfterInitiation",
            (rule.get("AbortIncompleteMultipartUpload") or {}).get("DaysAfterInitiation"),
        ),
    }
    inner = (
        f"<{what}><{name}>{count}</{name}></{what}>"
        for what, (name, count) in days.items()
        if count
    )
    return f"<Rule>{plain}{''.join(inner)}</Rule>"


def _set_access_control(_: str, value: Any) -> Any:
    """Accept the ACL that a bucket has anyway. New buckets of AWS have no others.

    Source: S3 User Guide, "Controlling ownership of objects": BucketOwnerEnforced is the default.
    """
    if value not in (None, "Private", "BucketOwnerFullControl"):
        raise ValueError(
            "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting"
        )
    return 200, {}, b""


def _set_bucket_tags(bucket: str, value: Any) -> Any:
    tags = "".join(
        f"<Tag><Key>{escape(tag['Key'])}</Key><Value>{escape(tag['Value'])}</Value></Tag>"
        for tag in value or ()
    )
    return use_seam(S3, "_put_bucket_tagging", "name, body")(
        bucket, f"<Tagging><TagSet>{tags}</TagSet></Tagging>".encode()
    )


def _set_concurrency(function: str, value: Any) -> Any:
    if value is None:
        return use_seam(LAMBDA, "_delete_function_concurrency", "func_name")(function)
    request = {"ReservedConcurrentExecutions": int(value)}
    return use_seam(LAMBDA, "_put_function_concurrency", "func_name, data")(function, request)


def _set_recursive_loop(function: str, value: Any) -> Any:
    """Set what happens to a recursive loop. Without the property it is Lambda's default."""
    request = {"RecursiveLoop": value or "Terminate"}
    return use_seam(LAMBDA, "_put_function_recursion_config", "func_name, data")(function, request)


def _set_boundary(role: str, value: Any) -> Any:
    if value is None:
        return use_seam(IAM, "_delete_role_permissions_boundary", "p")({"RoleName": role})
    request = {"RoleName": role, "PermissionsBoundary": value}
    return use_seam(IAM, "_put_role_permissions_boundary", "p")(request)


COMPLETIONS: dict[str, dict[str, PropertySetter]] = {
    "AWS::DynamoDB::Table": {
        "TimeToLiveSpecification": _set_time_to_live,
        "PointInTimeRecoverySpecification": _set_recovery,
    },
    "AWS::IAM::Role": {"PermissionsBoundary": _set_boundary},
    "AWS::S3::Bucket": {
        "AccessControl": _set_access_control,
        "BucketEncryption": _set_encryption,
        "LifecycleConfiguration": _set_lifecycle,
        "Tags": _set_bucket_tags,
        "VersioningConfiguration": _set_versioning,
    },
    "AWS::Lambda::Function": {
        "RecursiveLoop": _set_recursive_loop,
        "ReservedConcurrentExecutions": _set_concurrency,
    },
}
