"""What an auditor sees of an estate, read from the services and not by Grantor's own eyes."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from boto3.dynamodb.types import TypeDeserializer

from tests.conftest import ACCOUNT, REGION
from tests.estate import LEDGER, POLICIES, STACK, Estate

GRANT_ARN = f"arn:aws:s3:{REGION}:{ACCOUNT}:access-grants/default/grant/"
PLAIN = TypeDeserializer().deserialize
OF_A_RUN = ("id", "since", "run", "at", "ttl")  # attributes
Version = tuple[str, str]  # a file's version id and its etag


class Row(NamedTuple):
    """A grant."""

    permission: str
    scope: str
    role: str  # as role/NAME

    def __str__(self) -> str:
        return f"{self.permission} {self.scope} to {self.role}"


def row(text: str) -> Row:
    """The grant that a sentence like "READ s3://data/Product/* to role/ana" speaks of."""
    permission, scope, _, role = text.split()
    return Row(permission, scope, role)


@dataclass
class Table:
    """All items of Grantor's table."""

    items: dict[tuple[str, str], dict[str, Any]]

    @property
    def ledger(self) -> dict[Row, dict[str, Any]]:
        """What is written down of each grant."""
        return {_written(item): item for item in self.items.values() if "state" in item}

    @property
    def accepted(self) -> dict[str, Version]:
        """The policy files in force."""
        return {
            sk: (item["version"], item["etag"])
            for (pk, sk), item in self.items.items()
            if pk == "policy"
        }

    @property
    def lasting(self) -> dict[tuple[str, str], dict[str, Any]]:
        """All that does not tell of one run: grants with their reasons, subjects, files in force,
        the last sweep.
        """
        return {
            key: {
                name: _lasting_part(value) if name == "document" else value
                for name, value in item.items()
                if name not in OF_A_RUN
            }
            for key, item in self.items.items()
            if key[0] not in ("lease", "run") and key != ("meta", "alerts")
        }

    @property
    def lease(self) -> dict[str, Any]:
        return self.items.get(
            ("lease", "lease"), {"token": 0, "holder": "", "pending": {}, "current": {}}
        )


def _lasting_part(document: str) -> dict[str, Any]:
    """A waiting plan, apart from when a run has computed it and from the ids of its grants."""
    plan = json.loads(document)
    changes = [{**change, "grant_id": None} for change in plan["changes"]]
    return {**plan, "started_at": None, "changes": changes}


class Auditor:
    """Looks, and changes nothing. A grant's tags are never changed, so it remembers the owner of
    each that it has looked at.
    """

    def __init__(self, estate: Estate) -> None:
        self._control, self._dynamodb, self._s3 = map(
            estate.client, ("s3control", "dynamodb", "s3")
        )
        self._owners: dict[str, str] = {}

    def grants(self) -> dict[str, Row]:
        """Every grant there is, by its id."""
        listed = self._control.list_access_grants(AccountId=ACCOUNT)
        assert "NextToken" not in listed, "more grants than one page holds"
        return {item["AccessGrantId"]: _listed(item) for item in listed["AccessGrantsList"]}

    def tags(self, grant_id: str) -> dict[str, str]:
        answer = self._control.list_tags_for_resource(
            AccountId=ACCOUNT, ResourceArn=GRANT_ARN + grant_id
        )
        return {tag["Key"]: tag["Value"] for tag in answer.get("Tags", [])}

    def ours(self, ids: Iterable[str]) -> set[str]:
        """Those of the grants that say Grantor made them."""
        listed = set(ids)
        self._owners |= {
            each: self.tags(each).get("grantor:stack", "") for each in listed - self._owners.keys()
        }
        return {each for each in listed if self._owners[each] == STACK}

    def table(self) -> Table:
        read = self._dynamodb.scan(TableName=LEDGER, ConsistentRead=True)
        assert "LastEvaluatedKey" not in read, "more items than one page holds"
        items = [{name: PLAIN(value) for name, value in item.items()} for item in read["Items"]]
        return Table({(item["pk"], item["sk"]): item for item in items})

    def files(self) -> dict[str, Version]:
        """The policy files that there are."""
        versions = self._s3.list_object_versions(Bucket=POLICIES, Prefix="policy/").get(
            "Versions", []
        )
        return {one["Key"]: (one["VersionId"], one["ETag"]) for one in versions if one["IsLatest"]}


def _listed(item: dict[str, Any]) -> Row:
    return Row(
        item["Permission"],
        item["GrantScope"],
        item["Grantee"]["GranteeIdentifier"].rpartition(":")[2],
    )


def _written(item: dict[str, Any]) -> Row:
    permission, _, scope = item["sk"].partition(" ")
    return Row(permission, scope, item["pk"].rpartition(":")[2])
