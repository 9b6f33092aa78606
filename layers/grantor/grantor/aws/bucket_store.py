"""What the ledger table knows of existing buckets.

pk       sk          what
policy   buckets 3   the names of one parameter's buckets, and which of them are about to leave
bucket   NAME        what was there before the bucket was connected, to be put back

The first kind lies beside the accepted policy files, which every run reads anyway. The second is
compressed, because a sweep reads past it.
"""

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from grantor.aws.dynamodb import DynamoDBTable, Item
from grantor.core.data_buckets import BucketGroup, BucketRecord, KeptText

GROUP_KEY = "buckets "  # before the parameter's number, in the sort key; no file is named so
RECORDS = "bucket"


def split_groups(items: Iterable[Item]) -> tuple[list[Item], list[BucketGroup]]:
    """The items of policy files, and the groups of buckets that lie beside them."""
    files: list[Item] = []
    groups: list[BucketGroup] = []
    for item in items:
        if item["sk"].startswith(GROUP_KEY):
            groups.append(_parse_group(item))
        else:
            files.append(item)
    return files, groups


class BucketStore:
    """The existing buckets in one table. Each method costs one call, unless it says otherwise."""

    def __init__(self, table: DynamoDBTable) -> None:
        self._table = table

    def read_groups(self) -> list[BucketGroup]:
        """Every group; a call for each megabyte of accepted policy files."""
        return split_groups(self._table.query_partition("policy"))[1]

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
