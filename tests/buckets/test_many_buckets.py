"""Two hundred buckets and 20,000 grants: a run makes no call more than for one bucket."""

from collections.abc import Callable
from math import ceil

import pytest

from benchmarks.large_estates import create_wanted_grants
from grantor.aws.policy_store import BucketStore
from grantor.aws.services import Services
from grantor.core.data_buckets import BucketGroup
from tests.conftest import ACCOUNT, Sandbox
from tests.grantor_setup import DOMAIN, GrantorSetup, set_up_grantor

GROUPS, BUCKETS_PER_GROUP, PROFILES = 8, 25, 100
BUCKETS = [f"{number:03}-".ljust(63, "b") for number in range(GROUPS * BUCKETS_PER_GROUP)]
GRANTS = len(BUCKETS) * PROFILES


@pytest.fixture(scope="module")
def setup(start_sandbox: Callable[..., Sandbox], tmp_path_factory: pytest.TempPathFactory):
    made = set_up_grantor(start_sandbox(), tmp_path_factory.mktemp("many"), ())
    s3, control = made.client("s3"), made.client("s3control")
    role = made.client("iam").get_role(RoleName="location")["Role"]["Arn"]
    store = BucketStore(made.build_services().table)
    for bucket in BUCKETS:
        s3.create_bucket(Bucket=bucket)
        control.create_access_grants_location(
            AccountId=ACCOUNT, LocationScope=f"s3://{bucket}/", IAMRoleArn=role
        )
    for group in range(GROUPS):
        names = BUCKETS[group * BUCKETS_PER_GROUP :][:BUCKETS_PER_GROUP]
        store.write_group(BucketGroup(str(group + 1), tuple(names)))
    return made


@pytest.fixture(scope="module")
def warm(setup: GrantorSetup) -> Services:
    files = {f"group-{group}": write_policy(group) for group in range(GROUPS)}
    return create_wanted_grants(setup, files, PROFILES, len(BUCKETS))


def write_policy(group: int) -> str:
    """A rule for each bucket of a group."""
    rules = (
        f"  - name: in-{bucket[:3]}\n    to: {{profiles: {{domain: {DOMAIN}}}}}\n"
        f"    on: s3://{bucket}/shared/*\n    allow: READ\n"
        for bucket in BUCKETS[group * BUCKETS_PER_GROUP :][:BUCKETS_PER_GROUP]
    )
    return f"version: 1\nrules:\n{''.join(rules)}"


def test_a_sweep_reads_a_page_for_each_thousand_grants_and_three_calls_more(
    setup: GrantorSetup, warm: Services
):
    setup.reset_call_counts()
    report = setup.reconcile(services=warm)

    assert (report.done, report.is_finished) == ([], True)
    assert sum(setup.count_calls().values()) <= ceil(GRANTS / 1000) + 3


def test_an_event_costs_what_it_costs_with_one_bucket(setup: GrantorSetup, warm: Services):
    setup.reset_call_counts()
    setup.reconcile(setup.build_profile_trigger("user-0000"), services=warm)
    by_profile = setup.count_calls()
    setup.reset_call_counts()
    setup.reconcile(setup.upload("x/a.csv"), services=warm)

    assert by_profile == {"ListAccessGrants": 1, "ListAccessGrantsLocations": 1}
    assert setup.count_calls() == {}
