"""One DynamoDB table: items as plain Python values, and transactions under a lease.

boto3.dynamodb.types is not used: it refuses float, returns numbers as Decimal and bytes as Binary,
so the code to convert both ways would be as long as this, and decoding, which a full run does for
each item of the ledger, would take twice the time.
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from grantor.aws.clients import LeaseLost, RetryableError, error_code, retryable
from grantor.core.triggers import compute_delay
from grantor.settings import (
    RETRY_FIRST_SECONDS,
    RETRY_MAX_SECONDS,
    TRANSACTION_ATTEMPTS,
    TRANSACTION_CHARACTERS,
    TRANSACTION_ITEMS,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


Item = Mapping[str, Any]
Action = Mapping[str, Mapping[str, Any]]

LEASE_KEY = {"pk": "lease", "sk": "lease"}
# Reasons for which DynamoDB cancels a transaction that can succeed when it is sent again.
CONFLICT_REASONS = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}


def encode_item(item: Item) -> dict[str, Any]:
    """Convert an item of str, int, float, bool, bytes, None and mappings to DynamoDB's values.

    >>> encode_item({"pk": "lease", "token": 3, "pending": {"profile D/a": None}})
    {'pk': {'S': 'lease'}, 'token': {'N': '3'}, 'pending': {'M': {'profile D/a': {'NULL': True}}}}
    """
    return {name: _encode_value(value) for name, value in item.items()}


def decode_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """Convert an item of DynamoDB to plain values; a number without a point becomes an int.

    >>> decode_item({"token": {"N": "3"}, "at": {"N": "1764000000.25"}, "pending": {"M": {}}})
    {'token': 3, 'at': 1764000000.25, 'pending': {}}
    """
    return {name: _decode_value(value) for name, value in item.items()}


def _encode_value(value: Any) -> dict[str, Any]:
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
            return {"M": encode_item(value)}
    raise TypeError(f"an item cannot hold a {type(value).__name__}")


def _decode_value(value: Mapping[str, Any]) -> Any:
    ((kind, inner),) = value.items()
    match kind:
        case "S" | "BOOL" | "B":
            return inner
        case "NULL":
            return None
        case "N":
            return float(inner) if any(sign in inner for sign in ".eE") else int(inner)
        case "M":
            return decode_item(inner)
    raise TypeError(f"Grantor writes no values of the type {kind}")


class DynamoDBTable:
    """One table with the keys pk and sk."""

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._client = client
        self.name = name

    def get_item(self, pk: str, sk: str) -> Item | None:
        """Read one item; None if there is none. Costs one call."""
        key = encode_item({"pk": pk, "sk": sk})
        with retryable():
            answer = self._client.get_item(TableName=self.name, Key=key, ConsistentRead=True)
        return decode_item(answer["Item"]) if "Item" in answer else None

    def get_items(self, *keys: tuple[str, str]) -> list[Item | None]:
        """Read some items as they are at one moment; None for each that does not exist.

        Costs one call. Raises RetryableError if writes keep conflicting.
        """
        gets = [{"Get": {"Key": encode_item({"pk": pk, "sk": sk})}} for pk, sk in keys]
        answer = self._send_transaction(self._client.transact_get_items, gets)
        return [
            decode_item(one["Item"]) if one.get("Item") else None for one in answer["Responses"]
        ]

    def query_partition(self, pk: str, backwards: bool = False) -> Iterator[Item]:
        """Iterate over a partition by sort key. Costs a call per megabyte, made as it is read."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self.name,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=encode_item({":pk": pk}),
            ConsistentRead=True,
            ScanIndexForward=not backwards,
        )
        return _decode_pages(pages)

    def query_index(self, index: str, name: str, value: str) -> Iterator[tuple[str, str]]:
        """Iterate over the keys of items with this value of the index's key, the attribute `name`.

        Costs a call per megabyte. An index follows its table within a second, at times later.
        """
        pages = self._client.get_paginator("query").paginate(
            TableName=self.name,
            IndexName=index,
            KeyConditionExpression="#name = :value",
            ExpressionAttributeNames={"#name": name},
            ExpressionAttributeValues=encode_item({":value": value}),
            ProjectionExpression="pk, sk",
        )
        return ((item["pk"], item["sk"]) for item in _decode_pages(pages))

    def scan_items(self, having: Sequence[str]) -> Iterator[Item]:
        """Scan for items with any attribute of `having`: a call per megabyte of the whole table."""
        pages = self._client.get_paginator("scan").paginate(
            TableName=self.name,
            FilterExpression=" OR ".join(f"attribute_exists(#{name})" for name in having),
            ExpressionAttributeNames={f"#{name}": name for name in having},
            ConsistentRead=True,
        )
        return _decode_pages(pages)

    def put_item(self, item: Item) -> None:
        """Write one item, whatever is there. Costs one call."""
        with retryable():
            self._client.put_item(TableName=self.name, Item=encode_item(item))

    def add_item(self, item: Item) -> None:
        """Write one item if there is none. Costs one call. Raises ClientError with the code
        ConditionalCheckFailedException if there is.
        """
        with retryable():
            self._client.put_item(
                TableName=self.name,
                Item=encode_item(item),
                ConditionExpression="attribute_not_exists(pk)",
            )

    def delete_item(self, pk: str, sk: str) -> None:
        """Delete one item if it exists. Costs one call."""
        with retryable():
            self._client.delete_item(TableName=self.name, Key=encode_item({"pk": pk, "sk": sk}))

    def replace_item(self, item: Item, seen: int) -> Item | None:
        """Write an item if its `rev` is still `seen` or if there is none.

        Else change nothing and return the existing one. Costs one call, two if it conflicts with a
        transaction. After a RetryableError the item may have been written.
        """
        exceptions = self._client.exceptions
        try:
            with retryable():
                self._client.put_item(
                    TableName=self.name,
                    Item=encode_item(item),
                    ConditionExpression="attribute_not_exists(rev) OR rev = :seen",
                    ExpressionAttributeValues=encode_item({":seen": seen}),
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except exceptions.TransactionConflictException:
            return self.get_item(item["pk"], item["sk"]) or {}
        except exceptions.ConditionalCheckFailedException as error:
            answer: Any = error.response
            if "Item" in answer:
                return decode_item(answer["Item"])
            return self.get_item(item["pk"], item["sk"]) or {}
        return None

    def write_under_lease(self, token: int, holder: str, actions: Iterable[Action]) -> None:
        """Execute the actions in order, as long as the lease has this token and holder.

        Costs a transaction per 90 actions. Raises LeaseLost if the lease has another holder: then
        nothing of that transaction and the later ones is written. Raises RetryableError if other
        writes keep conflicting.
        """
        check = {
            "Key": encode_item(LEASE_KEY),
            "ConditionExpression": "#token = :token AND holder = :holder",
            "ExpressionAttributeNames": {"#token": "token"},
            "ExpressionAttributeValues": encode_item({":token": token, ":holder": holder}),
        }
        write = self._client.transact_write_items
        for batch in _batch_actions(actions):
            self._send_transaction(write, [{"ConditionCheck": check}, *batch])

    def _send_transaction(self, send: Callable[..., Any], actions: Sequence[Action]) -> Any:
        """The answer to a transaction of these actions."""
        items = [
            {kind: {**what, "TableName": self.name} for kind, what in action.items()}
            for action in actions
        ]
        for attempt in range(TRANSACTION_ATTEMPTS):
            try:
                with retryable():
                    return send(TransactItems=items)
            except ClientError as error:
                _raise_unless_conflict(error)
            sleep_before_retry(attempt)
        raise RetryableError("other writes keep conflicting with those of the ledger")


def put_action(item: Item) -> Action:
    """The action that writes an item, whatever is there."""
    return {"Put": {"Item": encode_item(item)}}


def delete_action(pk: str, sk: str) -> Action:
    """The action that deletes an item if it exists."""
    return {"Delete": {"Key": encode_item({"pk": pk, "sk": sk})}}


def merge_actions(actions: Iterable[Action]) -> list[Action]:
    """The last action on each item, in the place of the first: a transaction has one for each.

    >>> merge_actions([put_action({"pk": "a", "sk": "1", "n": 1}), delete_action("a", "1")])
    [{'Delete': {'Key': {'pk': {'S': 'a'}, 'sk': {'S': '1'}}}}]
    """
    return list({_find_key(action): action for action in actions}.values())


def _find_key(action: Action) -> tuple[str, str]:
    ((what, details),) = action.items()
    key = details["Item" if what == "Put" else "Key"]
    return key["pk"]["S"], key["sk"]["S"]


def sleep_before_retry(attempt: int) -> None:
    """Sleep for a random time that grows with the attempt, counted from 0; at most a second."""
    longest = compute_delay(attempt + 1, RETRY_FIRST_SECONDS, RETRY_MAX_SECONDS)
    time.sleep(random.uniform(0, longest))  # noqa: S311  -- not for secrets


def _decode_pages(pages: Iterable[Any]) -> Iterator[Item]:
    with retryable():
        for page in pages:
            yield from map(decode_item, page["Items"])


def _raise_unless_conflict(error: ClientError) -> None:
    """Return if the cancelled transaction may be sent again; reasons are in the items' order."""
    reasons = [reason.get("Code") for reason in error.response.get("CancellationReasons", [])]
    if error_code(error) != "TransactionCanceledException" or not reasons:
        raise error
    if reasons[0] == "ConditionalCheckFailed":
        raise LeaseLost("another run has taken the lease; this run writes nothing more") from error
    if not CONFLICT_REASONS.intersection(reasons):
        raise error


def _batch_actions(actions: Iterable[Action]) -> Iterator[list[Action]]:
    """Split the actions into batches that one transaction takes, by number and by size."""
    batch: list[Action] = []
    size = 0
    for action in actions:
        own = len(str(action))
        full = len(batch) == TRANSACTION_ITEMS or size + own > TRANSACTION_CHARACTERS
        if batch and full:
            yield batch
            batch, size = [], 0
        batch.append(action)
        size += own
    if batch:
        yield batch
