"""Condition keys that the server does not pass to its evaluator.

dynamodb:LeadingKeys holds the partition keys that a call reads or writes. Each table of a batch and
each item of a transaction is judged by itself, so its keys travel with the ARN that it is judged
on. aws:ResourceTag is for EC2 and EFS, ec2:Vpc for security groups. s3:if-match and
s3:if-none-match are the headers of a conditional write (AWS, "Enforce conditional writes on Amazon
S3 buckets"). aws:SecureTransport is true for every call: plain HTTP that never leaves the machine
counts as encrypted.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from sandbox.server.account import request_scope
from sandbox.server.enforcement import ACTIONS, AuthorizedRequest, FindResource, wrap_resource
from sandbox.server.judgements import add_condition_keys
from sandbox.server.seams import use_seam, wrap_seam

TABLES = "ministack.services.dynamodb"
EQUALITY = re.compile(r"\(?\s*(#?[\w.\-]+)\s*=\s*(:\w+)\s*\)?")
_tables = use_seam(TABLES, "_tables")
_mount_targets = use_seam("ministack.services.efs", "_mount_targets")
_name_of = use_seam(TABLES, "_normalize_table_name", "value")
_keys_of = use_seam(TABLES, "_resolve_index_keys", "table, index_name")
TAGGING = "ministack.services.tagging"
Tagged = tuple[str, list[dict[str, str]]]


class KeyedArn(str):
    """The ARN of a table, with the partition keys that a call has for it."""

    __slots__ = ("keys",)

    keys: list[str]


def _install_leading_keys() -> None:
    """Find the keys where the server finds the tables, and pass them to its evaluator."""
    wrap_seam(ACTIONS, "dynamodb_resource_arns", "body, region, account_id", _add_table_keys)
    wrap_seam(
        ACTIONS,
        "dynamodb_transaction_checks",
        "iam_action, body, region, account_id",
        _add_item_keys,
    )
    add_condition_keys(_tell_leading_keys)


def _add_table_keys(original: Callable[..., list[str]]) -> Callable[..., list[str]]:
    def arns(body: bytes, region: str, account_id: str) -> list[str]:
        found = original(body, region, account_id)
        if not found:
            return found
        data = json.loads(body)
        asked = (
            {data["TableName"]: data}
            if data.get("TableName")
            else {k: v for k, v in data["RequestItems"].items() if k}
        )
        return [
            _add_keys(arn, table, request)
            for arn, (table, request) in zip(found, asked.items(), strict=True)
        ]

    return arns


def _add_item_keys(
    original: Callable[..., list[tuple[str, str]]],
) -> Callable[..., list[tuple[str, str]]]:
    def checks(iam_action: str, body: bytes, region: str, account_id: str) -> list[tuple[str, str]]:
        found = original(iam_action, body, region, account_id)
        if not found:
            return found
        members = [detail for item in json.loads(body)["TransactItems"] for detail in item.values()]
        if len(members) != len(
            found
        ):  # a member without a table, which the server is about to refuse
            return found
        return [
            (action, _add_keys(arn, member["TableName"], member))
            for (action, arn), member in zip(found, members, strict=True)
        ]

    return checks


def _tell_leading_keys(arn: str) -> dict[str, Any]:
    if not isinstance(arn, KeyedArn) or not arn.keys:
        return {}
    # One key may be compared by any operator, several only by those for sets.
    return {"dynamodb:LeadingKeys": arn.keys[0] if len(arn.keys) == 1 else arn.keys}


def _add_keys(arn: str, table: str, request: Any) -> KeyedArn:
    made = KeyedArn(arn)
    known = _tables.get(_name_of(table))
    made.keys = sorted(set(_find_keys(known, request))) if known else []
    return made


def _find_keys(table: dict[str, Any], request: Any) -> Iterator[str]:
    """Yield the partition keys that a request of this table names; none for a scan."""
    index = request.get("IndexName") if isinstance(request, dict) else None
    name = _keys_of(table, index)[0]
    for attributes in _list_attributes(request):
        yield from map(str, (attributes.get(name) or {}).values())
    if isinstance(request, dict) and (condition := request.get("KeyConditionExpression")):
        yield from _find_queried_keys(name, condition, request)


def _list_attributes(request: Any) -> Iterator[dict[str, Any]]:
    """Yield the items and keys of a request, or of one table's part of a batch."""
    if isinstance(request, list):
        for write in request:
            yield (
                (write.get("PutRequest") or {}).get("Item")
                or (write.get("DeleteRequest") or {}).get("Key")
                or {}
            )
    else:
        yield from (request[part] for part in ("Key", "Item") if part in request)
        yield from request.get("Keys") or []


