"""DynamoDB: one table with the keys pk and sk, conditional writes and transactions.

An index follows its table late. Pages hold as many items as the world says, so writes of others can
come between two of them.
"""

from collections.abc import Callable, Iterable, Mapping
from types import SimpleNamespace
from typing import Any

from simulation.choices import Choices
from simulation.doubles.conditions import UnknownExpression, holds
from simulation.doubles.gate import (
    ConditionalCheckFailed,
    Request,
    ServiceClient,
    ServiceError,
    TransactionConflict,
)
from simulation.scheduler import Scheduler

Item = Mapping[str, Any]
Key = tuple[str, str]
MAX_TRANSACTION_ITEMS = 100
INDEX_LAG_SECONDS = (0.0, 0.0, 0.0, 1.0)


class TableClient(ServiceClient):
    """A client of DynamoDB."""

    service = "dynamodb"
    exceptions = SimpleNamespace(
        ConditionalCheckFailedException=ConditionalCheckFailed,
        TransactionConflictException=TransactionConflict,
    )


def _key(found: Item) -> Key:
    return found["pk"]["S"], found["sk"]["S"]


class Table:
    """The items of one table, and what was written when, for its indexes."""

    paginators = {  # noqa: RUF012  -- never changed
        "query": ("ExclusiveStartKey", "LastEvaluatedKey"),
        "scan": ("ExclusiveStartKey", "LastEvaluatedKey"),
    }

    def __init__(self, scheduler: Scheduler, choices: Choices, page_items: int = 1000) -> None:
        self._scheduler, self._choices = scheduler, choices
        self.page_items = page_items
        self.items: dict[Key, Item] = {}
        self._log: list[tuple[float, Key, Item | None]] = []  # of items that an index has or had
        self.on_accept: Callable[[str, str], None] = lambda *_: None  # a file, and its version

    def get_item(self, request: Request) -> Any:
        return self._answer_item(request["Key"])

    def transact_get_items(self, request: Request) -> Any:
        gets = [one["Get"]["Key"] for one in request["TransactItems"]]
        return {"Responses": [self._answer_item(key) for key in gets]}

    def put_item(self, request: Request) -> Any:
        key = _key(request["Item"])
        if not self._holds(request, key):
            more = {}
            if request.get("ReturnValuesOnConditionCheckFailure") and key in self.items:
                more = {"Item": self.items[key]}
            raise ServiceError(
                "ConditionalCheckFailedException", 400, "The conditional request failed", **more
            )
        self._write(key, request["Item"])
        return {}

    def delete_item(self, request: Request) -> Any:
        key = _key(request["Key"])
        if not self._holds(request, key):
            raise ServiceError(
                "ConditionalCheckFailedException", 400, "The conditional request failed"
            )
        self._write(key, None)
        return {}

    def transact_write_items(self, request: Request) -> Any:
        actions = [next(iter(one.items())) for one in request["TransactItems"]]
        keys = [_key(what.get("Key") or what["Item"]) for _, what in actions]
        if len(set(keys)) < len(keys) or len(keys) > MAX_TRANSACTION_ITEMS:
            why = "Transaction request cannot include multiple operations on one item"
            raise ServiceError("ValidationException", 400, why)
        failed = [not self._holds(what, key) for (_, what), key in zip(actions, keys, strict=True)]
        if any(failed):
            reasons = [{"Code": "ConditionalCheckFailed" if one else "None"} for one in failed]
            raise ServiceError(
                "TransactionCanceledException",
                400,
                "Transaction cancelled",
                CancellationReasons=reasons,
            )
        for (kind, what), key in zip(actions, keys, strict=True):
            if kind != "ConditionCheck":
                self._write(key, what["Item"] if kind == "Put" else None)
        return {}

    def query(self, request: Request) -> Any:
        if "IndexName" in request:
            return {"Items": self._query_index(request)}
        if request["KeyConditionExpression"] not in ("pk = :pk", "#pk = :pk"):
            return self._query_range(request)
        pk = request["ExpressionAttributeValues"][":pk"]["S"]
        keys = sorted(key for key in self.items if key[0] == pk)
        return self._answer_page(request, keys)

    def _query_range(self, request: Request) -> Any:
        """A query whose condition is also about the sort key."""
        condition = request["KeyConditionExpression"]
        if " BETWEEN " in condition:
            raise UnknownExpression(condition)
        names, values = _names(request), request.get("ExpressionAttributeValues", {})
        found = [key for key, item in self.items.items() if holds(condition, item, names, values)]
        return self._answer_page(request, sorted(found))

    def scan(self, request: Request) -> Any:
        return self._answer_page(request, sorted(self.items))

    def _answer_page(self, request: Request, keys: list[Key]) -> Any:
        if not request.get("ScanIndexForward", True):
            keys.reverse()
        if start := request.get("ExclusiveStartKey"):
            last, backwards = _key(start), not request.get("ScanIndexForward", True)
            keys = [key for key in keys if (key < last if backwards else key > last)]
        page = keys[: self.page_items]
        condition = request.get("FilterExpression")
        names, values = _names(request), request.get("ExpressionAttributeValues", {})
        items = [self.items[key] for key in page]
        if condition:
            items = [item for item in items if holds(condition, item, names, values)]
        more = {"LastEvaluatedKey": _encode_key(page[-1])} if len(keys) > len(page) else {}
        return {"Items": items, **more}

    def _query_index(self, request: Request) -> list[Item]:
        then = self._scheduler.now - self._choices.pick(INDEX_LAG_SECONDS)
        seen = {key: item for at, key, item in self._log if at <= then}
        names, values = _names(request), request["ExpressionAttributeValues"]
        condition = request["KeyConditionExpression"]
        return [
            _encode_key(key)
            for key, item in sorted(seen.items())
            if item and holds(condition, item, names, values)
        ]

    def _answer_item(self, key: Item) -> Any:
        found = self.items.get(_key(key))
        return {"Item": found} if found is not None else {}

    def _holds(self, what: Request, key: Key) -> bool:
        condition = what.get("ConditionExpression")
        if not condition:
            return True
        names, values = _names(what), what.get("ExpressionAttributeValues", {})
        return holds(condition, self.items.get(key, {}), names, values)

    def _write(self, key: Key, item: Item | None) -> None:
        if item is None:
            self.items.pop(key, None)
        else:
            self.items[key] = item
        if key[0] == "policy":
            self.on_accept(key[1], item["version"]["S"] if item and "version" in item else "")
        if key[0].startswith("approval "):
            self._log.append((self._scheduler.now, key, item))


def _names(request: Request) -> Item:
    names: Item = request.get("ExpressionAttributeNames") or {}
    return names


def _encode_key(key: Key) -> dict[str, Any]:
    return {"pk": {"S": key[0]}, "sk": {"S": key[1]}}


def list_strings(items: Iterable[Item], name: str) -> list[str]:
    """The texts of an attribute, of the items that have it."""
    return [item[name]["S"] for item in items if name in item]
