"""What the table knows of policy files and of existing buckets."""

from grantor.aws.dynamodb import DynamoDBTable
from grantor.aws.lease import Lease
from grantor.aws.ledger import Ledger
from grantor.aws.policy_store import AcceptedVersion, BucketStore, PolicyStore, encode_acceptance
from grantor.core.data_buckets import NO_BUCKETS, BucketGroup, ConnectedBuckets

FIRST = AcceptedVersion("v1", '"e1"', "2026-11-24T10:00:00Z", "r-1")


def test_the_accepted_version_of_each_policy_file_is_known(table: DynamoDBTable, lease: Lease):
    write = Ledger(table).with_lease(lease).write_actions
    both = {"policy/a.yaml": FIRST, "policy/b.yaml": AcceptedVersion("v7", '"e7"')}
    write(encode_acceptance(both, gone=[]))
    other = {"policy/b.yaml": AcceptedVersion("v8", '"e8"')}
    write(encode_acceptance(other, gone=["policy/a.yaml"]))

    assert PolicyStore(table).read_accepted() == {"policy/b.yaml": AcceptedVersion("v8", '"e8"')}


def test_the_buckets_of_all_groups_count_and_a_request_to_leave_lapses(table: DynamoDBTable):
    policies, buckets = PolicyStore(table), BucketStore(table)
    assert policies.read_state(0) == ({}, NO_BUCKETS)

    buckets.write_group(BucketGroup("2", ("c",)))
    buckets.write_group(BucketGroup("1", ("a", "b"), {"a": 100, "b": 300}))

    assert policies.read_state(200) == ({}, ConnectedBuckets(("a", "b", "c"), ("b",)))
