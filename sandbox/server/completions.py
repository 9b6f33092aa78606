"""Properties that the server's services know and its CloudFormation leaves out, set through the services' own operations."""

import json
from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape

from sandbox.server.seams import use

S3 = "ministack.services.s3"
DYNAMODB = "ministack.services.dynamodb"
LAMBDA = "ministack.services.lambda_svc"
LIFECYCLE = {"AbortIncompleteMultipartUpload", "ExpirationInDays", "Id", "NoncurrentVersionExpiration", "Prefix", "Status"}
Set = Callable[[str, Any], Any]  # physical id, the property's value or None → the service's answer


def complete(handlers: dict[str, Any]) -> None:
    """Wrap the handlers of each type in COMPLETIONS."""
    for name, properties in COMPLETIONS.items():
        handlers[name] |= _completed(handlers[name], properties)


def _completed(entry: dict[str, Any], properties: dict[str, Set]) -> dict[str, Any]:
    create, update = entry["create"], entry["update"]

    def rest(wanted: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in wanted.items() if name not in properties}

    def settle(identifier: str, old: dict[str, Any], wanted: dict[str, Any]) -> None:
        for name, put in properties.items():
            if wanted.get(name) != old.get(name):
                _checked(put(identifier, wanted.get(name)))

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
        # A handler that makes the resource anew has made one that has none of these yet.
        settle(made[0], old if made[0] == identifier else {}, wanted)
        return made

    return {"create": created, "update": updated}


def _checked(answer: Any) -> None:
    status, _, body = answer
    if status >= 400:
        text = body.decode() if isinstance(body, bytes) else body
        raise ValueError(json.loads(text).get("message", text) if text.startswith("{") else text)


def _time_to_live(table: str, value: Any) -> Any:
    off = {"Enabled": False, "AttributeName": "none"}
    return use(DYNAMODB, "_update_ttl", "data")({"TableName": table, "TimeToLiveSpecification": value or off})


def _recovery(table: str, value: Any) -> Any:
    setting = {"PointInTimeRecoverySpecification": value or {"PointInTimeRecoveryEnabled": False}}
    return use(DYNAMODB, "_update_continuous_backups", "data")({"TableName": table} | setting)


def _encryption(bucket: str, value: Any) -> Any:
    if value is None:
        return use(S3, "_delete_bucket_encryption", "name")(bucket)
    rules = "".join(map(_encryption_rule, value["ServerSideEncryptionConfiguration"]))
    document = f"<ServerSideEncryptionConfiguration>{rules}</ServerSideEncryptionConfiguration>"
    return use(S3, "_put_bucket_encryption", "name, body")(bucket, document.encode())


def _encryption_rule(rule: dict[str, Any]) -> str:
    default = rule.get("ServerSideEncryptionByDefault", {})
    chosen = "".join(
        f"<{name}>{escape(str(default[name]))}</{name}>" for name in ("SSEAlgorithm", "KMSMasterKeyID") if name in default
    )
    key = f"<BucketKeyEnabled>{str(rule['BucketKeyEnabled']).lower()}</BucketKeyEnabled>" if "BucketKeyEnabled" in rule else ""
    return f"<Rule><ApplyServerSideEncryptionByDefault>{chosen}</ApplyServerSideEncryptionByDefault>{key}</Rule>"


def _versioning(bucket: str, value: Any) -> Any:
    """Versions that were once kept can only be suspended."""
    status = escape((value or {"Status": "Suspended"})["Status"])
    document = f"<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>"
    return use(S3, "_put_bucket_versioning", "name, body")(bucket, document.encode())


def _lifecycle(bucket: str, value: Any) -> Any:
    if value is None:
        return use(S3, "_delete_bucket_lifecycle", "name")(bucket)
    rules = "".join(map(_lifecycle_rule, value["Rules"]))
    document = f"<LifecycleConfiguration>{rules}</LifecycleConfiguration>"
    return use(S3, "_put_bucket_lifecycle", "name, body")(bucket, document.encode())


def _lifecycle_rule(rule: dict[str, Any]) -> str:
    """One rule as S3 writes it, which puts days inside of what they are days of."""
    if unknown := sorted(rule.keys() - LIFECYCLE):
        raise ValueError(f"The sandbox has no {', '.join(unknown)} for rules of AWS::S3::Bucket LifecycleConfiguration.")
    told = {"ID": rule.get("Id"), "Status": rule["Status"]}
    plain = "".join(f"<{name}>{escape(str(text))}</{name}>" for name, text in told.items() if text)
    plain += f"<Filter><Prefix>{escape(rule.get('Prefix', ''))}</Prefix></Filter>"
    days = {
        "Expiration": ("Days", rule.get("ExpirationInDays")),
        "NoncurrentVersionExpiration": ("NoncurrentDays", (rule.get("NoncurrentVersionExpiration") or {}).get("NoncurrentDays")),
        "AbortIncompleteMultipartUpload": (
            "DaysAfterInitiation",
            (rule.get("AbortIncompleteMultipartUpload") or {}).get("DaysAfterInitiation"),
        ),
    }
    inner = (f"<{what}><{name}>{count}</{name}></{what}>" for what, (name, count) in days.items() if count)
    return f"<Rule>{plain}{''.join(inner)}</Rule>"


def _bucket_tags(bucket: str, value: Any) -> Any:
    tags = "".join(f"<Tag><Key>{escape(tag['Key'])}</Key><Value>{escape(tag['Value'])}</Value></Tag>" for tag in value or ())
    return use(S3, "_put_bucket_tagging", "name, body")(bucket, f"<Tagging><TagSet>{tags}</TagSet></Tagging>".encode())


def _concurrency(function: str, value: Any) -> Any:
    if value is None:
        return use(LAMBDA, "_delete_function_concurrency", "func_name")(function)
    request = {"ReservedConcurrentExecutions": int(value)}
    return use(LAMBDA, "_put_function_concurrency", "func_name, data")(function, request)


COMPLETIONS: dict[str, dict[str, Set]] = {
    "AWS::DynamoDB::Table": {"TimeToLiveSpecification": _time_to_live, "PointInTimeRecoverySpecification": _recovery},
    "AWS::S3::Bucket": {
        "BucketEncryption": _encryption,
        "LifecycleConfiguration": _lifecycle,
        "Tags": _bucket_tags,
        "VersioningConfiguration": _versioning,
    },
    "AWS::Lambda::Function": {"ReservedConcurrentExecutions": _concurrency},
}
