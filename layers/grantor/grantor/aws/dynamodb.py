"""DynamoDB's typed values and plain Python ones, both ways: text, numbers, truth, bytes, nothing, mappings."""

import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from grantor.aws.clients import NotYet, Overtaken, code, passing

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


Item = Mapping[str, Any]


def typed(item: Item) -> dict[str, Any]:
    """An item as DynamoDB takes it.

    >>> typed({"pk": "lease", "token": 3, "bells": {"profile D/a": None}})
    {'pk': {'S': 'lease'}, 'token': {'N': '3'}, 'bells': {'M': {'profile D/a': {'NULL': True}}}}
    """
    return {name: _typed(value) for name, value in item.items()}


def plain(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item as DynamoDB gives it, as plain values; a number without a point is an int.

    >>> plain({"token": {"N": "3"}, "at": {"N": "1764000000.25"}, "bells": {"M": {}}})
    {'token': 3, 'at': 1764000000.25, 'bells': {}}
    """
    return {name: _plain(value) for name, value in item.items()}


def _typed(value: Any) -> dict[str, Any]:
    match value:
        case str():
            return {"S": value}
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case int() | float():
            return {"N": repr(value)}
        case bytes():
            return {"B": value}
        case Mapping():
            return {"M": typed(value)}
    raise TypeError(f"no item holds a {type(value).__name__}")


def _plain(value: Mapping[str, Any]) -> Any:
    ((kind, inner),) = value.items()
    match kind:
        case "S" | "BOOL" | "B":
            return inner
        case "NULL":
            return None
        case "N":
            return float(inner) if any(sign in inner for sign in ".eE") else int(inner)
        case "M":
            return plain(inner)
    raise TypeError(f"nothing that was written here has the type {kind}")


MOST = 90  # items of one transaction; DynamoDB takes 100, and one of them is the check of the lease
SIZE = 1_000_000  # characters of one transaction, of at most four bytes each; DynamoDB takes 4 MB
TRIES = 8  # of a transaction that another write crossed; a second and a half in all
CROSSED = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
LEASE = {"pk": "lease", "sk": "lease"}
Action = Mapping[str, Mapping[str, Any]]


class Table:
    """One table. Each of its words raises NotYet when DynamoDB can not do it now, and ClientError when it won't."""

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._client = client
        self.name = name

    def get(self, pk: str, sk: str) -> Item | None:
        """One item, or None where there is none; one call."""
        with passing():
            answer = self._client.get_item(TableName=self.name, Key=typed({"pk": pk, "sk": sk}), ConsistentRead=True)
        return plain(answer["Item"]) if "Item" in answer else None

    def query(self, pk: str, backwards: bool = False) -> Iterator[Item]:
        """The items of one partition, in the order of their sort keys; a call for each megabyte, made as it is read."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self.name,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=typed({":pk": pk}),
            ConsistentRead=True,
            ScanIndexForward=not backwards,
        )
        return _items(pages)

    def scan(self, having: Sequence[str]) -> Iterator[Item]:
        """The items that have an attribute of `having`; a call for each megabyte of the whole table."""
        pages = self._client.get_paginator("scan").paginate(
            TableName=self.name,
            FilterExpression=" OR ".join(f"attribute_exists(#{name})" for name in having),
            ExpressionAttributeNames={f"#{name}": name for name in having},
            ConsistentRead=True,
        )
        return _items(pages)

    def put(self, item: Item) -> None:
        """Write one item, whatever was there; one call."""
        with passing():
            self._client.put_item(TableName=self.name, Item=typed(item))

    def remove(self, pk: str, sk: str) -> None:
        """Delete one item, if it is there; one call."""
        with passing():
            self._client.delete_item(TableName=self.name, Key=typed({"pk": pk, "sk": sk}))

    def swap(self, item: Item, seen: int) -> Item | None:
        """Write an item if its `rev` is still `seen`, or if there is none; else change nothing, and return the one that is there.

        One call; two if a transaction crosses it. After NotYet it may have been written all the same.
        """
        try:
            with passing():
                self._client.put_item(
                    TableName=self.name,
                    Item=typed(item),
                    ConditionExpression="attribute_not_exists(rev) OR rev = :seen",
                    ExpressionAttributeValues=typed({":seen": seen}),
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except self._client.exceptions.TransactionConflictException:
            return self.get(item["pk"], item["sk"]) or {}
        except self._client.exceptions.ConditionalCheckFailedException as error:
            told: Any = error.response
            there = plain(told["Item"]) if "Item" in told else self.get(item["pk"], item["sk"])
            return there or {}
        return None

    def write(self, token: int, holder: str, actions: Iterable[Action]) -> None:
        """Do the actions, in their order, as long as the lease has this token and holder; a transaction for each 90 of them.

        Overtaken when it has others: of that transaction and the later ones nothing was written. NotYet when other writes
        keep crossing it.
        """
        check = {
            "Key": typed(LEASE),
            "ConditionExpression": "#token = :token AND holder = :holder",
            "ExpressionAttributeNames": {"#token": "token"},
            "ExpressionAttributeValues": typed({":token": token, ":holder": holder}),
        }
        for together in _together(actions):
            self._transact([{"ConditionCheck": check}, *together])

    def _transact(self, actions: Sequence[Action]) -> None:
        items: Any = [{kind: {**what, "TableName": self.name} for kind, what in action.items()} for action in actions]
        for turn in range(TRIES):
            try:
                with passing():
                    self._client.transact_write_items(TransactItems=items)
            except ClientError as error:
                _judge(error)
            else:
                return
            pause(turn)
        raise NotYet("other writes kept crossing those of the ledger")


def _items(pages: Iterable[Any]) -> Iterator[Item]:
    with passing():
        for page in pages:
            yield from map(plain, page["Items"])


def putting(item: Item) -> Action:
    """The action that writes an item, whatever was there."""
    return {"Put": {"Item": typed(item)}}


def deleting(pk: str, sk: str) -> Action:
    """The action that deletes an item, if it is there."""
    return {"Delete": {"Key": typed({"pk": pk, "sk": sk})}}


def pause(turn: int) -> None:
    """Wait a moment that grows with each turn and is never the same for two."""
    time.sleep(random.uniform(0, min(1.0, 0.01 * 2**turn)))  # noqa: S311  -- nothing secret about it


def _judge(error: ClientError) -> None:
    """Let a cancelled transaction be tried again if it was only crossed; DynamoDB tells the reasons in the order of the items."""
    reasons = [reason.get("Code") for reason in error.response.get("CancellationReasons", [])]
    if code(error) != "TransactionCanceledException" or not reasons:
        raise error
    if reasons[0] == "ConditionalCheckFailed":
        raise Overtaken("another run has taken the lease; nothing more is written by this one") from error
    if not CROSSED.intersection(reasons):
        raise error


def _together(actions: Iterable[Action]) -> Iterator[list[Action]]:
    """As many as one transaction takes, by number and by size."""
    chosen: list[Action] = []
    size = 0
    for action in actions:
        own = len(str(action))
        if chosen and (len(chosen) == MOST or size + own > SIZE):
            yield chosen
            chosen, size = [], 0
        chosen.append(action)
        size += own
    if chosen:
        yield chosen
