"""Reads that fail or are incomplete: no grant is deleted because of them, independent changes are
made, and a run without faults repairs the rest.
"""

import pytest

from grantor.aws.clients import RetryableError
from tests.engine.helpers import (
    assert_settled,
    build_fault,
    build_impatient_services,
    describe_confirmed_grants,
    injected_faults,
)
from tests.engine.policy_change import (
    AFTER,
    BEFORE,
    KEPT,
    OLD,
    TEAM_A,
    TEAM_B,
    TEAM_C,
    UNMANAGED,
    list_unmanaged_grants,
    run_impatiently,
)
from tests.grantor_setup import ARTICLE_POLICY, GrantorSetup

ALL, NOTHING = AFTER, BEFORE
DENIED = {"code": "AccessDenied", "status": 403, "message": "no"}
READS = {
    "the grants can't be listed": (build_fault("s3control/ListAccessGrants", "error"), NOTHING),
    "half a list of grants": (build_fault("s3control/ListAccessGrants", "cut"), NOTHING),
    "the locations can't be listed": (
        build_fault("s3control/ListAccessGrantsLocations", "error"),
        NOTHING,
    ),
    "half a list of locations": (
        build_fault("s3control/ListAccessGrantsLocations", "cut"),
        NOTHING,
    ),
    "the ledger can't be scanned": (build_fault("dynamodb/Scan", "error"), NOTHING),
    "half a scan of the ledger": (build_fault("dynamodb/Scan", "cut"), NOTHING),
    "what was accepted can't be read": (build_fault("dynamodb/Query", "error"), NOTHING),
    "half of what was accepted": (build_fault("dynamodb/Query", "cut"), NOTHING),
    "the policy can't be listed": (build_fault("s3/ListObjectsV2", "error"), NOTHING),
    "half a list of the policy": (build_fault("s3/ListObjectsV2", "cut"), NOTHING),
    "no policy file can be read": (build_fault("s3/GetObject", "error"), NOTHING),
    "every policy file is cut off": (build_fault("s3/GetObject", "cut"), NOTHING),
    "the policy may not be read": (build_fault("s3/GetObject", "refuse", **DENIED), NOTHING),
    "the domains can't be listed": (build_fault("sagemaker/ListDomains", "error"), NOTHING),
    "half a list of domains": (build_fault("sagemaker/ListDomains", "cut"), NOTHING),
    "the profiles can't be listed": (
        build_fault("sagemaker/ListUserProfiles", "error"),
        ALL - {TEAM_C},
    ),
    "half a list of profiles": (build_fault("sagemaker/ListUserProfiles", "cut"), ALL - {TEAM_C}),
    "profiles can't be described": (
        build_fault("sagemaker/DescribeUserProfile", "error"),
        ALL - {TEAM_C},
    ),
    "half a description of profiles": (
        build_fault("sagemaker/DescribeUserProfile", "cut"),
        ALL - {TEAM_C},
    ),
}


@pytest.mark.parametrize(("rule", "then"), READS.values(), ids=READS)
def test_a_failed_read_is_never_taken_for_an_empty_result(
    changed_setup: GrantorSetup, rule: dict, then: set[str]
) -> None:
    """external-dns #3997, #3841; ssosync #236, #159, #194; Argo CD #15058: failed and partial reads
    that deleted.
    """
    with injected_faults(changed_setup, rule):
        run_impatiently(changed_setup)

    assert changed_setup.describe_grants() == then | {UNMANAGED}
    assert list_unmanaged_grants(changed_setup) == {UNMANAGED}
    assert_settled(changed_setup, AFTER, {UNMANAGED})


@pytest.mark.parametrize("kind", ["error", "cut"])
def test_a_run_for_one_profile_changes_nothing_if_it_cannot_read_what_the_guard_needs(
    setup: GrantorSetup, kind: str
) -> None:
    """A run that does not read the whole ledger reads that by itself."""
    setup.put_policy("article", ARTICLE_POLICY)
    setup.wait_for_profiles("userA", "userB")
    setup.reconcile()
    before = setup.describe_grants()
    setup.delete_profile("userB")
    impatient = build_impatient_services(setup)
    with (
        injected_faults(setup, build_fault("dynamodb/TransactGetItems", kind)),
        pytest.raises(RetryableError),
    ):
        setup.reconcile(setup.build_profile_trigger("userB"), services=impatient)

    assert (len(before), setup.describe_grants()) == (4, before)


