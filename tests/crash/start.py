"""A starting point, and the way back to it: only what differs is undone, which takes hundredths of
a second.
"""

from collections.abc import Iterable, Iterator
from itertools import batched
from typing import Any

from sandbox.testing.helpers import call_control
from tests.conftest import ACCOUNT
from tests.crash.auditor import GRANT_ARN
from tests.estate import LEDGER, Estate

ASKED = (
    "AccessGrantsLocationId",
    "AccessGrantsLocationConfiguration",
    "Grantee",
    "Permission",
    "ApplicationArn",
)
Items = dict[tuple[str, str], dict[str, Any]]  # as DynamoDB writes them, by key


class Start:
    """An estate's grants and its table as they are now. Runs change nothing else that a later run
    looks at.
    """

    def __init__(self, estate: Estate) -> None:
        self._estate = estate
        self._control, self._dynamodb = map(estate.client, ("s3control", "dynamodb"))
        self._items = self._read()
        self._grants = {grant_id: self._request(item) for grant_id, item in self._listed().items()}

    def again(self) -> None:
        """Let everything be as it was. A grant that was taken away comes back under another id,
        which is entered in the table.
        """
        there = self._listed().keys()
        for grant_id in there - self._grants.keys():
            self._control.delete_access_grant(AccountId=ACCOUNT, AccessGrantId=grant_id)
        self._make_again(sorted(self._grants.keys() - there))
        self._write(self._read())
        self._estate.forget_calls()

    def _make_again(self, gone: list[str]) -> None:
        requests = [self._grants.pop(grant_id) for grant_id in gone]
        made = call_control(self._estate.sandbox, "grants", "POST", requests)["ids"] if gone else []
        self._grants |= dict(zip(made, requests, strict=True))
        renamed = dict(zip(gone, made, strict=True))
        for item in self._items.values():
            if item.get("id", {}).get("S") in renamed:
                item["id"] = {"S": renamed[item["id"]["S"]]}

    def _write(self, there: Items) -> None:
        for some in batched(_differing(self._items, there), 25):
            self._dynamodb.batch_write_item(RequestItems={LEDGER: some})

    def _read(self) -> Items:
        read = self._dynamodb.scan(TableName=LEDGER, ConsistentRead=True)["Items"]
        return {(item["pk"]["S"], item["sk"]["S"]): item for item in read}

    def _listed(self) -> dict[str, dict[str, Any]]:
        listed = self._control.list_access_grants(AccountId=ACCOUNT)["AccessGrantsList"]
        return {item["AccessGrantId"]: item for item in listed}

    def _request(self, listed: dict[str, Any]) -> dict[str, Any]:
        """The request that makes this grant."""
        answer = self._control.list_tags_for_resource(
            AccountId=ACCOUNT, ResourceArn=GRANT_ARN + listed["AccessGrantId"]
        )
        return {name: listed[name] for name in ASKED if listed.get(name)} | {
            "Tags": answer.get("Tags", [])
        }


def _differing(wanted: Items, there: Items) -> Iterator[dict[str, Any]]:
    yield from (
        {"PutRequest": {"Item": item}} for key, item in wanted.items() if there.get(key) != item
    )
    yield from (
        {"DeleteRequest": {"Key": {"pk": {"S": pk}, "sk": {"S": sk}}}}
        for pk, sk in _extra(wanted, there)
    )


def _extra(wanted: Items, there: Items) -> Iterable[tuple[str, str]]:
    return sorted(there.keys() - wanted.keys())
