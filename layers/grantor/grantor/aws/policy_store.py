"""What the table knows of policy files, and of the existing buckets that they may name.

pk       sk          what
policy   KEY         the version of a policy file that is in force
policy   buckets 3   the names of one parameter's buckets, and which of them are about to leave
bucket   NAME        what was there before the bucket was connected, to be put back

Every run reads the first two at once. The third is compressed, because a sweep reads past it.
"""

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from grantor.aws.dynamodb import Action, DynamoDBTable, Item, delete_action, put_action
from grantor.core.data_buckets import BucketGroup, BucketRecord, ConnectedBuckets, KeptText
from grantor.core.rules import Suspension, parse_suspended

GROUP_KEY = "buckets "  # before the parameter's number, in the sort key; no file is named so
RECORDS = "bucket"


@dataclass(frozen=True)
class AcceptedVersion:
    """The version of a policy file that is in force; `at` is when it was accepted (timestamp), by
    the run `run`. Its suspensions stay in force even if the file cannot be read.
    """

    version: str
    etag: str
    at: str = ""
    run: str = ""
    suspensions: tuple[Suspension, ...] = ()


class PolicyStore:
    """The policy files in force, in one table."""

    def __init__(self, table: DynamoDBTable) -> None:
        self._table = table

    def read_accepted(self) -> dict[str, AcceptedVersion]:
        """The accepted version of each policy file, by its key; calls as for read_state."""
        files, _ = _split_groups(self._table.query_partition("policy"))
        return _parse_files(files)

    def read_state(self, now: float) -> tuple[dict[str, AcceptedVersion], ConnectedBuckets]:
        """The accepted versions, and the stack's existing buckets at a time (seconds since the
        epoch); a call for each megabyte, some 5,000 files.
        """
        files, groups = _split_groups(self._table.query_partition("policy"))
        names = {name for group in groups for name in group.names}
        asked = {name for group in groups for name, until in group.leaving.items() if until > now}
        return _parse_files(files), ConnectedBuckets(tuple(sorted(names)), tuple(sorted(asked)))


class BucketStore:
    """The existing buckets in one table. Each method costs one call, unless it says otherwise."""

    def __init__(self, table: DynamoDBTable) -> None:
        self._table = table

    def read_groups(self) -> list[BucketGroup]:
        """Every group; a call for each megabyte of accepted policy files."""
        return _split_groups(self._table.query_partition("policy"))[1]

    def write_group(self, group: BucketGroup) -> None:
        """Replace a group."""
        item = {
            "pk": "policy",
            "sk": f"{GROUP_KEY}{group.number}",
            "buckets": {name: group.leaving.get(name) for name in group.names},
        }
        self._table.put_item(item)

    def delete_group(self, number: str) -> None:
        """Forget a group."""
        self._table.delete_item("policy", f"{GROUP_KEY}{number}")

    def read_record(self, bucket: str) -> BucketRecord | None:
        """What connecting a bucket has changed; None if it is not connected."""
        item = self._table.get_item(RECORDS, bucket)
        return _parse_record(item) if item else None

    def iterate_records(self) -> Iterator[BucketRecord]:
        """Every connected bucket; a call for each megabyte."""
        return map(_parse_record, self._table.query_partition(RECORDS))

    def write_record(self, record: BucketRecord) -> None:
        """Replace what is known of a bucket."""
        self._table.put_item({"pk": RECORDS, "sk": record.name, "kept": _pack_record(record)})

    def delete_record(self, bucket: str) -> None:
        """Forget a bucket."""
        self._table.delete_item(RECORDS, bucket)


def _parse_group(item: Item) -> BucketGroup:
    buckets: Mapping[str, int | None] = item["buckets"]
    leaving = {name: until for name, until in buckets.items() if until is not None}
    return BucketGroup(item["sk"].removeprefix(GROUP_KEY), tuple(sorted(buckets)), leaving)


def _pack_record(record: BucketRecord) -> bytes:
    document = {
        **vars(record),
        "notifications": vars(record.notifications),
        "policy": vars(record.policy),
    }
    return zlib.compress(json.dumps(document, ensure_ascii=False).encode())


def _parse_record(item: Item) -> BucketRecord:
    known: Mapping[str, Any] = json.loads(zlib.decompress(item["kept"]))
    texts = {name: KeptText(**known[name]) for name in ("notifications", "policy")}
    return BucketRecord(**{**known, **texts})


def encode_acceptance(files: Mapping[str, AcceptedVersion], gone: Iterable[str]) -> list[Action]:
    """The actions that put these versions in force, and the files `gone` out of force."""
    items = {key: _encode_accepted(accepted) for key, accepted in files.items()}
    puts = [put_action({"pk": "policy", "sk": key, **item}) for key, item in items.items()]
    return [*puts, *(delete_action("policy", key) for key in gone)]


def _parse_files(items: Iterable[Item]) -> dict[str, AcceptedVersion]:
    return {item["sk"]: _parse_accepted(item) for item in items}


def _encode_accepted(accepted: AcceptedVersion) -> Item:
    suspends = {
        one.name: {
            "because": one.because,
            "until": one.until.isoformat() if one.until else None,
            "line": one.line,
            "column": one.column,
        }
        for one in accepted.suspensions
    }
    fields = {name: value for name, value in vars(accepted).items() if name != "suspensions"}
    return {**fields, **({"suspends": suspends} if suspends else {})}


def _parse_accepted(item: Item) -> AcceptedVersion:
    suspensions = tuple(
        Suspension(
            item["sk"],
            parse_suspended(name),
            one["because"],
            datetime.fromisoformat(one["until"]) if one["until"] else None,
            one["line"],
            one["column"],
        )
        for name, one in item.get("suspends", {}).items()
    )
    return AcceptedVersion(item["version"], item["etag"], item["at"], item["run"], suspensions)


def _split_groups(items: Iterable[Item]) -> tuple[list[Item], list[BucketGroup]]:
    """The items of policy files, and the groups of buckets that lie beside them."""
    files: list[Item] = []
    groups: list[BucketGroup] = []
    for item in items:
        if item["sk"].startswith(GROUP_KEY):
            groups.append(_parse_group(item))
        else:
            files.append(item)
    return files, groups
