"""Read grants, ledger and policy files directly from AWS, without Grantor's own code."""

import json
import zlib
from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from boto3.dynamodb.types import TypeDeserializer

from tests.conftest import ACCOUNT, REGION
from tests.grantor_setup import LEDGER, OPERATIONS, POLICIES, STACK, GrantorSetup

GRANT_ARN = f"arn:aws:s3:{REGION}:{ACCOUNT}:access-grants/default/grant/"
deserialize = TypeDeserializer().deserialize
RUN_ATTRIBUTES = ("id", "since", "run", "at", "ttl", "nonce", "content")  # attributes
PLAN_PART = "plan "  # of a pending plan: its document, compressed
Version = tuple[str, str]  # a file's version id and its etag


class GrantRow(NamedTuple):
    """A grant."""

    permission: str
    scope: str
    role: str  # as role/NAME

    def __str__(self) -> str:
        return f"{self.permission} {self.scope} to {self.role}"


def parse_grant(text: str) -> GrantRow:
    """Parse a sentence like "READ s3://data/Product/* to role/ana"."""
    permission, scope, _, role = text.split()
    return GrantRow(permission, scope, role)


@dataclass
class LedgerTable:
    """All items of Grantor's table."""

    items: dict[tuple[str, str], dict[str, Any]]

    @property
    def grants(self) -> dict[GrantRow, dict[str, Any]]:
        """The ledger's item of each grant."""
        return {_parse_ledger_item(item): item for item in self.items.values() if "state" in item}

    @property
    def accepted_files(self) -> dict[str, Version]:
        """The policy files in force."""
        return {
            sk: (item["version"], item["etag"])
            for (pk, sk), item in self.items.items()
            if pk == "policy"
        }

    @property
    def data_of_no_run(self) -> dict[tuple[str, str], dict[str, Any]]:
        """All data that does not depend on the run that wrote it.

        These are grants with their reasons, subjects, accepted files and the last sweep.
        """
        return {
            (pk, "" if pk.startswith(PLAN_PART) else sk): _drop_run_data(item)
            for (pk, sk), item in self.items.items()
            if pk not in ("lease", "run") and (pk, sk) != ("meta", "alerts")
        }

    @property
    def lease(self) -> dict[str, Any]:
        return self.items.get(
            ("lease", "lease"), {"token": 0, "holder": "", "pending": {}, "current": {}}
        )


def _drop_run_data(item: dict[str, Any]) -> dict[str, Any]:
    """An item without what each run writes anew: a pending plan without the ids of its grants, the
    guard's counts without their hours.
    """
    kept = {name: value for name, value in item.items() if name not in RUN_ATTRIBUTES}
    if (item["pk"], item["sk"]) == ("meta", "guard"):
        return kept | {"hours": _add_hours(item["hours"])}
    if not item["pk"].startswith(PLAN_PART):
        return kept
    plan = json.loads(zlib.decompress(bytes(item["data"])))
    return {**plan, "changes": [{**change, "grant_id": None} for change in plan["changes"]]}


def _add_hours(packed: Any) -> dict[str, list[int]]:
    """Add the guard's counts of all hours, by policy file: a test may pass the full hour."""
    written = packed if isinstance(packed, str) else zlib.decompress(bytes(packed))
    totals: dict[str, list[int]] = {}
    for tallies in json.loads(written).values():
        for file, counts in tallies.items():
            known = totals.get(file, [0] * len(counts))
            totals[file] = [one + other for one, other in zip(known, counts, strict=True)]
    return totals


class AwsState:
    """Reads the state of AWS, and changes nothing.

    The owner of each grant is read once, since tags of grants never change here.
    """

    def __init__(self, setup: GrantorSetup) -> None:
        self._control, self._dynamodb, self._s3 = map(setup.client, ("s3control", "dynamodb", "s3"))
        self._owners: dict[str, str] = {}

    def list_grants(self) -> dict[str, GrantRow]:
        """List every grant by its id."""
        listed = self._control.list_access_grants(AccountId=ACCOUNT)
        assert "NextToken" not in listed, "more grants than one page holds"
        return {
            item["AccessGrantId"]: _parse_listed_grant(item) for item in listed["AccessGrantsList"]
        }

    def read_tags(self, grant_id: str) -> dict[str, str]:
        answer = self._control.list_tags_for_resource(
            AccountId=ACCOUNT, ResourceArn=GRANT_ARN + grant_id
        )
        return {tag["Key"]: tag["Value"] for tag in answer.get("Tags", [])}

    def select_own_ids(self, ids: Iterable[str]) -> set[str]:
        """Select the grants with the tag of the stack."""
        listed = set(ids)
        self._owners |= {
            each: self.read_tags(each).get("grantor:stack", "")
            for each in listed - self._owners.keys()
        }
        return {each for each in listed if self._owners[each] == STACK}

    def read_table(self) -> LedgerTable:
        read = self._dynamodb.scan(TableName=LEDGER, ConsistentRead=True)
        assert "LastEvaluatedKey" not in read, "more items than one page holds"
        items = [
            {name: deserialize(value) for name, value in item.items()} for item in read["Items"]
        ]
        return LedgerTable({(item["pk"], item["sk"]): item for item in items})

    def read_history(self, without: Container[str]) -> list[dict[str, Any]]:
        """Read every event of the history, but those of some objects."""
        keys = [key for key in list_history(self._s3) if key not in without]
        bodies = [self._s3.get_object(Bucket=OPERATIONS, Key=key)["Body"].read() for key in keys]
        return [json.loads(line) for body in bodies for line in body.splitlines()]

    def list_policy_files(self) -> dict[str, Version]:
        """List the current version of each policy file."""
        versions = self._s3.list_object_versions(Bucket=POLICIES, Prefix="policy/").get(
            "Versions", []
        )
        return {one["Key"]: (one["VersionId"], one["ETag"]) for one in versions if one["IsLatest"]}


def list_history(s3: Any) -> list[str]:
    """List the objects of the history but its checkpoints."""
    listed = s3.list_objects_v2(Bucket=OPERATIONS, Prefix="history/grants/")
    assert not listed["IsTruncated"], "more objects than one page holds"
    return [item["Key"] for item in listed.get("Contents", [])]


def _parse_listed_grant(item: dict[str, Any]) -> GrantRow:
    return GrantRow(
        item["Permission"],
        item["GrantScope"],
        item["Grantee"]["GranteeIdentifier"].rpartition(":")[2],
    )


def _parse_ledger_item(item: dict[str, Any]) -> GrantRow:
    permission, _, scope = item["sk"].partition(" ")
    return GrantRow(permission, scope, item["pk"].rpartition(":")[2])
