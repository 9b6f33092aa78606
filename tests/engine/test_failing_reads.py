"""Whatever can't be read, or comes in half: nothing is taken away for it, what does not hang on it
goes on, and a clean run puts it right.
"""

import pytest

from tests.engine.change import AFTER, BEFORE, KEPT, OLD, THEIRS, A, B, C, run, unmanaged
from tests.engine.watch import at_rest, fault, hasty, ledger, struck
from tests.estate import Estate

ALL, NOTHING = AFTER, BEFORE
DENIED = {"code": "AccessDenied", "status": 403, "message": "no"}
READS = {
    "the grants can't be listed": (fault("s3control/ListAccessGrants", "error"), NOTHING),
    "half a list of grants": (fault("s3control/ListAccessGrants", "cut"), NOTHING),
    "the locations can't be listed": (
        fault("s3control/ListAccessGrantsLocations", "error"),
        NOTHING,
    ),
    "half a list of locations": (fault("s3control/ListAccessGrantsLocations", "cut"), NOTHING),
    "the ledger can't be scanned": (fault("dynamodb/Scan", "error"), NOTHING),
    "half a scan of the ledger": (fault("dynamodb/Scan", "cut"), NOTHING),
    "what was accepted can't be read": (fault("dynamodb/Query", "error"), NOTHING),
    "half of what was accepted": (fault("dynamodb/Query", "cut"), NOTHING),
    "the last sweep can't be read": (fault("dynamodb/GetItem", "error"), NOTHING),
    "half of the last sweep": (fault("dynamodb/GetItem", "cut"), NOTHING),
    "the policy can't be listed": (fault("s3/ListObjectsV2", "error"), NOTHING),
    "half a list of the policy": (fault("s3/ListObjectsV2", "cut"), NOTHING),
    "no policy file can be read": (fault("s3/GetObject", "error"), NOTHING),
    "every policy file is cut off": (fault("s3/GetObject", "cut"), NOTHING),
    "the policy may not be read": (fault("s3/GetObject", "refuse", **DENIED), NOTHING),
    "the domains can't be listed": (fault("sagemaker/ListDomains", "error"), NOTHING),
    "half a list of domains": (fault("sagemaker/ListDomains", "cut"), NOTHING),
    "the profiles can't be listed": (fault("sagemaker/ListUserProfiles", "error"), ALL - {C}),
    "half a list of profiles": (fault("sagemaker/ListUserProfiles", "cut"), ALL - {C}),
    "profiles can't be described": (fault("sagemaker/DescribeUserProfile", "error"), ALL - {C}),
    "half a description of profiles": (fault("sagemaker/DescribeUserProfile", "cut"), ALL - {C}),
}


@pytest.mark.parametrize(("rule", "then"), READS.values(), ids=READS)
def test_what_cannot_be_read_is_never_taken_for_empty(
    changing: Estate, rule: dict, then: set[str]
) -> None:
    """external-dns #3997, #3841; ssosync #236, #159, #194; Argo CD #15058: failed and partial reads
    that deleted.
    """
    with struck(changing, rule):
        run(changing)

    assert changing.grants() == then | {THEIRS}
    assert unmanaged(changing) == {THEIRS}
    at_rest(changing, AFTER, {THEIRS})


def test_one_policy_file_that_is_cut_off_holds_up_itself_alone(changing: Estate) -> None:
    """external-dns #3841: one broken object, and its neighbours went."""
    changing.run()
    changing.no_policy("second")
    changing.policy(
        "third",
        "version: 1\nrules:\n  - {name: r, to: {role: 'arn:aws:iam::000000000000:role/auditor'}, on: 's3://data/third/*', allow: READ}\n",
    )
    changing.policy(
        "first",
        "version: 1\nrules:\n  - {name: r, to: {role: 'arn:aws:iam::000000000000:role/auditor'}, on: 's3://data/kept/*', allow: READ}\n",
    )
    with struck(changing, fault("s3/GetObject", "cut", times=3)):
        report = changing.run()

    # Both files are read ahead and cut off, then one by one, and the first of them is again.
    assert (report.deferred, list(report.unread)) == ([], ["policy/first.yaml"])
    assert (list(report.accepted), report.removed_files) == (
        ["policy/third.yaml"],
        ("policy/second.yaml",),
    )
    assert ledger(changing) == AFTER - {"READ s3://data/second/* to role/auditor"} | {
        "READ s3://data/third/* to role/auditor"
    }


@pytest.mark.parametrize("kind", ["error", "cut"])
def test_a_profile_with_the_domains_role_keeps_what_it_has_while_the_domain_cannot_be_described(
    changing: Estate, kind: str
) -> None:
    changing.client("sagemaker").create_user_profile(
        DomainId=changing.domain, UserProfileName="guest"
    )
    at_rest(
        changing, guests := {*AFTER, "READ s3://data/Product/* to role/domain-default"}, {THEIRS}
    )
    with struck(changing, fault("sagemaker/DescribeDomain", kind)):
        report = changing.run(world=hasty(changing))

    assert (report.done, changing.grants()) == ([], {*guests, THEIRS})
    assert (report.deferred, list(report.unread)) == ([], ["domain Product-Domain"])


def test_a_domain_of_which_only_the_first_page_can_be_read_is_not_read(estate: Estate) -> None:
    """ssosync #236: a page was missing, and whoever stood on it was gone."""
    names = [f"p{n:03}" for n in range(101)]
    role, sagemaker = estate.role("everybody"), estate.client("sagemaker")
    for name in names:
        sagemaker.create_user_profile(
            DomainId=estate.domain, UserProfileName=name, UserSettings={"ExecutionRole": role}
        )
    estate.settle(names[-1])
    estate.policy(
        "all",
        "version: 1\nrules:\n  - {name: r, to: {profiles: {domain: Product-Domain}}, on: 's3://data/x/*', allow: READ}\n",
    )
    estate.run()
    before = estate.actual()
    estate.no_profile(names[-1])
    with struck(estate, fault("sagemaker/ListUserProfiles", "error", after=1)):
        report = estate.run(world=hasty(estate))

    assert (len(before), report.done, estate.actual()) == (3, [], before)
    assert (report.deferred, list(report.unread)) == ([], ["domain Product-Domain"])
    assert role in {grant.grantee.identifier for grant in before}


def test_the_triggers_of_a_failed_run_are_covered_by_the_next_run(changing: Estate) -> None:
    with struck(changing, fault("s3control/ListAccessGrants", "error")):
        assert run(changing) is not None
    changing.run(changing.profile_trigger("nobody"))

    assert changing.grants() == AFTER | {THEIRS}
    assert {KEPT, A, B} < changing.grants()
    assert OLD not in changing.grants()
