"""What stands in the way for a moment only is tried again by the client, and the run is none the
worse for it.
"""

import pytest

from tests.engine.change import AFTER, THEIRS
from tests.engine.watch import at_rest, fault, struck
from tests.estate import Estate

PASSING = {
    "CreateAccessGrant throttled": fault("s3control/CreateAccessGrant", "throttle", times=1),
    "DeleteAccessGrant throttled": fault("s3control/DeleteAccessGrant", "throttle", times=1),
    "ListAccessGrants throttled": fault("s3control/ListAccessGrants", "throttle", times=1),
    "ListAccessGrantsLocations fails once": fault(
        "s3control/ListAccessGrantsLocations", "error", times=1
    ),
    "CreateAccessGrant done and not answered": fault(
        "s3control/CreateAccessGrant", "lost", times=1
    ),
    "DeleteAccessGrant done and not answered": fault(
        "s3control/DeleteAccessGrant", "lost", times=1
    ),
    "ledger throttled": fault("dynamodb/TransactWriteItems", "throttle", times=1),
    "ledger written and not answered": fault("dynamodb/TransactWriteItems", "lost", times=1),
    "ledger's scan fails once": fault("dynamodb/Scan", "error", times=1),
    "lease taken and not answered": fault("dynamodb/PutItem", "lost", times=1),
    "profiles throttled": fault("sagemaker/ListUserProfiles", "throttle", times=1),
    "domains throttled": fault("sagemaker/ListDomains", "throttle", times=1),
    "policy throttled": fault("s3/GetObject", "throttle", times=1),
}


@pytest.mark.parametrize("rule", PASSING.values(), ids=PASSING)
def test_what_passes_in_a_moment_leaves_no_trace(changing: Estate, rule: dict) -> None:
    """hashicorp/terraform #31094: throttled, and a run lost for it."""
    with struck(changing, rule):
        report = changing.run()

    assert (report.is_finished, report.failed) == (True, [])
    assert changing.grants() == AFTER | {THEIRS}
    at_rest(changing, AFTER, {THEIRS})
