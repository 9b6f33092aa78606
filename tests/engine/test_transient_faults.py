"""Transient faults are retried by the AWS client, and do not affect the run."""

import pytest

from tests.engine.helpers import assert_settled, build_fault, injected_faults
from tests.engine.policy_change import AFTER, UNMANAGED
from tests.grantor_setup import GrantorSetup

PASSING = {
    "CreateAccessGrant throttled": build_fault("s3control/CreateAccessGrant", "throttle", times=1),
    "DeleteAccessGrant throttled": build_fault("s3control/DeleteAccessGrant", "throttle", times=1),
    "ListAccessGrants throttled": build_fault("s3control/ListAccessGrants", "throttle", times=1),
    "ListAccessGrantsLocations fails once": build_fault(
        "s3control/ListAccessGrantsLocations", "error", times=1
    ),
    "CreateAccessGrant done and not answered": build_fault(
        "s3control/CreateAccessGrant", "lost", times=1
    ),
    "DeleteAccessGrant done and not answered": build_fault(
        "s3control/DeleteAccessGrant", "lost", times=1
    ),
    "ledger throttled": build_fault("dynamodb/TransactWriteItems", "throttle", times=1),
    "ledger written and not answered": build_fault("dynamodb/TransactWriteItems", "lost", times=1),
    "ledger's scan fails once": build_fault("dynamodb/Scan", "error", times=1),
    "lease taken and not answered": build_fault("dynamodb/PutItem", "lost", times=1),
    "profiles throttled": build_fault("sagemaker/ListUserProfiles", "throttle", times=1),
    "domains throttled": build_fault("sagemaker/ListDomains", "throttle", times=1),
    "policy throttled": build_fault("s3/GetObject", "throttle", times=1),
}


@pytest.mark.parametrize("rule", PASSING.values(), ids=PASSING)
def test_a_transient_fault_leaves_no_trace(changed_setup: GrantorSetup, rule: dict) -> None:
    """hashicorp/terraform #31094: throttled, and a run lost for it."""
    with injected_faults(changed_setup, rule):
        report = changed_setup.reconcile()

    assert (report.is_finished, report.failed) == (True, [])
    assert changed_setup.describe_grants() == AFTER | {UNMANAGED}
    assert_settled(changed_setup, AFTER, {UNMANAGED})
