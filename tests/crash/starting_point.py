"""Restore the state before a change. Only differences are undone, which takes hundredths of a
second.
"""

from collections.abc import Iterable, Iterator
from itertools import batched
from typing import Any

from sandbox.testing.helpers import call_control
from tests.conftest import ACCOUNT
from tests.crash.aws_state import GRANT_ARN, list_history
from tests.grantor_setup import LEDGER, OPERATIONS, GrantorSetup

REQUEST_MEMBERS = (
    "AccessGrantsLocationId",
    "AccessGrantsLocationConfiguration",
    "Grantee",
    "Permission",
    "ApplicationArn",
)
Items = dict[tuple[str, str], dict[str, Any]]  # as DynamoDB writes them, by key


class StartingPoint:
    """The grants, the ledger and the history of now. A run changes nothing else that a later run
    reads.
    """

    def __init__(self, setup: GrantorSetup) -> None:
        self._setup = setup
        self._control, self._dynamodb = map(setup.client, ("s3control", "dynamodb"))
        self._items, self._s3 = self._read_items(), setup.client("s3")
        self.history = set(list_history(self._s3))
        self._grants = {
            grant_id: self._build_request(item) for grant_id, item in self._list_grants().items()
        }

    def restore(self) -> None:
        """Restore the grants and the table.

        A deleted grant gets another id, which is entered in the table.
        """
        there = self._list_grants().keys()
        for grant_id in there - self._grants.keys():
            self._control.delete_access_grant(AccountId=ACCOUNT, AccessGrantId=grant_id)
        self._create_missing_grants(sorted(self._grants.keys() - there))
        self._write_difference(self._read_items())
        for key in set(list_history(self._s3)) - self.history:
            self._s3.delete_object(Bucket=OPERATIONS, Key=key)
        self._setup.reset_call_counts()

    def _create_missing_grants(self, gone: list[str]) -> None:
        requests = [self._grants.pop(grant_id) for grant_id in gone]
        made = call_control(self._setup.sandbox, "grants", "POST", requests)["ids"] if gone else []
        self._grants |= dict(zip(made, requests, strict=True))
        renamed = dict(zip(gone, made, strict=True))
        for item in self._items.values():
            if item.get("id", {}).get("S") in renamed:
                item["id"] = {"S": renamed[item["id"]["S"]]}

    def _write_difference(self, there: Items) -> None:
        for some in batched(_list_writes(self._items, there), 25):
            self._dynamodb.batch_write_item(RequestItems={LEDGER: some})

    def _read_items(self) -> Items:
        read = self._dynamodb.scan(TableName=LEDGER, ConsistentRead=True)["Items"]
        return {(item["pk"]["S"], item["sk"]["S"]): item for item in read}

    def _list_grants(self) -> dict[str, dict[str, Any]]:
        listed = self._control.list_access_grants(AccountId=ACCOUNT)["AccessGrantsList"]
        return {item["AccessGrantId"]: item for item in listed}

    def _build_request(self, listed: dict[str, Any]) -> dict[str, Any]:
        """The request that makes this grant."""
        answer = self._control.list_tags_for_resource(
            AccountId=ACCOUNT, ResourceArn=GRANT_ARN + listed["AccessGrantId"]
        )
        return {name: listed[name] for name in REQUEST_MEMBERS if listed.get(name)} | {
            "Tags": answer.get("Tags", [])
        }


def _list_writes(wanted: Items, there: Items) -> Iterator[dict[str, Any]]:
    yield from (
        {"PutRequest": {"Item": item}} for key, item in wanted.items() if there.get(key) != item
    )
    yield from (
        {"DeleteRequest": {"Key": {"pk": {"S": pk}, "sk": {"S": sk}}}}
        for pk, sk in _list_extra_keys(wanted, there)
    )


def _list_extra_keys(wanted: Items, there: Items) -> Iterable[tuple[str, str]]:
    return sorted(there.keys() - wanted.keys())