def _find_queried_keys(name: str, condition: str, request: dict[str, Any]) -> Iterator[str]:
    """Yield the value that a key condition requires of the attribute `name`."""
    names, values = (
        request.get("ExpressionAttributeNames") or {},
        request.get("ExpressionAttributeValues") or {},
    )
    for attribute, value in EQUALITY.findall(condition):
        if names.get(attribute, attribute) == name:
            yield from map(str, values.get(value, {}).values())


def _install_resource_tags() -> None:
    """Add tags and VPC, and judge a mount target by its file system, as AWS does."""
    collectors = use_seam(TAGGING, "_RESOURCE_TAG_COLLECTORS")
    collectors["elasticfilesystem"] = use_seam(TAGGING, "_collect_efs", "")
    collectors["ec2"] = _list_security_groups
    wrap_resource(_judge_by_file_system)
    add_condition_keys(_tell_network)


def _list_security_groups() -> Iterator[Tagged]:
    account, region = request_scope()
    tags = use_seam("ministack.services.ec2", "_tags")
    for name in use_seam("ministack.services.ec2", "_security_groups"):
        yield f"arn:aws:ec2:{region}:{account}:security-group/{name}", tags.get(name, [])


def _judge_by_file_system(request: AuthorizedRequest, find: FindResource) -> str:
    _, found, target = request.path.partition("/mount-targets/")
    if request.service != "elasticfilesystem" or not found or target not in _mount_targets:
        return find(request)
    where = f"arn:aws:elasticfilesystem:{request.region}:{request.account_id}"
    return f"{where}:file-system/{_mount_targets[target]['FileSystemId']}"


def _tell_network(arn: str) -> dict[str, str]:
    groups = use_seam("ministack.services.ec2", "_security_groups")
    rest, _, group = str(arn).partition(":security-group/")
    return {"ec2:Vpc": f"{rest}:vpc/{groups[group]['VpcId']}"} if group in groups else {}


def _install_conditional_writes() -> None:
    """Pass the conditions of a write to the evaluator."""
    parameters = "iam_action, query_params, path='', headers=None"
    wrap_seam(ACTIONS, "s3_service_context", parameters, _add_conditions)


def _add_conditions(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    def context(
        iam_action: str, query_params: Any, path: str = "", headers: Any = None
    ) -> dict[str, Any]:
        known = original(iam_action, query_params, path, headers)
        if iam_action != "s3:PutObject":
            return known
        sent = {name.lower(): value for name, value in (headers or {}).items()}
        names = (name for name in ("if-match", "if-none-match") if sent.get(name))
        return known | {f"s3:{name}": sent[name] for name in names}

    return context


def _install_transport() -> None:
    """Mark every request as encrypted where the server passes its origin to the evaluator."""
    wrap_seam(
        "ministack.app", "pin_request_origin", "source_ip, secure_transport", _count_as_encrypted
    )


def _count_as_encrypted(original: Callable[[str, bool], None]) -> Callable[[str, bool], None]:
    def pin(source_ip: str, _: bool) -> None:
        original(source_ip, True)

    return pin


def install() -> None:
    """Give the evaluator every condition key of this module."""
    _install_leading_keys()
    _install_resource_tags()
    _install_conditional_writes()
    _install_transport()
