"""A stack whose parameters are full: 200 existing buckets with the longest names, and the longest
name of a stack. The sandbox refuses what is past a limit of AWS.
"""

from collections.abc import Callable

import pytest

from sandbox.testing.helpers import read_notifications
from tests.conftest import Sandbox
from tests.teardown.empty_account import EmptyAccount, package_stack

STACK = "full-".ljust(47, "s")
GROUPS, BUCKETS_PER_GROUP = 8, 25
BUCKETS = [
    [f"{group}-{number:02}-".ljust(63, "b") for number in range(BUCKETS_PER_GROUP)]
    for group in range(1, GROUPS + 1)
]
PARAMETERS = {
    "DataBuckets" + (str(number) if number > 1 else ""): ",".join(names)
    for number, names in enumerate(BUCKETS, 1)
}


@pytest.fixture
def empty(
    start_sandbox: Callable[..., Sandbox], tmp_path_factory: pytest.TempPathFactory
) -> EmptyAccount:
    sandbox = start_sandbox()
    account = EmptyAccount(sandbox, package_stack(sandbox, tmp_path_factory.mktemp("package")))
    account.reset()
    return account


def test_two_hundred_buckets_are_connected_and_left_as_they_were(empty: EmptyAccount):
    s3 = empty.client("s3")
    names = [name for group in BUCKETS for name in group]
    for name in names:
        s3.create_bucket(Bucket=name)
    before = {name: read_notifications(s3, name) for name in names}
    stack = empty.build_stack(STACK)

    made = stack.create(CreateStudio="false", Trail="existing", **PARAMETERS)
    assert made == "CREATE_COMPLETE", stack.describe_failures()
    assert all("EventBridge" in read_notifications(s3, name) for name in names)
    assert stack.delete() == "DELETE_COMPLETE", stack.describe_failures()
    assert {name: read_notifications(s3, name) for name in names} == before