def test_a_policy_file_that_is_cut_off_does_not_affect_other_files(
    changed_setup: GrantorSetup,
) -> None:
    """external-dns #3841: one broken object, and its neighbours went."""
    changed_setup.reconcile()
    changed_setup.delete_policy("second")
    changed_setup.put_policy(
        "third",
        "version: 1\nrules:\n  - {name: r, to: {role: 'arn:aws:iam::000000000000:role/auditor'}, on: 's3://data/third/*', allow: READ}\n",
    )
    changed_setup.put_policy(
        "first",
        "version: 1\nrules:\n  - {name: r, to: {role: 'arn:aws:iam::000000000000:role/auditor'}, on: 's3://data/kept/*', allow: READ}\n",
    )
    with injected_faults(changed_setup, build_fault("s3/GetObject", "cut", times=3)):
        report = changed_setup.reconcile()

    # Both files are read ahead and cut off, then one by one, and the first of them is again.
    assert (report.deferred, list(report.unread)) == ([], ["policy/first.yaml"])
    assert (list(report.accepted), report.removed_files) == (
        ["policy/third.yaml"],
        ("policy/second.yaml",),
    )
    assert describe_confirmed_grants(changed_setup) == AFTER - {
        "READ s3://data/second/* to role/auditor"
    } | {"READ s3://data/third/* to role/auditor"}


@pytest.mark.parametrize("kind", ["error", "cut"])
def test_a_profile_with_the_domains_role_keeps_what_it_has_while_the_domain_cannot_be_described(
    changed_setup: GrantorSetup, kind: str
) -> None:
    changed_setup.client("sagemaker").create_user_profile(
        DomainId=changed_setup.domain, UserProfileName="guest"
    )
    assert_settled(
        changed_setup,
        guests := {*AFTER, "READ s3://data/Product/* to role/domain-default"},
        {UNMANAGED},
    )
    with injected_faults(changed_setup, build_fault("sagemaker/DescribeDomain", kind)):
        report = changed_setup.reconcile(services=build_impatient_services(changed_setup))

    assert (report.done, changed_setup.describe_grants()) == ([], {*guests, UNMANAGED})
    assert (report.deferred, list(report.unread)) == ([], ["domain Product-Domain"])


def test_a_domain_counts_as_unread_if_only_its_first_page_can_be_read(setup: GrantorSetup) -> None:
    """ssosync #236: a page was missing, and whoever stood on it was gone."""
    names = [f"p{n:03}" for n in range(101)]
    role, sagemaker = setup.create_role("everybody"), setup.client("sagemaker")
    for name in names:
        sagemaker.create_user_profile(
            DomainId=setup.domain, UserProfileName=name, UserSettings={"ExecutionRole": role}
        )
    setup.wait_for_profiles(names[-1])
    setup.put_policy(
        "all",
        "version: 1\nrules:\n  - {name: r, to: {profiles: {domain: Product-Domain}}, on: 's3://data/x/*', allow: READ}\n",
    )
    setup.reconcile()
    before = setup.list_grants()
    setup.delete_profile(names[-1])
    with injected_faults(setup, build_fault("sagemaker/ListUserProfiles", "error", after=1)):
        report = setup.reconcile(services=build_impatient_services(setup))

    assert (len(before), report.done, setup.list_grants()) == (3, [], before)
    assert (report.deferred, list(report.unread)) == ([], ["domain Product-Domain"])
    assert role in {grant.grantee.identifier for grant in before}


def test_the_triggers_of_a_failed_run_are_covered_by_the_next_run(
    changed_setup: GrantorSetup,
) -> None:
    with injected_faults(changed_setup, build_fault("s3control/ListAccessGrants", "error")):
        assert run_impatiently(changed_setup) is not None
    changed_setup.reconcile(changed_setup.build_profile_trigger("nobody"))

    assert changed_setup.describe_grants() == AFTER | {UNMANAGED}
    assert {KEPT, TEAM_A, TEAM_B} < changed_setup.describe_grants()
    assert OLD not in changed_setup.describe_grants()
