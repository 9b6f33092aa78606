"""The condition key dynamodb:LeadingKeys, which the server does not have: the partition keys that a call reads or writes.

Each table of a batch and each item of a transaction is judged by itself, so its keys travel with the ARN that it is judged on.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from sandbox.server.judged import tell
from sandbox.server.seams import use, wrap

ACTIONS = "ministack.core.iam_actions"
TABLES = "ministack.services.dynamodb"
EQUALS = re.compile(r"\(?\s*(#?[\w.\-]+)\s*=\s*(:\w+)\s*\)?")
_tables = use(TABLES, "_tables")
_name_of = use(TABLES, "_normalize_table_name", "value")
_keys_of = use(TABLES, "_resolve_index_keys", "table, index_name")


class Keyed(str):
    """The ARN of a table, with the partition keys that a call has for it."""

    __slots__ = ("keys",)

    keys: list[str]


def install() -> None:
    """Find the keys where the server finds the tables, and tell them to its evaluator."""
    wrap(ACTIONS, "dynamodb_resource_arns", "body, region, account_id", _with_tables_keys)
    wrap(ACTIONS, "dynamodb_transaction_checks", "iam_action, body, region, account_id", _with_items_keys)
    tell(_leading_keys)


def _with_tables_keys(original: Callable[..., list[str]]) -> Callable[..., list[str]]:
    def arns(body: bytes, region: str, account_id: str) -> list[str]:
        found = original(body, region, account_id)
        if not found:
            return found
        data = json.loads(body)
        asked = {data["TableName"]: data} if data.get("TableName") else {k: v for k, v in data["RequestItems"].items() if k}
        return [_keyed(arn, table, request) for arn, (table, request) in zip(found, asked.items(), strict=True)]

    return arns


def _with_items_keys(original: Callable[..., list[tuple[str, str]]]) -> Callable[..., list[tuple[str, str]]]:
    def checks(iam_action: str, body: bytes, region: str, account_id: str) -> list[tuple[str, str]]:
        found = original(iam_action, body, region, account_id)
        if not found:
            return found
        members = [detail for item in json.loads(body)["TransactItems"] for detail in item.values()]
        if len(members) != len(found):  # a member without a table, which the server is about to refuse
            return found
        return [(action, _keyed(arn, member["TableName"], member)) for (action, arn), member in zip(found, members, strict=True)]

    return checks


def _leading_keys(arn: str) -> dict[str, Any]:
    if not isinstance(arn, Keyed) or not arn.keys:
        return {}
    # One key may be compared by any operator, several by those for sets only.
    return {"dynamodb:LeadingKeys": arn.keys[0] if len(arn.keys) == 1 else arn.keys}


def _keyed(arn: str, table: str, request: Any) -> Keyed:
    made = Keyed(arn)
    known = _tables.get(_name_of(table))
    made.keys = sorted(set(_leading(known, request))) if known else []
    return made


def _leading(table: dict[str, Any], request: Any) -> Iterator[str]:
    """The partition keys that a request of this table names; none for a scan."""
    index = request.get("IndexName") if isinstance(request, dict) else None
    name = _keys_of(table, index)[0]
    for attributes in _attributes(request):
        yield from map(str, (attributes.get(name) or {}).values())
    if isinstance(request, dict) and (condition := request.get("KeyConditionExpression")):
        yield from _queried(name, condition, request)


def _attributes(request: Any) -> Iterator[dict[str, Any]]:
    """The items and keys of a request, or of one table's part of a batch."""
    if isinstance(request, list):
        for write in request:
            yield (write.get("PutRequest") or {}).get("Item") or (write.get("DeleteRequest") or {}).get("Key") or {}
    else:
        yield from (request[part] for part in ("Key", "Item") if part in request)
        yield from request.get("Keys") or []


def _queried(name: str, condition: str, request: dict[str, Any]) -> Iterator[str]:
    """The value that a key condition wants the attribute `name` to be equal to."""
    names, values = request.get("ExpressionAttributeNames") or {}, request.get("ExpressionAttributeValues") or {}
    for attribute, value in EQUALS.findall(condition):
        if names.get(attribute, attribute) == name:
            yield from map(str, values.get(value, {}).values())
